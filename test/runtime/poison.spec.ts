import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import { eventually, registryOf, startEngine, temporaryDirectory, type TestEngine } from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
const engines: TestEngine[] = [];
const file = (): string => join(directory.path, 'durable.sqlite');

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop().catch(() => undefined);
  directory.remove();
});

/** Ends an engine as a kill would: it writes nothing more, and only its lock goes. */
async function kill(engine: TestEngine): Promise<void> {
  await engine.provider.close();
  void engine.stop().catch(() => undefined);
}

const orchestrations = {
  Ask: async (ctx: OrchestrationContext, name: string) =>
    ctx.scheduleActivity(name, [name]).catch((error: { failure: { name: string } }) => error.failure.name),
};

describe('an activity that is running in every crash of its process', () => {
  it('is poisoned in the end, and its neighbour is not', async () => {
    const runs = { deadly: 0, innocent: 0 };
    const activities = {
      deadly: () => {
        runs.deadly++;
        return new Promise(() => undefined);
      },
      // Two crashes of the process find it running; then it gets its turn among the suspects, and finishes.
      innocent: () => (++runs.innocent > 2 ? Promise.resolve('done') : new Promise(() => undefined)),
    };
    const boot = async (): Promise<TestEngine> =>
      startEngine(file(), registryOf(orchestrations, activities), { maxCrashes: 5, shutdownGrace: 0 });
    let engine = await boot();
    await engine.client.startOrchestration('Ask', 'deadly', { instanceId: 'deadly' });
    await eventually(() => runs.deadly === 1);
    await engine.client.startOrchestration('Ask', 'innocent', { instanceId: 'innocent' });
    await eventually(() => runs.innocent === 1);
    for (let crash = 1; crash <= 5; crash++) {
      const before = runs.deadly;
      await kill(engine);
      engine = await boot();
      if (crash < 5) await eventually(() => runs.deadly > before);
    }
    engines.push(engine);
    expect(await engine.client.getResult('deadly', '10s')).toBe('PoisonedError');
    expect(runs.deadly).toBe(5);
    expect(await engine.client.getResult('innocent', '10s')).toBe('done');
  });
});
