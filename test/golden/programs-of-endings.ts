import type { OrchestrationContext } from '../../lib/replay/index.js';
import type { GoldenProgram } from './golden-program.js';

type Ctx = OrchestrationContext;

const activities = {
  book: (what: string) => `${what} booked`,
  cancel: (what: string) => `${what} cancelled`,
  fail: (what: string) => {
    const inner = Object.assign(new Error('connection reset'), { code: 'ECONNRESET', errno: -104 });
    const middle = new RangeError(`${what} is not free`, { cause: inner });
    throw Object.assign(new AggregateError([new Error('one'), 'two'], 'both failed', { cause: middle }), { tries: 2n });
  },
  throwText: () => {
    // oxlint-disable-next-line no-throw-literal
    throw 'only a text';
  },
};

/** How executions end and go on: failures, cancellation, termination, continue-as-new. */
export const PROGRAMS_OF_ENDINGS: readonly GoldenProgram[] = [
  {
    name: 'failure-with-causes',
    orchestrations: {
      Fails: async (ctx: Ctx) => {
        const text = await ctx.scheduleActivity('throwText').catch((error: Error) => String(error.cause));
        ctx.setCustomStatus(text);
        try {
          await ctx.scheduleActivity('fail', ['the room']);
        } catch (error) {
          throw new Error('the journey is off', { cause: error });
        }
      },
    },
    activities,
  },
  {
    name: 'failure-of-a-child',
    orchestrations: {
      Parent: async (ctx: Ctx) => ctx.scheduleSubOrchestration('Middle'),
      Middle: async (ctx: Ctx) => ctx.scheduleSubOrchestration('Innermost'),
      Innermost: async (ctx: Ctx) => ctx.scheduleActivity('fail', ['the bed']),
    },
    activities,
  },
  {
    name: 'saga',
    orchestrations: {
      Saga: async (ctx: Ctx) => {
        const undo: (() => Promise<unknown>)[] = [];
        try {
          for (const what of ['flight', 'hotel']) {
            await ctx.scheduleActivity('book', [what]);
            undo.push(() => ctx.scheduleActivity('cancel', [what]));
          }
          await ctx.scheduleActivity('fail', ['car']);
        } catch (error) {
          const undone: unknown[] = [];
          for (const compensate of undo.reverse()) undone.push(await compensate());
          return [String(error), undone];
        } finally {
          ctx.setCustomStatus('over');
        }
      },
    },
    activities,
  },
  {
    name: 'cancelled',
    orchestrations: {
      Cancelled: async (ctx: Ctx) => {
        try {
          await Promise.all([
            ctx.scheduleWait('never'),
            ctx.scheduleTimer('1h'),
            ctx.scheduleSubOrchestration('Child'),
          ]);
        } finally {
          await ctx.scheduleActivity('book', ['refused']).catch((error: Error) => ctx.setCustomStatus(error.message));
          await ctx.shield(async () => {
            await ctx.scheduleActivity('cancel', ['everything']);
            await ctx.scheduleTimer(1);
          });
        }
      },
      Child: async (ctx: Ctx) => ctx.scheduleWait('never'),
    },
    activities,
    during: (client, id) => client.cancelInstance(id, 'the customer left'),
  },
  {
    name: 'cancelled-and-completed',
    orchestrations: {
      Stubborn: async (ctx: Ctx) => {
        const never = ctx.scheduleWait('never');
        const shielded = ctx.shield(async () => ctx.scheduleWait('shielded'));
        const error = await never.catch((reason: Error) => reason);
        return [String(error), ctx.cancellation.requested, ctx.cancellation.reason, await shielded];
      },
    },
    during: async (client, id) => {
      await client.cancelInstance(id, 'please');
      await client.cancelInstance(id, 'again');
      await client.raiseEvent(id, 'shielded', 'still here');
    },
  },
  {
    name: 'cancelled-before-its-first-turn',
    orchestrations: { Never: async (ctx: Ctx) => ctx.scheduleActivity('book', ['nothing']) },
    activities,
    early: (client, id) => client.cancelInstance(id, 'never mind'),
  },
  {
    name: 'terminated',
    orchestrations: {
      Terminated: async (ctx: Ctx) => {
        await ctx.scheduleActivity('book', ['much']);
        ctx.setCustomStatus('waits');
        await Promise.all([ctx.scheduleTimer('1h'), ctx.scheduleWait('never')]);
      },
    },
    activities,
    during: async (client, id) => {
      const told = async (): Promise<unknown> => (await client.getOrchestrationStatus(id)).customStatus;
      while ((await told()) !== 'waits') await new Promise((resolve) => setImmediate(resolve));
      await client.terminateInstance(id, 'out');
    },
  },
  {
    name: 'continued-with-queue-and-kv',
    orchestrations: {
      Sum: async (ctx: Ctx, total: number) => {
        const n = await ctx.dequeueEvent<number>('numbers');
        ctx.kv.set('seen', (ctx.kv.get<number>('seen') ?? 0) + 1);
        if (n === 0) return { total, seen: ctx.kv.get('seen'), execution: ctx.executionId, guid: ctx.newGuid() };
        void ctx.scheduleTimer('1h');
        return ctx.continueAsNew(total + n);
      },
    },
    input: 0,
    early: async (client, id) => {
      for (const n of [1, 2, 3, 0]) await client.enqueueEvent(id, 'numbers', n);
    },
  },
  {
    name: 'continued-with-another-version',
    orchestrations: {
      'Migrating@1.0.0': async (ctx: Ctx, n: number) => {
        await ctx.scheduleTimer(1);
        void ctx.continueAsNew(n + 1, { version: '2.0.0' });
        return 'the first decision wins';
      },
      'Migrating@2.0.0': async (ctx: Ctx, n: number) => (n === 7 ? [n, ctx.executionId] : ctx.continueAsNew(7)),
      Starter: async () => undefined,
    },
    input: 1,
  },
  {
    name: 'ended-with-open-work',
    orchestrations: {
      Hasty: async (ctx: Ctx) => {
        void ctx.scheduleTimer('1h');
        void ctx.scheduleWait('never');
        void ctx.scheduleActivity('book', ['unseen']);
        const helper = async (): Promise<void> => {
          await ctx.scheduleTimer(1);
          await ctx.scheduleTimer('1h');
        };
        void helper();
        await ctx.scheduleTimer(5);
        return 'done';
      },
    },
    activities,
  },
];
