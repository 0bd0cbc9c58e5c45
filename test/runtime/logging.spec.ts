import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import { registryOf, startEngine, temporaryDirectory, type TestEngine } from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
let engine: TestEngine;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await engine.stop();
  directory.remove();
});

describe('a log that throws', () => {
  it('holds up neither the instance that logs nor another', async () => {
    const broken = (): never => {
      throw new Error('the log is broken');
    };
    const Loud = async (ctx: OrchestrationContext) => {
      ctx.log.warn('heard by nobody');
      await ctx.scheduleActivity('work');
      throw new Error('failures are logged, too');
    };
    const Quiet = async (ctx: OrchestrationContext) => ctx.scheduleActivity('work');
    const registry = registryOf({ Loud, Quiet }, { work: () => 'done' });
    const log = { debug: broken, log: broken, warn: broken, error: broken };
    engine = await startEngine(`${directory.path}/durable.sqlite`, registry, { log });
    const loud = await engine.client.startOrchestration('Loud');
    const quiet = await engine.client.startOrchestration('Quiet');
    expect((await loud.wait('5s')).status).toBe('Failed');
    expect(await quiet.result({ timeout: '5s' })).toBe('done');
  });
});
