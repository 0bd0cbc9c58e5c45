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

describe('terminating an instance', () => {
  it('ends it, too, when its code is found to be unfit just then', async () => {
    const Job = async (ctx: OrchestrationContext) => {
      await ctx.scheduleWait('go');
      await new Promise((resolve) => setImmediate(resolve)); // nothing durable: the engine suspends it
    };
    engine = await startEngine(`${directory.path}/durable.sqlite`, registryOf({ Job }));
    for (let round = 0; round < 20; round++) {
      const handle = await engine.client.startOrchestration('Job');
      const sent = handle.raiseEvent('go');
      for (let turns = 0; turns < round; turns++) await new Promise((resolve) => setImmediate(resolve));
      await Promise.all([sent, handle.terminate()]);
      expect((await handle.wait('2s')).status).toBe('Terminated');
    }
  });
});
