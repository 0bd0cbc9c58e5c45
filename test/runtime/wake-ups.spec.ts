import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ModelProvider, ModelStore, type ModelPorts } from '../../lib/testing/index.js';
import { DurableClient } from '../../lib/client/index.js';
import { DurableRuntime, systemPorts } from '../../lib/runtime/index.js';
import { eventually, RecordingLog, registryOf, startEngine, temporaryDirectory } from '../support/engine.js';

describe('wake-ups', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  beforeEach(() => void (directory = temporaryDirectory()));
  afterEach(() => directory.remove());

  it('reach an instance whose timer came due while it was suspended, whoever resumes it', async () => {
    const file = join(directory.path, 'durable.sqlite');
    const registry = registryOf({ sleeper: (ctx) => ctx.scheduleTimer(1_000) });
    await using engine = await startEngine(file, registry);
    await using elsewhere = await startEngine(file, registry, { runsInstances: false });
    const { client } = engine;
    const handle = await client.startOrchestration('sleeper');
    await client.suspendInstance(handle.instanceId);
    const due = Date.now() + 1_000;
    await eventually(() => Date.now() > due + 50);

    await elsewhere.client.resumeInstance(handle.instanceId);

    expect((await client.waitForOrchestration(handle.instanceId, '5s')).status).toBe('Completed');
  });

  it('are looked for by one poll, however often the node was declared dead', async () => {
    let polls = 0;
    const store = new ModelStore();
    const ports = { chance: () => 0.5, setTimer: systemPorts.setTimer, schedule: { step: () => Promise.resolve() } };
    const provider = new ModelProvider(store, ports);
    const log = new RecordingLog();
    const runtime = new DurableRuntime({
      provider,
      log,
      registry: registryOf({}),
      pollIdle: 500,
      pollBusy: 500,
      ports: {
        ...systemPorts,
        setTimer: (callback, ms, options) => {
          if (ms !== 500) return systemPorts.setTimer(callback, ms, options);
          polls++;
          const cancel = systemPorts.setTimer(() => undefined, 500, { unref: true });
          return () => {
            polls--;
            cancel();
          };
        },
      },
    });
    await runtime.start();
    const others = await neighbour(store, ports);
    for (let round = 1; round <= 3; round++) {
      const { node } = runtime.status;
      const other = `other-${round}`;
      await others.join({ node: other, lanes: 1, buildId: 'b', now: Date.now(), leaseUntil: Date.now() + 60_000 });
      await others.takeOver(other, [node], Date.now());
      await new DurableClient(runtime).suspendInstance('nobody').catch(() => undefined);
      await eventually(() => log.matching(/^running on/).length === round + 1);
    }

    expect(polls).toBe(1);
    await runtime.stop();
  });

  it('reach a node that was declared dead while it began its work', async () => {
    const store = new ModelStore();
    const ports = { chance: () => 0.5, setTimer: systemPorts.setTimer, schedule: { step: () => Promise.resolve() } };
    const others = await neighbour(store, ports);
    class Overtaken extends ModelProvider {
      private times = 0;
      override async resumeForBuild(buildId: string, now: number): Promise<number> {
        if (++this.times === 1) await others.takeOver('neighbour', [runtime.status.node], now);
        return super.resumeForBuild(buildId, now);
      }
    }
    const runtime: DurableRuntime = new DurableRuntime({
      provider: new Overtaken(store, ports),
      registry: registryOf({ caller: (ctx) => ctx.scheduleActivity('answer') }, { answer: () => 42 }),
    });
    await runtime.start();

    const handle = await new DurableClient(runtime).startOrchestration('caller');

    expect(await new DurableClient(runtime).getResult(handle.instanceId, '5s')).toBe(42);
    await runtime.stop();
  });
});

/** Another engine, that only takes over. */
async function neighbour(store: ModelStore, ports: ModelPorts): Promise<ModelProvider> {
  const provider = new ModelProvider(store, ports);
  await provider.open();
  const now = Date.now();
  await provider.join({ node: 'neighbour', lanes: provider.lanes, buildId: 'x', now, leaseUntil: now + 3_600_000 });
  return provider;
}
