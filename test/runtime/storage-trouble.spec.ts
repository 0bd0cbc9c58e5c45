import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { join } from 'node:path';
import { StorageError } from '../../lib/core/errors.js';
import type { Batch, BatchItem } from '../../lib/provider/batch.js';
import type { Provider } from '../../lib/provider/index.js';
import type { OrchestrationContext as Ctx } from '../../lib/replay/index.js';
import type { Registry } from '../../lib/runtime/index.js';
import { eventually, registryOf, startEngine, temporaryDirectory, type TestEngine } from '../support/engine.js';
import { HostileProvider, type Hostility } from '../support/hostile-provider.js';

let directory: ReturnType<typeof temporaryDirectory>;
let engine: TestEngine;
const file = (): string => join(directory.path, 'durable.sqlite');

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await engine.stop();
  directory.remove();
});

/** The same provider with some methods replaced; `this` of the others stays the provider. */
function altered(provider: Provider, changes: (provider: Provider) => Partial<Provider>): Provider {
  const replaced = changes(provider) as Record<PropertyKey, unknown>;
  return new Proxy(provider, {
    get(target, key) {
      if (key in replaced) return replaced[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: { code?: unknown }) => error.code ?? error,
  );

/** Programs of every kind, and what each activity was asked: without a crash each runs exactly once. */
function programs(): { registry: Registry; runs: Map<string, number> } {
  const runs = new Map<string, number>();
  const count = (what: string): void => void runs.set(what, (runs.get(what) ?? 0) + 1);
  const registry = registryOf(
    {
      Chain: async (ctx: Ctx) => {
        let sum = 0;
        for (let n = 1; n <= 6; n++) sum = await ctx.scheduleActivity<number>('add', [`${ctx.instanceId}/${n}`, sum, n]);
        return sum;
      },
      FanOut: async (ctx: Ctx, width: number) => {
        const futures = Array.from({ length: width }, (_, n) => ctx.scheduleActivity<number>('add', [`${ctx.instanceId}/${n}`, n, 0]));
        return (await ctx.join(futures)).reduce((a, b) => a + b, 0);
      },
      Timers: async (ctx: Ctx) => {
        const fired: string[] = [];
        for (let n = 0; n < 4; n++) {
          await ctx.select({ short: ctx.scheduleTimer(3 + n), long: ctx.scheduleTimer('1h') });
          fired.push(`short ${n}`);
        }
        await ctx.join([ctx.scheduleTimer(1), ctx.scheduleTimer(5), ctx.scheduleTimer(9)]);
        return fired.length;
      },
      Events: async (ctx: Ctx) => {
        const [b, a] = await ctx.join([ctx.scheduleWait<number>('b'), ctx.scheduleWait<number>('a')]);
        await ctx.scheduleTimer(2);
        return [a, b, await ctx.scheduleWait('c')];
      },
      Queue: async (ctx: Ctx, total: number) => {
        let sum = total;
        for (let taken = 0; taken < 3; taken++) {
          const n = await ctx.dequeueEvent<number>('numbers');
          ctx.kv.set('taken', (ctx.kv.get<number>('taken') ?? 0) + 1);
          if (n === 0) return { sum, taken: ctx.kv.get('taken') };
          sum += n;
        }
        return ctx.continueAsNew(sum);
      },
      Parent: async (ctx: Ctx) => {
        const children = [1, 2, 3].map((n) => ctx.scheduleSubOrchestration<number>('Child', n, { instanceId: `${ctx.instanceId}-${n}` }));
        const sum = (await ctx.join(children)).reduce((a, b) => a + b, 0);
        const clash = await ctx.scheduleSubOrchestration('Child', 9, { instanceId: `${ctx.instanceId}-1` }).catch((error: Error & { outcome: string }) => error.outcome);
        const detached = await ctx.scheduleOrchestration('Child', 7, { instanceId: `${ctx.instanceId}-free` });
        return [sum, clash, detached];
      },
      Child: async (ctx: Ctx, n: number) => ctx.scheduleActivity<number>('add', [ctx.instanceId, 10 * n, 0]),
      Cancelled: async (ctx: Ctx) => {
        try {
          await ctx.join([ctx.scheduleWait('never'), ctx.scheduleSubOrchestration('Waiting', undefined, { instanceId: `${ctx.instanceId}-child` })]);
        } finally {
          await ctx.shield(() => ctx.scheduleActivity('add', [`${ctx.instanceId}/clean-up`, 0, 0]));
        }
      },
      Waiting: async (ctx: Ctx) => ctx.scheduleWait('never'),
      Counter: async (ctx: Ctx, rounds: number) => {
        const count = (ctx.kv.get<number>('count') ?? 0) + 1;
        ctx.kv.set('count', count);
        ctx.kv.set('gone', count);
        await ctx.scheduleActivity('flaky', [`${ctx.instanceId}/${count}`], { retry: { maxAttempts: 5, initialInterval: 1 } });
        ctx.kv.delete('gone');
        return count < rounds ? ctx.continueAsNew(rounds) : ctx.kv.get('count');
      },
    } as never,
    {
      add: async (what: string, a: number, b: number) => {
        count(what);
        if (what.length % 2 === 0) await new Promise((done) => setTimeout(done, 1));
        return a + b;
      },
      flaky: (what: string) => {
        count(what);
        if (runs.get(what) === 1) throw new Error('the first attempt fails');
      },
    } as never,
  );
  return { registry, runs };
}

const hostilities: Hostility[] = [
  { seed: 1 },
  { seed: 2, lanes: 3 },
  { seed: 3, lanes: 3, refuse: 0.5 },
  { seed: 4, lanes: 3, failBefore: 0, failAfter: 0.6 },
  { seed: 5, lanes: 1, failBefore: 0.1, failAfter: 0.6, slowReads: false },
  { seed: 6, lanes: 5, failBefore: 0.5, failAfter: 0.1 },
  { seed: 7, lanes: 3, failBefore: 0, failAfter: 0, refuse: 0 },
];

describe('an engine over hostile storage', () => {
  it.each(hostilities)('completes 30 instances of every kind with the right results: %j', async (hostility) => {
    const { registry, runs } = programs();
    let hostile!: HostileProvider;
    // A small backlog sends most activities through claims, a small cache most instances through loads.
    const wrap = (provider: Provider): Provider => (hostile = new HostileProvider(provider, hostility));
    engine = await startEngine(file(), registry, { wrap, activityConcurrency: 4, activityBacklog: 2, cacheSize: 6 });
    const { client } = engine;
    const start = (name: string, id: string, input?: unknown) => client.startOrchestration(name, input, { instanceId: id });
    const result = (id: string) => client.getResult(id, '18s');
    const numbers = Array.from({ length: 12 }, (_, index) => index + 1);

    const chains = [1, 2, 3, 4, 5].map(async (n) => {
      await start('Chain', `chain-${n}`);
      expect(await codeOf(start('Chain', `chain-${n}`))).toBe('ERR_DURABLE_INSTANCE_EXISTS');
      expect(await result(`chain-${n}`)).toBe(21);
      expect(await codeOf(client.raiseEvent(`chain-${n}`, 'late'))).toBe('ERR_DURABLE_INSTANCE_FINISHED');
    });
    const fanOuts = [1, 2, 3, 4].map(async (n) => {
      await start('FanOut', `fan-${n}`, 10);
      expect(await result(`fan-${n}`)).toBe(45);
    });
    const timers = [1, 2, 3, 4].map(async (n) => {
      await start('Timers', `timers-${n}`);
      expect(await result(`timers-${n}`)).toBe(4);
    });
    const events = [1, 2, 3, 4].map(async (n) => {
      const id = `events-${n}`;
      await start('Events', id);
      await Promise.all([client.raiseEvent(id, 'c', 3), client.raiseEvent(id, 'a', 1), client.raiseEvent(id, 'b', 2)]);
      expect(await result(id)).toEqual([1, 2, 3]);
    });
    const queues = [1, 2, 3, 4].map(async (n) => {
      const id = `queue-${n}`;
      await start('Queue', id, 0);
      await Promise.all(numbers.map((number) => client.enqueueEvent(id, 'numbers', number)));
      await client.enqueueEvent(id, 'numbers', 0);
      expect(await result(id)).toEqual({ sum: 78, taken: 13 });
      expect(await client.getKvValue(id, 'taken')).toBe(13);
    });
    const parents = [1, 2, 3].map(async (n) => {
      const id = `parent-${n}`;
      await start('Parent', id);
      expect(await result(id)).toEqual([60, 'already-exists', `${id}-free`]);
      expect(await result(`${id}-free`)).toBe(70);
    });
    const cancelled = [1, 2, 3].map(async (n) => {
      const id = `cancelled-${n}`;
      await start('Cancelled', id);
      await eventually(() => engine.provider.status(`${id}-child`));
      await client.cancelInstance(id, 'enough');
      expect(await codeOf(result(id))).toBe('ERR_DURABLE_CANCELLED');
      expect((await client.waitForOrchestration(`${id}-child`, '18s')).status).toBe('Cancelled');
    });
    const counters = [1, 2, 3].map(async (n) => {
      const id = `counter-${n}`;
      await start('Counter', id, 4);
      expect(await result(id)).toBe(4);
      expect(await client.getKvAllValues(id)).toEqual({ count: 4 });
    });
    await Promise.all([chains, fanOuts, timers, events, queues, parents, cancelled, counters].flat());

    expect(await client.management.findStuck()).toEqual([]);
    const open = await client.management.listInstances({ status: ['Pending', 'Running', 'Suspended'] });
    expect(open.items.map(({ instanceId, status }) => [instanceId, status])).toEqual([]);
    const twice = [...runs].filter(([what, times]) => times !== (what.startsWith('counter') ? 2 : 1));
    expect(twice).toEqual([]);
    expect(engine.runtime.counters.suspended).toBe(0);
    if (hostility.failAfter !== 0) expect(hostile.done.failedAfter).toBeGreaterThan(0);
    if (hostility.refuse !== 0) expect(hostile.done.refused).toBeGreaterThan(0);
    const database = new Sqlite(file(), { readonly: true });
    const left = ['message', 'activity', 'timer'].map((table) => database.prepare(`SELECT count(*) AS n FROM durable_${table}`).get());
    database.close();
    expect(left).toEqual([{ n: 0 }, { n: 0 }, { n: 0 }]);
  });
});
