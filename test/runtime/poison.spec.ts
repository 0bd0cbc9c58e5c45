import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { ActivityContext } from '../../lib/core/activity-context.js';
import type { Provider } from '../../lib/provider/index.js';
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

describe('instances and activities that were caught in crashes', () => {
  it('are marked one at a time, or the crash of one would be blamed on the others', async () => {
    const INSTANCES = 6;
    const WIDTH = 3;
    let crashes = 0;
    let running = 0;
    const marked = new Set<string>();
    const together: string[] = [];
    const registry = () =>
      registryOf(
        {
          Fan: (ctx) => ctx.join(Array.from({ length: WIDTH }, (_, index) => ctx.scheduleActivity('caught', [index]))),
        },
        {
          caught: (index: number, { instanceId, activityId }: ActivityContext) => {
            running++;
            if (crashes < 2) return new Promise(() => undefined);
            together.push(...[...marked].filter((other) => other !== `${instanceId}/${activityId}`));
            return index;
          },
        },
      );
    const boot = (options: { runsInstances?: boolean; stalled?: boolean } = {}): Promise<TestEngine> =>
      startEngine(file(), registry(), {
        shutdownGrace: 0,
        runsInstances: options.runsInstances ?? true,
        wrap: (provider) => marks(provider, marked, options.stalled === true),
      });
    let engine = await boot();
    const ids = Array.from({ length: INSTANCES }, (_, index) => `caught-${index}`);
    for (const instanceId of ids) await engine.client.startOrchestration('Fan', undefined, { instanceId });
    while (crashes < 2) {
      await eventually(() => running === INSTANCES * WIDTH);
      await kill(engine);
      crashes++;
      running = 0;
      engine = await boot(crashes === 2 ? { runsInstances: false } : {});
    }
    // There is something new for each instance, and a process dies before any of them has committed a turn.
    for (const id of ids) await engine.client.raiseEvent(id, 'news');
    await engine.stop();
    await kill(await boot({ stalled: true }));

    engine = await boot();
    engines.push(engine);
    for (const id of ids) expect(await engine.client.getResult(id, '10s')).toEqual([0, 1, 2]);
    expect(running).toBe(INSTANCES * WIDTH);
    expect(together).toEqual([]);
  });
});

/** Keeps who is marked in the store: an instance until it has committed a turn, an activity until its outcome is recorded. */
function marks(provider: Provider, marked: Set<string>, stalled: boolean): Provider {
  let closed = (): void => undefined;
  const isClosed = new Promise<void>((resolve) => (closed = resolve));
  const commit: Provider['commit'] = async (node, lane, batch, patienceMs) => {
    if (stalled) await isClosed;
    const result = await provider.commit(node, lane, batch, patienceMs);
    for (const [index, item] of batch.items.entries()) {
      if (result.verdicts[index]!.kind !== 'accepted') continue;
      if (item.kind === 'suspect') marked.add(item.instanceId);
      if (item.kind === 'suspect-activity') marked.add(`${item.instanceId}/${item.scheduleId}`);
      if (item.kind === 'complete-activity') marked.delete(`${item.instanceId}/${item.scheduleId}`);
      if (item.kind !== 'turn') continue;
      marked.delete(item.instanceId);
      for (const { scheduleId } of item.closedActivities) marked.delete(`${item.instanceId}/${scheduleId}`);
    }
    return result;
  };
  const close: Provider['close'] = () => {
    closed();
    return provider.close();
  };
  return new Proxy(provider, {
    get(target, key) {
      if (key === 'commit') return commit;
      if (key === 'close') return close;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
