import type { OrchestrationContext } from '../../lib/replay/index.js';
import type { GoldenProgram } from './golden-program.js';

type Ctx = OrchestrationContext;

const after = (ms: number, value: unknown): Promise<unknown> =>
  new Promise((resolve) => setTimeout(resolve, ms, value));

const activities = {
  /** Answers after so many milliseconds. */
  slow: (ms: number, value: unknown) => after(ms, value),
  late: async (ms: number, message: string) => {
    await after(ms, undefined);
    throw new Error(message);
  },
};

/** `await` so many times, so that what follows comes as many microtasks later. */
async function ticks(count: number): Promise<void> {
  for (let tick = 0; tick < count; tick++) await Promise.resolve();
}

/** Microtasks until a promise has settled. */
async function distance(promise: Promise<unknown>): Promise<number> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  for (let tick = 0; tick < 50; tick++) {
    if (settled) return tick;
    await Promise.resolve();
  }
  return NaN;
}

/** How actions are combined: who wins, in which order code goes on, what is cancelled. */
export const PROGRAMS_OF_CONTROL: readonly GoldenProgram[] = [
  {
    name: 'all',
    orchestrations: {
      All: async (ctx: Ctx) => {
        const order: number[] = [];
        const see = (n: number): void => void order.push(n);
        const slow = [20, 5, 10].map((ms) => ctx.scheduleActivity<number>('slow', [ms, ms]));
        for (const future of slow) void future.then(see);
        const all = await Promise.all(slow);
        const joined = await ctx.join([ctx.scheduleActivity('slow', [1, 'a']), ctx.scheduleTimer(1)]);
        return [all, order, joined];
      },
    },
    activities,
  },
  {
    name: 'all-fails-first',
    orchestrations: {
      AllFails: async (ctx: Ctx) => {
        try {
          await Promise.all([
            ctx.scheduleActivity('slow', [30, 'late']),
            ctx.scheduleActivity('late', [1, 'first']),
            ctx.scheduleActivity('late', [10, 'second']),
          ]);
        } catch (error) {
          return [(error as Error).message, await ctx.scheduleActivity('slow', [40, 'after'])];
        }
      },
    },
    activities,
  },
  {
    name: 'race',
    orchestrations: {
      Race: async (ctx: Ctx) => {
        const winner = await Promise.race([ctx.scheduleActivity('slow', [15, 'slow']), ctx.scheduleTimer(1)]);
        const event = await Promise.race([ctx.scheduleWait('go'), ctx.scheduleTimer('1h').then(() => 'too late')]);
        return [winner, event, await ctx.scheduleActivity('slow', [20, 'the loser has answered'])];
      },
    },
    activities,
    early: (client, id) => client.raiseEvent(id, 'go', 'went'),
  },
  {
    name: 'race-of-helpers',
    orchestrations: {
      // Everything is rejected in one drain; what each helper does next is decided by its distance in microtasks.
      RaceOfHelpers: async (ctx: Ctx) => {
        const order: string[] = [];
        const helper = async (name: string, distance: number, future: Promise<unknown>): Promise<void> => {
          try {
            await future;
          } catch {
            await ticks(distance);
            order.push(name);
            await ctx.shield(() => ctx.scheduleActivity('slow', [1, name]));
          }
        };
        await Promise.all([
          helper('wait', 3, ctx.scheduleWait('never')),
          helper('timer', 1, ctx.scheduleTimer('1h')),
          helper('dequeue', 0, ctx.dequeueEvent('never')),
          helper('race', 0, Promise.race([ctx.scheduleTimer('2h'), ctx.scheduleWait('never')])),
          helper('all', 0, Promise.all([ctx.scheduleTimer('2h'), ctx.scheduleWait('never')])),
          helper('any', 0, Promise.any([ctx.scheduleTimer('2h'), ctx.scheduleWait('never')])),
          helper('select', 0, ctx.select({ timer: ctx.scheduleTimer('2h'), wait: ctx.scheduleWait('never') })),
          helper(
            'until',
            0,
            ctx.waitUntil(() => false, { timeout: '3h' }),
          ),
          helper(
            'then',
            0,
            ctx.scheduleTimer('4h').then(() => undefined),
          ),
          helper('nested', 0, (async () => ctx.scheduleTimer('5h'))()),
        ]);
        return order;
      },
    },
    activities,
    during: (client, id) => client.cancelInstance(id, 'all at once'),
  },
  {
    name: 'distances',
    orchestrations: {
      // How far in microtasks a result is from its cause: what decides which of two helpers acts first.
      Distances: async (ctx: Ctx) => {
        const measured: Record<string, number> = {};
        const cancelled = async (name: string, of: (timer: Promise<unknown>) => Promise<unknown>): Promise<void> => {
          const timer = ctx.scheduleTimer('1h');
          const measuring = distance(of(timer));
          timer.cancel();
          measured[name] = await measuring;
        };
        const awaited = async (future: Promise<unknown>): Promise<unknown> => await future;
        const returned = async (future: Promise<unknown>): Promise<unknown> => future;
        await cancelled('cancelled', (timer) => timer);
        await cancelled('cancelled and awaited', awaited);
        await cancelled('cancelled and returned', returned);
        await cancelled('cancelled in a race', (timer) => Promise.race([timer, ctx.scheduleWait('never')]));
        await cancelled('cancelled in a select', (timer) => ctx.select([timer, ctx.keep(ctx.scheduleWait('never'))]));
        const settled = ctx.scheduleActivity('slow', [1, 'settled']);
        await settled;
        measured.settled = await distance(settled);
        measured['settled and awaited'] = await distance(awaited(settled));
        measured['settled and returned'] = await distance(returned(settled));
        measured['select of settled'] = await distance(ctx.select({ settled, timer: ctx.scheduleTimer('1h') }));
        measured['join of settled'] = await distance(ctx.join([settled, settled]));
        measured['all of settled'] = await distance(Promise.all([settled, settled]));
        measured['any of settled'] = await distance(Promise.any([settled, settled]));
        measured['allSettled of settled'] = await distance(Promise.allSettled([settled]));
        measured.shield = await distance(ctx.shield(async () => settled));
        ctx.setCustomStatus('waits');
        await ctx.scheduleWait('never').catch(() => undefined);
        measured['refused timer'] = await distance(ctx.scheduleTimer(1));
        measured['refused activity'] = await distance(awaited(ctx.scheduleActivity('slow', [1, 1])));
        measured['refused condition'] = await distance(ctx.waitUntil(() => true));
        measured['refused continuation'] = await distance(ctx.continueAsNew());
        measured['select of refused'] = await distance(ctx.select([ctx.scheduleWait('never')]));
        return measured;
      },
    },
    activities,
    during: async (client, id) => {
      const told = async (): Promise<unknown> => (await client.getOrchestrationStatus(id)).customStatus;
      while ((await told()) !== 'waits') await new Promise((resolve) => setImmediate(resolve));
      await client.cancelInstance(id, 'measure on');
    },
  },
  {
    name: 'any',
    orchestrations: {
      Any: async (ctx: Ctx) => {
        const some = await Promise.any([
          ctx.scheduleActivity('late', [1, 'no']),
          ctx.scheduleActivity('slow', [5, 'yes']),
        ]);
        try {
          await Promise.any([ctx.scheduleActivity('late', [5, 'a']), ctx.scheduleActivity('late', [1, 'b'])]);
        } catch (error) {
          return [some, (error as AggregateError).errors.map(String)];
        }
      },
    },
    activities,
  },
  {
    name: 'all-settled',
    orchestrations: {
      AllSettled: async (ctx: Ctx) => {
        const settled = await Promise.allSettled([
          ctx.scheduleActivity('late', [5, 'no']),
          ctx.scheduleTimer(1),
          (async () => [await ctx.scheduleActivity('slow', [1, 1]), await ctx.scheduleActivity('slow', [1, 2])])(),
        ]);
        return settled.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)));
      },
    },
    activities,
  },
  {
    name: 'select',
    orchestrations: {
      Select: async (ctx: Ctx) => {
        const named = await ctx.select({
          slow: ctx.scheduleActivity('slow', [60_000, 'cancelled']),
          timer: ctx.scheduleTimer('1h'),
          wait: ctx.scheduleWait('never'),
          child: ctx.scheduleSubOrchestration('Child'),
          quick: ctx.scheduleActivity('slow', [1, 'quick']),
        });
        const stop = ctx.scheduleWait<string>('stop');
        const rounds: unknown[] = [];
        for (let round = 0; round < 3; round++)
          rounds.push((await ctx.select([ctx.scheduleTimer(1), ctx.keep(stop)])).index);
        return [named, rounds];
      },
      Child: async (ctx: Ctx) => ctx.scheduleWait('never'),
    },
    activities,
  },
  {
    name: 'select-of-settled',
    orchestrations: {
      SelectOfSettled: async (ctx: Ctx) => {
        const late = ctx.scheduleActivity('slow', [10, 'late']);
        const failed = ctx.scheduleActivity('late', [1, 'early']);
        await ctx.scheduleTimer(30);
        const won = await ctx.select({ late, failed }).catch((error: Error) => error.message);
        return [won, await ctx.select([ctx.scheduleTimer(1), late, Promise.resolve('plain')])];
      },
    },
    activities,
  },
  {
    name: 'cancel-by-hand',
    orchestrations: {
      CancelByHand: async (ctx: Ctx) => {
        const futures = [ctx.scheduleTimer('1h'), ctx.scheduleActivity('slow', [60_000, 0]), ctx.scheduleWait('never')];
        const unseen = ctx.scheduleTimer('2h');
        unseen.cancel();
        await ctx.scheduleTimer(1);
        for (const future of futures) future.cancel('by hand');
        return (await Promise.allSettled(futures)).map((one) => String((one as PromiseRejectedResult).reason));
      },
    },
    activities,
  },
  {
    name: 'conditions',
    orchestrations: {
      Conditions: async (ctx: Ctx) => {
        let answered = 0;
        const count = async (): Promise<void> => {
          await ctx.scheduleActivity('slow', [1, 1]);
          answered++;
        };
        void count();
        void count();
        const both = await ctx.waitUntil(() => answered === 2);
        const never = await ctx.waitUntil(() => answered === 3, { timeout: 5 });
        const soon = ctx.waitUntil(() => answered === 3, { timeout: '1h' });
        void count();
        return [both, never, await soon];
      },
    },
    activities,
  },
  {
    name: 'iterators',
    orchestrations: {
      Iterators: async (ctx: Ctx) => {
        const rest = [12, 1, 5, 1, 8, 1].entries();
        const done: string[] = [];
        const worker = async (name: string): Promise<void> => {
          for (const [index, ms] of rest) {
            await ctx.scheduleActivity('slow', [ms, index]);
            done.push(`${name}${index}`);
          }
        };
        await Promise.all([worker('a'), worker('b')]);
        async function* pages(): AsyncGenerator<unknown> {
          try {
            for (let page = 0; ; page++) yield await ctx.scheduleActivity('slow', [1, page]);
          } finally {
            await ctx.scheduleActivity('slow', [1, 'closed']);
          }
        }
        for await (const page of pages()) if (page === 2) break;
        return done;
      },
    },
    activities,
  },
  {
    name: 'many-turns',
    orchestrations: {
      ManyTurns: async (ctx: Ctx) => {
        let sum = 0;
        for (let n = 0; n < 60; n++) sum += await ctx.scheduleActivity<number>('slow', [0, n]);
        return sum;
      },
    },
    activities,
  },
];
