import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, registryOf, startEngine, type TestEngine } from '../support/engine.js';
import { openStore, type TestStore } from '../support/store.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';

type Ctx = OrchestrationContext;
let store: TestStore;
let engine: TestEngine | undefined;

beforeEach(() => {
  store = openStore();
});
afterEach(async () => {
  await engine?.stop();
  engine = undefined;
  await store.remove();
});

async function run(
  body: (ctx: Ctx, input: never) => Promise<unknown>,
  activities: Record<string, (...args: never[]) => unknown> = {},
  input?: unknown,
): Promise<unknown> {
  engine = await startEngine(store, registryOf({ Test: body as never }, activities));
  const handle = await engine.client.startOrchestration('Test', input, { instanceId: 'i1' });
  return handle.result({ timeout: '10s' });
}

describe('an orchestration', () => {
  it('returns what an activity returned', async () => {
    const output = await run(
      (ctx, name: string) => ctx.scheduleActivity('greet', [name]),
      { greet: (name: string) => `Hello, ${name}!` },
      'Ada',
    );
    expect(output).toBe('Hello, Ada!');
  });

  it('joins a fan-out in argument order', async () => {
    const output = await run((ctx) => ctx.join([1, 2, 3].map((n) => ctx.scheduleActivity<number>('double', [n]))), {
      double: async (n: number) => 2 * n,
    });
    expect(output).toEqual([2, 4, 6]);
  });

  it('sleeps on a durable timer', async () => {
    const output = await run(async (ctx) => {
      const before = ctx.utcNow().getTime();
      await ctx.scheduleTimer(30);
      return ctx.utcNow().getTime() - before;
    });
    expect(output).toBeGreaterThanOrEqual(30);
  });

  it('catches the failure of an activity', async () => {
    const output = await run(
      async (ctx) => {
        try {
          return await ctx.scheduleActivity('fail');
        } catch (error) {
          return `${(error as Error).name}: ${(error as Error).message}`;
        }
      },
      {
        fail: () => {
          throw new TypeError('no');
        },
      },
    );
    expect(output).toBe('ActivityError: The activity fail failed with TypeError: no');
  });

  it('waits for an event raised later and one raised before the wait', async () => {
    engine = await startEngine(
      store,
      registryOf({ Test: async (ctx: Ctx) => [await ctx.scheduleWait('a'), await ctx.scheduleWait('b')] }),
    );
    const handle = await engine.client.startOrchestration('Test', undefined, { instanceId: 'i1' });
    await handle.raiseEvent('b', 2);
    await handle.raiseEvent('a', 1);
    expect(await handle.result({ timeout: '10s' })).toEqual([1, 2]);
  });

  it('continues as new and keeps its queue and KV', async () => {
    engine = await startEngine(
      store,
      registryOf({
        Sum: async (ctx: Ctx, total: number) => {
          const n = await ctx.dequeueEvent<number>('numbers');
          ctx.kv.set('seen', (ctx.kv.get<number>('seen') ?? 0) + 1);
          if (n === 0) return { total, seen: ctx.kv.get('seen'), execution: ctx.executionId };
          return ctx.continueAsNew(total + n);
        },
      }),
    );
    const handle = await engine.client.startOrchestration('Sum', 0, { instanceId: 'sum' });
    await Promise.all([1, 2, 3, 0].map((n) => handle.enqueueEvent('numbers', n)));
    expect(await handle.result({ timeout: '10s' })).toEqual({ total: 6, seen: 4, execution: 4 });
    expect(await handle.getKvValue('seen')).toBe(4);
  });

  it('awaits children and learns how they fail', async () => {
    engine = await startEngine(
      store,
      registryOf({
        Parent: async (ctx: Ctx) => {
          const good = await ctx.scheduleSubOrchestration('Child', 1);
          const bad = await ctx.scheduleSubOrchestration('Child', -1).catch((error: Error) => error.message);
          const detached = await ctx.scheduleOrchestration('Child', 5, { instanceId: 'free' });
          return [good, bad, detached];
        },
        Child: async (_: Ctx, n: number) => {
          if (n < 0) throw new Error('negative');
          return n * 10;
        },
      }),
    );
    const handle = await engine.client.startOrchestration('Parent', undefined, { instanceId: 'p' });
    expect(await handle.result({ timeout: '10s' })).toEqual([10, expect.stringContaining('negative'), 'free']);
    expect(await engine.client.getResult('free', '10s')).toBe(50);
  });

  it('goes on after a restart where it stood', async () => {
    const calls: string[] = [];
    const registry = () =>
      registryOf(
        {
          Test: async (ctx: Ctx) => {
            const first = await ctx.scheduleActivity('step', ['first']);
            await ctx.scheduleWait('go');
            return [first, await ctx.scheduleActivity('step', ['second'])];
          },
        },
        {
          step: (name: string) => {
            calls.push(name);
            return name;
          },
        },
      );
    engine = await startEngine(store, registry());
    const handle = await engine.client.startOrchestration('Test', undefined, { instanceId: 'i1' });
    await eventually(() => calls.length === 1);
    await engine.stop();
    engine = await startEngine(store, registry());
    await engine.client.raiseEvent('i1', 'go');
    expect(await engine.client.getResult('i1', '10s')).toEqual(['first', 'second']);
    expect(calls).toEqual(['first', 'second']);
    expect(handle.instanceId).toBe('i1');
  });
});
