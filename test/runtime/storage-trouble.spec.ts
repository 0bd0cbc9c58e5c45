import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { setImmediate as immediate } from 'node:timers/promises';
import { join } from 'node:path';
import { StorageError } from '../../lib/core/errors.js';
import type { Batch, BatchItem } from '../../lib/provider/batch.js';
import type { Provider } from '../../lib/provider/index.js';
import type { OrchestrationContext as Ctx } from '../../lib/replay/index.js';
import type { Registry } from '../../lib/runtime/index.js';
import { systemPorts, type Ports } from '../../lib/runtime/ports.js';
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
        for (let n = 1; n <= 6; n++)
          sum = await ctx.scheduleActivity<number>('add', [`${ctx.instanceId}/${n}`, sum, n]);
        return sum;
      },
      FanOut: async (ctx: Ctx, width: number) => {
        const futures = Array.from({ length: width }, (_, n) =>
          ctx.scheduleActivity<number>('add', [`${ctx.instanceId}/${n}`, n, 0]),
        );
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
        const children = [1, 2, 3].map((n) =>
          ctx.scheduleSubOrchestration<number>('Child', n, { instanceId: `${ctx.instanceId}-${n}` }),
        );
        const sum = (await ctx.join(children)).reduce((a, b) => a + b, 0);
        const clash = await ctx
          .scheduleSubOrchestration('Child', 9, { instanceId: `${ctx.instanceId}-1` })
          .catch((error: Error & { outcome: string }) => error.outcome);
        const detached = await ctx.scheduleOrchestration('Child', 7, { instanceId: `${ctx.instanceId}-free` });
        return [sum, clash, detached];
      },
      Child: async (ctx: Ctx, n: number) => ctx.scheduleActivity<number>('add', [ctx.instanceId, 10 * n, 0]),
      Cancelled: async (ctx: Ctx) => {
        try {
          await ctx.join([
            ctx.scheduleWait('never'),
            ctx.scheduleSubOrchestration('Waiting', undefined, { instanceId: `${ctx.instanceId}-child` }),
          ]);
        } finally {
          await ctx.shield(() => ctx.scheduleActivity('add', [`${ctx.instanceId}/clean-up`, 0, 0]));
        }
      },
      Waiting: async (ctx: Ctx) => ctx.scheduleWait('never'),
      Counter: async (ctx: Ctx, rounds: number) => {
        const count = (ctx.kv.get<number>('count') ?? 0) + 1;
        ctx.kv.set('count', count);
        ctx.kv.set('gone', count);
        await ctx.scheduleActivity('flaky', [`${ctx.instanceId}/${count}`], {
          retry: { maxAttempts: 5, initialInterval: 1 },
        });
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
  { seed: 5, lanes: 1, failBefore: 0.1, failAfter: 0.4, slowReads: false },
  { seed: 6, lanes: 5, failBefore: 0.5, failAfter: 0.1 },
  { seed: 7, lanes: 3, failBefore: 0, failAfter: 0, refuse: 0 },
];

describe('an engine over hostile storage', () => {
  it.each(hostilities)('completes 30 instances of every kind with the right results: %j', async (hostility) => {
    const { registry, runs } = programs();
    let hostile!: HostileProvider;
    // Time runs fast so that pauses between attempts are short. A small backlog sends most activities through claims, a small cache most instances through loads.
    const wrap = (provider: Provider): Provider => (hostile = new HostileProvider(provider, hostility));
    engine = await startEngine(file(), registry, {
      wrap,
      ports: fastPorts(10),
      activityConcurrency: 4,
      activityBacklog: 2,
      cacheSize: 6,
    });
    const { client } = engine;
    const start = (name: string, id: string, input?: unknown) =>
      client.startOrchestration(name, input, { instanceId: id });
    const result = (id: string) => client.getResult(id, '3m');
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
      expect((await client.waitForOrchestration(`${id}-child`, '3m')).status).toBe('Cancelled');
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
    const left = ['message', 'activity', 'timer'].map((table) =>
      database.prepare(`SELECT count(*) AS n FROM durable_${table}`).get(),
    );
    database.close();
    expect(left).toEqual([{ n: 0 }, { n: 0 }, { n: 0 }]);
  });
});

/** A database that refuses every batch with such an item, for good. */
function poisonedBy(isPoison: (item: BatchItem) => boolean) {
  const attempts = { poisonous: 0 };
  const wrap = (provider: Provider): Provider =>
    altered(provider, (inner) => ({
      commit: async (node: string, lane: number, batch: Batch, patienceMs: number) => {
        if (!batch.items.some(isPoison)) return inner.commit(node, lane, batch, patienceMs);
        attempts.poisonous++;
        throw new StorageError('malformed', { retryable: false, code: 'ERR_TEST_POISON' });
      },
    }));
  return { wrap, attempts };
}

const square: Record<string, (ctx: Ctx, n: number) => Promise<unknown>> = {
  Square: (ctx, n) => ctx.scheduleActivity<number>('square', [n]),
};
const squareActivity = { square: (n: number) => n * n };

describe('an item the database can never take', () => {
  it('rejects its caller and nobody else if it is a message', async () => {
    const { wrap } = poisonedBy(
      (item) => item.kind === 'send' && 'data' in item.message && item.message.data === '"bad"',
    );
    engine = await startEngine(
      file(),
      registryOf({ Test: async (ctx: Ctx) => [await ctx.scheduleWait('a'), await ctx.scheduleWait('a')] }),
      { wrap },
    );
    await engine.client.startOrchestration('Test', undefined, { instanceId: 'i1' });
    const answers = ['good', 'bad', 'also good'].map((text) => codeOf(engine.client.raiseEvent('i1', 'a', text)));
    expect(await Promise.all(answers)).toEqual(['resolved', 'ERR_TEST_POISON', 'resolved']);
    expect(await engine.client.getResult('i1', '10s')).toEqual(['good', 'also good']);
  });

  it('rejects its caller and nobody else if it is a start', async () => {
    const { wrap } = poisonedBy((item) => item.kind === 'start' && item.instanceId === 'n5');
    engine = await startEngine(file(), registryOf(square as never, squareActivity as never), { wrap });
    const ids = Array.from({ length: 20 }, (_, n) => n);
    const started = await Promise.all(
      ids.map((n) => codeOf(engine.client.startOrchestration('Square', n, { instanceId: `n${n}` }))),
    );
    expect(started).toEqual(ids.map((n) => (n === 5 ? 'ERR_TEST_POISON' : 'resolved')));
    const results = await Promise.all(ids.filter((n) => n !== 5).map((n) => engine.client.getResult(`n${n}`, '10s')));
    expect(results).toEqual(ids.filter((n) => n !== 5).map((n) => n * n));
    expect(await engine.provider.status('n5')).toBeNull();
  });

  it('suspends its instance and no other if it is a turn, and the instance goes on when it is resumed', async () => {
    let poisonous = true;
    const { wrap, attempts } = poisonedBy((item) => poisonous && item.kind === 'turn' && item.instanceId === 'n5');
    engine = await startEngine(file(), registryOf(square as never, squareActivity as never), { wrap });
    const ids = Array.from({ length: 20 }, (_, n) => n);
    await Promise.all(ids.map((n) => engine.client.startOrchestration('Square', n, { instanceId: `n${n}` })));
    const results = await Promise.all(ids.filter((n) => n !== 5).map((n) => engine.client.getResult(`n${n}`, '10s')));
    expect(results).toEqual(ids.filter((n) => n !== 5).map((n) => n * n));
    const suspended = await eventually(
      () => engine.client.getOrchestrationStatus('n5'),
      ({ status }) => status === 'Suspended',
    );
    expect(suspended).toMatchObject({ suspension: { by: 'engine', code: 'ERR_TEST_POISON', reason: 'malformed' } });
    expect(attempts.poisonous).toBeLessThan(40);
    poisonous = false;
    await engine.client.resumeInstance('n5');
    expect(await engine.client.getResult('n5', '10s')).toBe(25);
  });

  it('is recorded as the failure of the activity if it is a result', async () => {
    const body = async (ctx: Ctx) =>
      ctx.scheduleActivity('bad').catch((error: { failure: { code: string } }) => error.failure.code);
    const { wrap } = poisonedBy((item) => item.kind === 'complete-activity' && item.message.result === '"bad"');
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    engine = await startEngine(file(), registryOf({ Test: body }, { bad: () => held.then(() => 'bad') }), { wrap });
    await engine.client.startOrchestration('Test', undefined, { instanceId: 'i1' });
    await eventually(() => engine.runtime.status.runningActivities === 1);
    // A suspended instance takes no turn, so that the result goes through the journal.
    await engine.client.suspendInstance('i1', 'a look at it');
    release();
    await eventually(() => engine.runtime.status.runningActivities === 0);
    await engine.client.resumeInstance('i1');
    expect(await engine.client.getResult('i1', '10s')).toBe('ERR_TEST_POISON');
  });
});

describe('another connection that holds the write lock', () => {
  it('does not hold up the event loop, and work goes on afterwards', async () => {
    engine = await startEngine(file(), registryOf(square as never, squareActivity as never));
    const other = new Sqlite(file());
    other.exec('BEGIN IMMEDIATE');
    const started = Promise.all([1, 2, 3].map((n) => engine.client.startOrchestration('Square', n)));
    let settled = false;
    void started.then(() => (settled = true));
    let ticks = 0;
    for (const until = Date.now() + 300; Date.now() < until; ticks++) await immediate();
    expect(settled).toBe(false);
    expect(engine.runtime.counters.busyRetries).toBeGreaterThan(10);
    other.exec('COMMIT');
    other.close();
    const handles = await started;
    expect(await Promise.all(handles.map((handle) => handle.result({ timeout: '10s' })))).toEqual([1, 4, 9]);
    expect(ticks).toBeGreaterThan(500);
    expect(engine.log.matching(/trouble|trying again/)).toEqual([]);
  });
});

/** Time that runs `speed` times as fast. */
function fastPorts(speed: number): Ports {
  const begin = systemPorts.clock.now();
  const mono = (): number => performance.now() * speed;
  const since = mono();
  return {
    ...systemPorts,
    clock: { now: () => Math.floor(begin + mono() - since), mono },
    setTimer: (callback, ms, options) => systemPorts.setTimer(callback, ms / speed, options),
  };
}

describe('minutes without a database', () => {
  const OUTAGE_MS = 180_000;
  const READS = [
    'load',
    'messagesAfter',
    'bufferedMessages',
    'runnable',
    'timers',
    'nextActivityDueAt',
    'claimedActivities',
    'statuses',
    'changedElsewhere',
    'heartbeat',
  ] as const;

  it.each([
    { what: 'commits', methods: ['commit'] as const },
    { what: 'commits and reads', methods: ['commit', ...READS] as const },
  ])('fail nothing and say so at most once a second per cause ($what)', async ({ methods }) => {
    const ports = fastPorts(100);
    let down = false;
    let refused = 0;
    const wrap = (provider: Provider): Provider =>
      altered(provider, (inner) =>
        Object.fromEntries(
          methods.map((method) => [
            method,
            (...args: never[]) => {
              if (!down) return (inner[method] as (...args: never[]) => unknown)(...args);
              refused++;
              return Promise.reject(new StorageError('nobody answers', { retryable: true, code: 'ERR_TEST_DOWN' }));
            },
          ]),
        ),
      );
    const { registry } = programs();
    engine = await startEngine(file(), registry, {
      wrap,
      ports,
      cacheSize: 2,
      activityConcurrency: 2,
      activityBacklog: 1,
      lease: '10m',
    });
    const { client } = engine;
    const before = [1, 2, 3].map((n) => client.startOrchestration('Timers', undefined, { instanceId: `timers-${n}` }));
    await client.startOrchestration('Events', undefined, { instanceId: 'events' });
    await Promise.all(before);
    const since = ports.clock.now();
    down = true;
    const outcomes = Promise.all([
      ...[1, 2, 3].map((n) => client.startOrchestration('Chain', undefined, { instanceId: `chain-${n}` })),
      ...['a', 'b', 'c'].map((name, index) => client.raiseEvent('events', name, index + 1)),
    ]);
    const results = Promise.all([
      ...[1, 2, 3].map((n) => client.getResult(`timers-${n}`, '10m')),
      client.getResult('events', '10m'),
    ]);
    let early: unknown;
    outcomes.then(
      () => (early = down ? 'settled while the database was down' : early),
      (error: unknown) => (early = error),
    );
    await eventually(() => ports.clock.now() - since > OUTAGE_MS);
    expect(early).toBeUndefined();
    expect(refused).toBeGreaterThan(100);
    down = false;
    await outcomes;
    expect(await results).toEqual([4, 4, 4, [1, 2, 3]]);
    expect(await Promise.all([1, 2, 3].map((n) => client.getResult(`chain-${n}`, '10m')))).toEqual([21, 21, 21]);
    expect(engine.runtime.counters.suspended).toBe(0);
    const perCause = new Map<string, number>();
    for (const { level, message } of engine.log.lines) {
      if (level === 'warn' || level === 'error') perCause.set(message, (perCause.get(message) ?? 0) + 1);
    }
    const seconds = (ports.clock.now() - since) / 1_000;
    expect([...perCause].filter(([, lines]) => lines > seconds + 2)).toEqual([]);
    expect(engine.log.matching(/nobody answers/).length).toBeGreaterThan(5);
  });
});
