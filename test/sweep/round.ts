import type { DurableClient } from '../../lib/client/index.js';
import { isDurableError } from '../../lib/core/errors.js';
import type { OrchestrationContext as Ctx } from '../../lib/replay/index.js';
import type { Registry } from '../../lib/runtime/index.js';
import { registryOf } from '../support/engine.js';

/** Programs that between them use every statement an engine runs while it works. */
export function roundRegistry(): Registry {
  const failed = new Set<string>();
  return registryOf(
    {
      Chain: async (ctx: Ctx, value: number) => {
        ctx.kv.set('value', value);
        ctx.setCustomStatus('begun');
        for (let step = 0; step < 2; step++) value = await ctx.scheduleActivity<number>('increase', [value]);
        value = await ctx.scheduleActivity<number>('unsteady', [ctx.instanceId, value], RETRY);
        ctx.kv.set('value', value);
        return value;
      },
      Family: async (ctx: Ctx, value: number) => {
        const free = await ctx.scheduleOrchestration('Chain', 1, { instanceId: `${ctx.instanceId}-free` });
        const children = [value, value + 1].map((one) => ctx.scheduleSubOrchestration<number>('Chain', one));
        const sum = (await ctx.join(children)).reduce((a, b) => a + b, 0);
        return [sum, free === `${ctx.instanceId}-free`];
      },
      Loop: async (ctx: Ctx, taken: number[]): Promise<unknown> => {
        taken.push(await ctx.dequeueEvent<number>('work'));
        await ctx.scheduleTimer(1);
        return taken.length === 3 ? taken : ctx.continueAsNew(taken);
      },
      Race: async (ctx: Ctx) => {
        const won = await ctx.select({ event: ctx.scheduleWait<string>('go'), timer: ctx.scheduleTimer('1h') });
        await ctx.join([1, 2, 3].map((value) => ctx.scheduleActivity('increase', [value])));
        return won.winner;
      },
      Sleeper: async (ctx: Ctx) => ctx.scheduleWait('never'),
    },
    {
      increase: (value: number) => value + 1,
      unsteady: (id: string, value: number) => {
        if (failed.has(id)) return value + 1;
        failed.add(id);
        throw new Error('once');
      },
    },
  );
}

const RETRY = { retry: { maxAttempts: 3, backoff: 'fixed', initialInterval: 1, jitter: 0 } } as const;

/** A client that asks again when the store was in trouble: for reads, which are answered at once or not at all. */
export async function again<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isDurableError(error) || !error.retryable || !error.code.startsWith('ERR_DURABLE')) throw error;
      await new Promise((done) => setTimeout(done, 2));
    }
  }
}

/** Starts one of each, sends what they wait for, and gives what became of them. */
export async function round(client: DurableClient, name: string): Promise<unknown> {
  await begin(client, name);
  return outcome(client, name);
}

export async function begin(client: DurableClient, name: string): Promise<void> {
  const id = (what: string): string => `${name}-${what}`;
  const start = (orchestration: string, input?: unknown): Promise<unknown> =>
    client.startOrchestration(orchestration, input, { instanceId: id(orchestration) });
  await Promise.all([start('Chain', 1), start('Family', 1), start('Loop', []), start('Race'), start('Sleeper')]);
  await again(() => client.getOrchestrationStatus(id('Race')));
  for (const number of [1, 2, 3]) await client.enqueueEvent(id('Loop'), 'work', number);
  await client.raiseEvent(id('Race'), 'go', 'now');
  await client.suspendInstance(id('Sleeper'));
  await client.resumeInstance(id('Sleeper'));
  await client.cancelInstance(id('Sleeper'));
}

/** What a round comes to, also one that another process began. */
export async function outcome(client: DurableClient, name: string): Promise<unknown> {
  const ids = ['Chain', 'Family', 'Family-free', 'Loop', 'Race', 'Sleeper'].map((what) => `${name}-${what}`);
  const ends: unknown[] = [];
  for (const id of ids) {
    const end = await again(() => client.waitForOrchestration(id, '15s'));
    ends.push(end.status === 'Completed' ? end.output : end.status);
  }
  const kv = await again(() => client.getKvAllValues(ids[0]!));
  return [...ends, kv];
}

export const EXPECTED: unknown = [4, [9, true], 4, [1, 2, 3], 'event', 'Cancelled', { value: 4 }];
