import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NonRetryableError, RetryAfterError } from '../../lib/core/errors.js';
import type { ActivityContext } from '../../lib/core/activity-context.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import { eventually, registryOf, startEngine, type Activities, type Body, type TestEngine } from '../support/engine.js';
import { openStore, type TestStore } from '../support/store.js';

type Ctx = OrchestrationContext;
let store: TestStore;
let engine: TestEngine;

async function boot(
  orchestrations: Record<string, Body>,
  activities: Activities = {},
  settings: Parameters<typeof startEngine>[2] = {},
): Promise<TestEngine> {
  engine = await startEngine(store, registryOf(orchestrations, activities), settings);
  return engine;
}

beforeEach(() => {
  store = openStore();
});
afterEach(async () => {
  await engine.stop();
  await store.remove();
});

describe('cancelling', () => {
  it('rejects what is awaited, lets shielded clean-up run, and ends as Cancelled', async () => {
    const undone: string[] = [];
    const { client } = await boot(
      {
        Order: async (ctx: Ctx) => {
          try {
            await ctx.scheduleWait('never');
          } catch (error) {
            await ctx.shield(() => ctx.scheduleActivity('undo', ['charge']));
            throw error;
          }
          return 'not reached';
        },
      },
      { undo: (what: string) => void undone.push(what) },
    );
    const handle = await client.startOrchestration('Order', undefined, { instanceId: 'o' });
    await handle.cancel('changed my mind');
    const status = await handle.wait('10s');
    expect(status.status).toBe('Cancelled');
    expect(undone).toEqual(['charge']);
    await expect(handle.result()).rejects.toMatchObject({ code: 'ERR_DURABLE_CANCELLED', reason: 'changed my mind' });
  });

  it('completes when the code catches the cancellation and returns', async () => {
    const { client } = await boot({
      Order: async (ctx: Ctx) => ctx.scheduleWait('never').catch((error: Error) => error.name),
    });
    const handle = await client.startOrchestration('Order', undefined, { instanceId: 'o' });
    await handle.cancel();
    expect(await handle.result({ timeout: '10s' })).toBe('OrchestrationCancelledError');
    expect((await handle.status()).cancelRequested).toBe(true);
  });

  it('aborts the signal of a running activity and tells children', async () => {
    let aborted = false;
    const { client } = await boot(
      {
        Parent: async (ctx: Ctx) => {
          await ctx.join([
            ctx.scheduleActivity('long'),
            ctx.scheduleSubOrchestration('Child', undefined, { instanceId: 'child' }),
          ]);
        },
        Child: async (ctx: Ctx) => ctx.scheduleWait('never'),
      },
      {
        long: ((activity: ActivityContext) =>
          new Promise((resolve) => {
            activity.signal.addEventListener('abort', () => {
              aborted = true;
              resolve(undefined);
            });
          })) as never,
      },
    );
    const handle = await client.startOrchestration('Parent', undefined, { instanceId: 'p' });
    await eventually(() => client.getOrchestrationStatus('child'));
    await handle.cancel('stop');
    expect((await handle.wait('10s')).status).toBe('Cancelled');
    await eventually(() => aborted);
    expect((await client.waitForOrchestration('child', '10s')).status).toBe('Cancelled');
  });
});

describe('terminating', () => {
  it('stops without running code and tells the parent', async () => {
    let cleaned = false;
    const { client } = await boot({
      Parent: async (ctx: Ctx) =>
        ctx
          .scheduleSubOrchestration('Child', undefined, { instanceId: 'child' })
          .catch((error: { outcome: string }) => error.outcome),
      Child: async (ctx: Ctx) => {
        try {
          await ctx.scheduleWait('never');
        } finally {
          cleaned = true;
        }
      },
    });
    const handle = await client.startOrchestration('Parent', undefined, { instanceId: 'p' });
    await eventually(async () => (await client.getOrchestrationStatus('child')).status === 'Running');
    await client.terminateInstance('child', 'enough');
    expect(await handle.result({ timeout: '10s' })).toBe('terminated');
    expect((await client.getOrchestrationStatus('child')).status).toBe('Terminated');
    expect(cleaned).toBe(false);
  });

  it('ends a suspended instance, too', async () => {
    const { client } = await boot({ Wait: async (ctx: Ctx) => ctx.scheduleWait('never') });
    const handle = await client.startOrchestration('Wait', undefined, { instanceId: 'w' });
    await handle.suspend('hold');
    expect((await handle.status()).status).toBe('Suspended');
    await handle.terminate('gone');
    expect((await handle.wait('10s')).status).toBe('Terminated');
  });
});

describe('suspending', () => {
  it('holds an instance until it is resumed, and loses nothing that arrives meanwhile', async () => {
    const { client } = await boot({
      Wait: async (ctx: Ctx) => [await ctx.scheduleWait('a'), await ctx.scheduleWait('a')],
    });
    const handle = await client.startOrchestration('Wait', undefined, { instanceId: 'w' });
    await handle.suspend('hold');
    await handle.raiseEvent('a', 1);
    await handle.raiseEvent('a', 2);
    expect(await handle.status()).toMatchObject({
      status: 'Suspended',
      suspension: { by: 'operator', reason: 'hold' },
    });
    await handle.resume();
    expect(await handle.result({ timeout: '10s' })).toEqual([1, 2]);
  });

  it('suspends an instance whose code no longer fits its history, and goes on once it does', async () => {
    const wait = { Job: async (ctx: Ctx) => [await ctx.scheduleActivity('one'), await ctx.scheduleWait('go')] };
    const changed = { Job: async (ctx: Ctx) => [await ctx.scheduleActivity('two'), await ctx.scheduleWait('go')] };
    const activities = { one: () => 1, two: () => 2 };
    await boot(wait, activities);
    await engine.client.startOrchestration('Job', undefined, { instanceId: 'j' });
    await eventually(async () => (await engine.client.management.readExecutionHistory('j')).items.length === 4);
    await engine.stop();
    await boot(changed, activities, { buildId: 'broken' });
    await engine.client.raiseEvent('j', 'go', 'now');
    const status = await eventually(
      () => engine.client.getOrchestrationStatus('j'),
      ({ status }) => status === 'Suspended',
    );
    expect(status).toMatchObject({
      suspension: {
        by: 'engine',
        code: 'ERR_DURABLE_NONDETERMINISM',
        reason: expect.stringContaining(
          'event 2: history holds ActivityScheduled "one", the code asked for ActivityScheduled "two"',
        ),
      },
    });
    await engine.stop();
    await boot(wait, activities, { buildId: 'mended' });
    expect(await engine.client.getResult('j', '10s')).toEqual([1, 'now']);
  });

  it('suspends on a foreign await instead of hanging', async () => {
    const { client } = await boot({ Bad: async () => new Promise((resolve) => setTimeout(resolve, 60_000).unref()) });
    await client.startOrchestration('Bad', undefined, { instanceId: 'b' });
    const status = await eventually(
      () => client.getOrchestrationStatus('b'),
      ({ status }) => status === 'Suspended',
    );
    expect(status).toMatchObject({ suspension: { code: 'ERR_DURABLE_FOREIGN_AWAIT' } });
  });

  it('suspends when a configured limit is passed, without throwing into the code', async () => {
    let caught = false;
    const body = async (ctx: Ctx): Promise<string> => {
      try {
        ctx.kv.set('big', 'x'.repeat(200));
        await ctx.scheduleTimer(1);
      } catch {
        caught = true;
      }
      return 'done';
    };
    await boot({ Big: body }, {}, { limits: { maxKvValueBytes: 100 } });
    await engine.client.startOrchestration('Big', undefined, { instanceId: 'b' });
    await eventually(async () => (await engine.client.getOrchestrationStatus('b')).status === 'Suspended');
    expect(caught).toBe(false);
    await engine.stop();
    await boot({ Big: body }, {}, { limits: { maxKvValueBytes: 1_000 } });
    await engine.client.resumeInstance('b');
    expect(await engine.client.getResult('b', '10s')).toBe('done');
  });

  it('suspends an instance that needs an activity nobody here knows', async () => {
    const { client } = await boot({ Ask: async (ctx: Ctx) => ctx.scheduleActivity('nobody') });
    await client.startOrchestration('Ask', undefined, { instanceId: 'a' });
    const status = await eventually(
      () => client.getOrchestrationStatus('a'),
      ({ status }) => status === 'Suspended',
    );
    expect(status).toMatchObject({
      suspension: { code: 'ERR_DURABLE_HANDLER_MISSING', reason: expect.stringContaining('"nobody"') },
    });
  });
});

describe('activities', () => {
  it('are retried by the engine without growing the history', async () => {
    let attempts = 0;
    const { client } = await boot(
      {
        Flaky: async (ctx: Ctx) => ctx.scheduleActivity('flaky', [], { retry: { maxAttempts: 5, initialInterval: 1 } }),
      },
      {
        flaky: () => {
          attempts++;
          if (attempts < 4) throw new Error('not yet');
          return attempts;
        },
      },
    );
    const handle = await client.startOrchestration('Flaky', undefined, { instanceId: 'f' });
    expect(await handle.result({ timeout: '10s' })).toBe(4);
    const { items } = await client.management.readExecutionHistory('f');
    expect(items.map(({ kind }) => kind)).toEqual([
      'OrchestrationStarted',
      'ActivityScheduled',
      'ActivityCompleted',
      'OrchestrationCompleted',
    ]);
  });

  it('stop at NonRetryableError, wait as RetryAfterError says, and time out', async () => {
    const seen: string[] = [];
    const { client } = await boot(
      {
        Try: async (ctx: Ctx, name: string) =>
          ctx
            .scheduleActivity(name, [], { retry: { maxAttempts: 3, initialInterval: '1h' }, startToCloseTimeout: 30 })
            .catch((error: { failure: { name: string }; attempts: number }) => [error.failure.name, error.attempts]),
      },
      {
        final: () => {
          throw new NonRetryableError('no use');
        },
        later: () => {
          seen.push('later');
          if (seen.length < 2) throw new RetryAfterError('soon', 5);
          return 'ok';
        },
        slow: async () => new Promise(() => undefined),
      },
    );
    const result = async (name: string): Promise<unknown> =>
      (await client.startOrchestration('Try', name, { instanceId: name })).result({ timeout: '10s' });
    expect(await result('final')).toEqual(['NonRetryableError', 1]);
    expect(await result('later')).toBe('ok');
    const handle = await client.startOrchestration('Try', 'slow', { instanceId: 'slow' });
    await expect(handle.result({ timeout: 300 })).rejects.toMatchObject({ code: 'ERR_DURABLE_WAIT_TIMEOUT' });
  });

  it.each([
    ['a string', 'just text'],
    ['undefined', undefined],
    ['a frozen object', Object.freeze({ code: 7 })],
    ['an error with a cyclic cause', cyclic()],
  ])('record faithfully that they threw %s', async (_, thrown) => {
    const { client } = await boot(
      {
        Catch: async (ctx: Ctx) =>
          ctx.scheduleActivity('throws').catch((error: { name: string; data: unknown }) => [error.name, error.data]),
      },
      {
        throws: () => {
          throw thrown;
        },
      },
    );
    const handle = await client.startOrchestration('Catch', undefined, { instanceId: 'c' });
    const [name, data] = (await handle.result({ timeout: '10s' })) as [string, unknown];
    expect(name).toBe('ActivityError');
    if (typeof thrown !== 'object' || !(thrown instanceof Error)) expect(data).toEqual(thrown);
  });

  it('fail, and are not repeated, when their result cannot be carried', async () => {
    let runs = 0;
    const { client } = await boot(
      {
        Ask: async (ctx: Ctx) =>
          ctx
            .scheduleActivity('bad', [], { retry: { maxAttempts: 5 } })
            .catch((error: { failure: { name: string; message: string } }) => error.failure.message),
      },
      { bad: () => ({ rows: [{ id: ++runs, close: () => undefined }] }) },
    );
    const handle = await client.startOrchestration('Ask', undefined, { instanceId: 'a' });
    expect(await handle.result({ timeout: '10s' })).toContain('rows[0].close of the result of bad is a function');
    expect(runs).toBe(1);
  });

  it('have one idempotency key for all attempts and another for every activity', async () => {
    const keys: string[] = [];
    const { client } = await boot(
      {
        Keys: async (ctx: Ctx) => {
          await ctx.scheduleActivity('key', [2], { retry: { maxAttempts: 2, initialInterval: 1 } });
          await ctx.scheduleActivity('key', [1]);
        },
      },
      {
        key: ((attempts: number, activity: ActivityContext) => {
          keys.push(activity.idempotencyKey);
          if (activity.attempt < attempts) throw new Error('again');
        }) as never,
      },
    );
    const handle = await client.startOrchestration('Keys', undefined, { instanceId: 'k' });
    await handle.result({ timeout: '10s' });
    expect(keys[0]).toBe(keys[1]);
    expect(keys[2]).not.toBe(keys[0]);
  });
});

describe('messages', () => {
  it('drain a queue of 10,000 in order without starving another instance', async () => {
    const { client } = await boot({
      Drain: async (ctx: Ctx, count: number) => {
        await ctx.scheduleWait('go');
        let inOrder = true;
        for (let index = 0; index < count; index++)
          inOrder = (await ctx.dequeueEvent<number>('q')) === index && inOrder;
        return inOrder;
      },
      Hello: async () => 'hello',
    });
    const handle = await client.startOrchestration('Drain', 10_000, { instanceId: 'd' });
    await Promise.all(Array.from({ length: 10_000 }, (_, index) => handle.enqueueEvent('q', index)));
    await handle.raiseEvent('go');
    const hello = await client.startOrchestration('Hello', undefined, { instanceId: 'h' });
    expect(await hello.result({ timeout: '10s' })).toBe('hello');
    expect(await handle.result({ timeout: '60s' })).toBe(true);
  }, 60_000);

  it('that nobody waits for survive eviction and a restart', async () => {
    const orchestrations = {
      Late: async (ctx: Ctx) => {
        await ctx.scheduleWait('first');
        const taken: unknown[] = [];
        for (let index = 0; index < 1_500; index++) taken.push(await ctx.scheduleWait('many'));
        return taken.length;
      },
    };
    await boot(orchestrations, {}, { cacheSize: 1, cacheIdle: 0 });
    const handle = await engine.client.startOrchestration('Late', undefined, { instanceId: 'l' });
    await Promise.all(Array.from({ length: 1_500 }, (_, index) => handle.raiseEvent('many', index)));
    await engine.stop();
    await boot(orchestrations);
    await engine.client.raiseEvent('l', 'first');
    expect(await engine.client.getResult('l', '30s')).toBe(1_500);
    expect(await engine.client.management.findStuck()).toEqual([]);
  }, 60_000);
});

describe('ending', () => {
  it('keeps the process alive when a helper rejects before it is awaited', async () => {
    const { client } = await boot(
      {
        Helpers: async (ctx: Ctx) => {
          const failing = (async () => {
            await ctx.scheduleActivity('fail');
          })();
          await ctx.scheduleTimer(20);
          return failing.catch((error: Error) => error.name);
        },
      },
      {
        fail: () => {
          throw new Error('early');
        },
      },
    );
    const handle = await client.startOrchestration('Helpers', undefined, { instanceId: 'h' });
    expect(await handle.result({ timeout: '10s' })).toBe('ActivityError');
  });

  it('writes each line of the log once, over a restart in between', async () => {
    const orchestrations = {
      Logs: async (ctx: Ctx) => {
        ctx.log.log('before');
        await ctx.scheduleWait('go');
        ctx.log.log('after');
        return 'ok';
      },
    };
    await boot(orchestrations);
    const handle = await engine.client.startOrchestration('Logs', undefined, { instanceId: 'l' });
    await eventually(() => engine.log.matching(/^before$/).length === 1);
    await engine.stop();
    await boot(orchestrations);
    await engine.client.raiseEvent(handle.instanceId, 'go');
    await engine.client.getResult('l', '10s');
    expect(engine.log.matching(/^(before|after)$/)).toEqual(['after']);
  });

  it('gives child ids, GUIDs and random numbers that a replay repeats', async () => {
    const orchestrations = {
      Chance: async (ctx: Ctx) => {
        const before = [ctx.newGuid(), ctx.newGuid(), ctx.random(), ctx.sideEffect(() => Math.random())];
        await ctx.scheduleWait('go');
        return [before, ctx.newGuid()];
      },
    };
    await boot(orchestrations);
    await engine.client.startOrchestration('Chance', undefined, { instanceId: 'c' });
    await eventually(async () => (await engine.client.management.readExecutionHistory('c')).items.length >= 3);
    const recorded = (await engine.client.management.readExecutionHistory('c')).items;
    await engine.stop();
    await boot(orchestrations);
    await engine.client.raiseEvent('c', 'go');
    const [[first, second, random, effect], third] = (await engine.client.getResult('c', '10s')) as [
      [string, string, number, number],
      string,
    ];
    expect(new Set([first, second, third]).size).toBe(3);
    expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(random).toBeLessThan(1);
    expect(recorded.find(({ kind }) => kind === 'SideEffectRecorded')).toMatchObject({ value: String(effect) });
  });
});

function cyclic(): Error {
  const error = new Error('around') as Error & { cause: unknown };
  error.cause = new Error('inner', { cause: error });
  return error;
}
