import type { OrchestrationContext } from '../../lib/replay/index.js';
import { cancelAt, enqueue, raise, type Program, type Script } from './support.js';

/** A program in its world, and the history it must leave. `records` is in the words of `brief`. */
export interface Example {
  readonly name: string;
  readonly run: Program;
  readonly script?: Script;
  /** Of the last execution. */
  readonly records: readonly string[];
}

const messageOf = (error: unknown): string => (error as Error).message;
const codeOf = (error: unknown): string => (error as { code: string }).code;

/** Answers after as many milliseconds as the first argument says. */
const slow = { delay: (_: string, args: readonly unknown[]) => Number(args[0]) };

const act = (ctx: OrchestrationContext, name: string, ...args: unknown[]) => ctx.scheduleActivity<string>(name, args);

const fails = {
  bad: () => {
    throw new Error('boom');
  },
  worse: () => {
    throw new Error('crash');
  },
};

export const EXAMPLES: readonly Example[] = [
  {
    name: 'an activity answers its caller',
    run: async (ctx, input: number) => (await ctx.scheduleActivity<number>('double', [input])) + 1,
    script: { input: 4, activities: { double: (n: number) => 2 * n } },
    records: ['start', 'activity double[4]', '#2 = 8', 'completed 9'],
  },
  {
    name: 'values come back as they went in',
    run: async (ctx, input: Date) => {
      const map = await ctx.scheduleActivity<Map<string, bigint>>('mapOf', [input]);
      return [map instanceof Map, map.get('a') === 3n, input instanceof Date];
    },
    script: { input: new Date(0), activities: { mapOf: () => new Map([['a', 3n]]) } },
    records: ['start', 'activity mapOf["1970-01-01T00:00:00.000Z"]', '#2 = {}', 'completed [true,true,true]'],
  },
  {
    name: 'a failed activity is an error to catch, with its name and cause',
    run: async (ctx) => {
      try {
        await act(ctx, 'bad');
      } catch (error) {
        return [
          codeOf(error),
          (error as Error & { activityName: string }).activityName,
          messageOf((error as Error).cause),
        ];
      }
    },
    script: { activities: fails },
    records: ['start', 'activity bad[]', '#2 failed: boom', 'completed ["ERR_DURABLE_ACTIVITY_FAILED","bad","boom"]'],
  },
  {
    name: 'a failed activity nobody catches fails the orchestration',
    run: async (ctx) => act(ctx, 'bad'),
    script: { activities: fails },
    records: [
      'start',
      'activity bad[]',
      '#2 failed: boom',
      'failed ActivityError: The activity bad failed with Error: boom',
    ],
  },
  {
    name: 'the tag of a call wins over the tag of the decorator',
    run: async (ctx) => {
      await ctx.scheduleActivity('tagged', []);
      await ctx.scheduleActivity('tagged', [], { tag: 'cpu' });
    },
    records: [
      'start',
      'activity tagged@gpu[]',
      '#2 = "tagged"',
      'activity tagged@cpu[]',
      '#4 = "tagged"',
      'completed undefined',
    ],
  },
  {
    name: 'timers fire in the order of their due times',
    run: async (ctx) => {
      const order: string[] = [];
      const late = ctx.scheduleTimer('2s').then(() => order.push('late'));
      const early = ctx.scheduleTimer(500).then(() => order.push('early'));
      const moment = ctx.scheduleTimer(new Date(ctx.utcNow().getTime() + 1000)).then(() => order.push('moment'));
      await Promise.all([late, early, moment]);
      return order;
    },
    records: [
      'start',
      'timer 2000',
      'timer 500',
      'timer 1000',
      '#3 fired',
      '#4 fired',
      '#2 fired',
      'completed ["early","moment","late"]',
    ],
  },
  {
    name: 'events raised before their wait are kept for it in order',
    run: async (ctx) => {
      await ctx.scheduleTimer(100);
      return [await ctx.scheduleWait('go'), await ctx.scheduleWait('go'), await ctx.scheduleWait('other')];
    },
    script: { messages: [raise(0, 'go', 1), raise(10, 'other', 2), raise(20, 'go', 3)] },
    records: [
      'start',
      'timer 100',
      '#2 fired',
      'wait go',
      '#4 = 1',
      'wait go',
      '#6 = 3',
      'wait other',
      '#8 = 2',
      'completed [1,3,2]',
    ],
  },
  {
    name: 'the oldest wait for a name gets the first event',
    run: async (ctx) => {
      const first = ctx.scheduleWait('go');
      const second = ctx.scheduleWait('go');
      return [await second, await first];
    },
    script: { messages: [raise(5, 'go', 'a'), raise(6, 'go', 'b')] },
    records: ['start', 'wait go', 'wait go', '#2 = "a"', '#3 = "b"', 'completed ["b","a"]'],
  },
  {
    name: 'a queue gives its messages first in first out, apart from events of the same name',
    run: async (ctx) => {
      const taken: unknown[] = [];
      for (let n = 0; n < 3; n++) taken.push(await ctx.dequeueEvent('jobs'));
      return taken;
    },
    script: { messages: [enqueue(0, 'jobs', 1), raise(0, 'jobs', 'no'), enqueue(0, 'jobs', 2), enqueue(9, 'jobs', 3)] },
    records: [
      'start',
      'dequeue jobs',
      '#2 = 1',
      'dequeue jobs',
      '#4 = 2',
      'dequeue jobs',
      '#6 = 3',
      'completed [1,2,3]',
    ],
  },
  {
    name: 'children answer their parent, with an id of their own or one made for them',
    run: async (ctx) => [
      await ctx.scheduleSubOrchestration('Child', 'x'),
      await ctx.scheduleSubOrchestration('Child', 'y', {
        instanceId: 'c-1',
        version: '2.0.0',
        onParentClose: 'abandon',
      }),
    ],
    records: [
      'start',
      'child Child@1.0.0 i-1::01234567.1.2 "x" cancel',
      '#2 = "child of x"',
      'child Child@2.0.0 c-1 "y" abandon',
      '#4 = "child of y"',
      'completed ["child of x","child of y"]',
    ],
  },
  {
    name: 'a failed child is an error to catch that says how it ended',
    run: async (ctx) => {
      try {
        await ctx.scheduleSubOrchestration('Child');
      } catch (error) {
        return [codeOf(error), (error as Error & { outcome: string }).outcome, messageOf((error as Error).cause)];
      }
    },
    script: { children: { Child: fails.bad } },
    records: [
      'start',
      'child Child@1.0.0 i-1::01234567.1.2 undefined cancel',
      '#2 failed: boom',
      'completed ["ERR_DURABLE_SUB_ORCHESTRATION_FAILED","failed","boom"]',
    ],
  },
  {
    name: 'a detached start resolves with the id, or rejects because it is taken',
    run: async (ctx) => [
      await ctx.scheduleOrchestration('Child', 1),
      await ctx.scheduleOrchestration('Child', 2, { instanceId: 'mine' }).catch(codeOf),
    ],
    script: { taken: ['mine'] },
    records: [
      'start',
      'start Child@1.0.0 i-1::01234567.1.2 1',
      '#2 started',
      'start Child@1.0.0 mine 2',
      '#4 refused',
      'completed ["i-1::01234567.1.2","ERR_DURABLE_INSTANCE_EXISTS"]',
    ],
  },
  {
    name: 'continue-as-new begins again with its input; KV and queued messages stay',
    run: async (ctx, input: number) => {
      ctx.kv.set('sum', (ctx.kv.get<number>('sum') ?? 0) + (await ctx.dequeueEvent<number>('jobs')));
      if (input < 3) await ctx.continueAsNew(input + 1);
      return [ctx.executionId, ctx.kv.get('sum')];
    },
    script: { input: 1, messages: [enqueue(0, 'jobs', 10), enqueue(0, 'jobs', 20), enqueue(5, 'jobs', 30)] },
    records: ['start', 'dequeue jobs', '#2 = 30', 'kv sum = 60', 'completed [3,60]'],
  },
  {
    name: 'KV is read-modify-write, sorted by code units, and forgets what is deleted or cleared',
    run: async (ctx) => {
      const before = ctx.kv.keys();
      ctx.kv.clear();
      for (const key of ['b', 'ä', 'a', 'B']) ctx.kv.set(key, { n: 1 });
      await ctx.scheduleTimer(1);
      const copy = ctx.kv.get<{ n: number }>('a')!;
      copy.n = 7;
      ctx.kv.set('b', { n: ctx.kv.get<{ n: number }>('b')!.n + copy.n });
      ctx.kv.delete('ä');
      return [before, ctx.kv.entries(), ctx.kv.get('old') ?? 'gone'];
    },
    script: { kv: { old: 1 } },
    records: [
      'start',
      'kv clear',
      'kv b = {"n":1}',
      'kv ä = {"n":1}',
      'kv a = {"n":1}',
      'kv B = {"n":1}',
      'timer 1',
      '#7 fired',
      'kv b = {"n":8}',
      'kv delete ä',
      'completed [["old"],[["B",{"n":1}],["a",{"n":1}],["b",{"n":8}]],"gone"]',
    ],
  },
  {
    name: 'KV of another instance is read by an activity',
    run: async (ctx) => ctx.kvOf('i-2').get('k'),
    script: { activities: { 'nest-durable.kv.get': (id: string, key: string) => `${id}/${key}` } },
    records: ['start', 'activity nest-durable.kv.get["i-2","k"]', '#2 = "i-2/k"', 'completed "i-2/k"'],
  },
  {
    name: 'the custom status is recorded each time it is set',
    run: async (ctx) => {
      ctx.setCustomStatus('begun');
      await act(ctx, 'a');
      ctx.setCustomStatus({ done: 1 });
    },
    records: ['start', 'status "begun"', 'activity a[]', '#3 = "a"', 'status {"done":1}', 'completed undefined'],
  },
  {
    name: 'a side effect is recorded where it happens',
    run: async (ctx) => [ctx.sideEffect(() => 17), await act(ctx, 'a'), ctx.sideEffect(() => undefined) ?? null],
    records: [
      'start',
      'side effect 17',
      'activity a[]',
      '#3 = "a"',
      'side effect undefined',
      'completed [17,"a",null]',
    ],
  },
  {
    name: 'time stands still between events and moves with them',
    run: async (ctx) => {
      const start = ctx.utcNow().getTime();
      const before = ctx.utcNow().getTime() - start;
      await ctx.scheduleTimer(1500);
      return [before, ctx.utcNow().getTime() - start];
    },
    records: ['start', 'timer 1500', '#2 fired', 'completed [0,1500]'],
  },
  {
    name: 'chance is recorded nowhere and repeats all the same',
    run: async (ctx) => {
      await act(ctx, 'a', ctx.newGuid());
      return [
        ctx.random() < 1,
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(ctx.newGuid()),
      ];
    },
    records: ['start', 'activity a["403c5669-0d27-4b26-989c-f742b7a320d2"]', '#2 = "a"', 'completed [true,true]'],
  },
  {
    name: 'join keeps the order of its arguments, whatever the order of the answers',
    run: async (ctx) => ctx.join([act(ctx, 'a', 30), act(ctx, 'b', 10), act(ctx, 'c', 20)]),
    script: slow,
    records: [
      'start',
      'activity a[30]',
      'activity b[10]',
      'activity c[20]',
      '#3 = "b"',
      '#4 = "c"',
      '#2 = "a"',
      'completed ["a","b","c"]',
    ],
  },
  {
    name: 'join rejects with the first failure in history and leaves the rest running',
    run: async (ctx) => ctx.join([act(ctx, 'bad', 30), act(ctx, 'worse', 10), act(ctx, 'c', 20)]).catch(messageOf),
    script: { ...slow, activities: fails },
    records: [
      'start',
      'activity bad[30]',
      'activity worse[10]',
      'activity c[20]',
      '#3 failed: crash',
      'completed "The activity worse failed with Error: crash"',
    ],
  },
  {
    name: 'select gives the index of the first and cancels the others',
    run: async (ctx) => {
      const slowOne = act(ctx, 'a', 30);
      const timer = ctx.scheduleTimer(10);
      const wait = ctx.scheduleWait('never');
      const { index } = await ctx.select([slowOne, timer, wait]);
      return [index, await slowOne.catch(codeOf), await wait.catch(messageOf)];
    },
    script: slow,
    records: [
      'start',
      'activity a[30]',
      'timer 10',
      'wait never',
      '#3 fired',
      'cancel #2',
      'cancel #4',
      'completed [1,"ERR_DURABLE_FUTURE_CANCELLED","The wait \\"never\\" (event 4) was cancelled: lost a select."]',
    ],
  },
  {
    name: 'select by name cancels a child that lost',
    run: async (ctx) => {
      const child = ctx.scheduleSubOrchestration('Child', 50);
      const chosen = await ctx.select({ child, event: ctx.scheduleWait('go') });
      await act(ctx, 'a', 1);
      return chosen;
    },
    script: { ...slow, messages: [raise(5, 'go', 'now')] },
    records: [
      'start',
      'child Child@1.0.0 i-1::01234567.1.2 50 cancel',
      'wait go',
      '#3 = "now"',
      'cancel #2',
      'activity a[1]',
      '#6 = "a"',
      'completed {"winner":"event","value":"now"}',
    ],
  },
  {
    name: 'keep lets a future survive every select it loses',
    run: async (ctx) => {
      const stop = ctx.scheduleWait<string>('stop');
      for (let ticks = 0; ; ticks++) {
        const chosen = await ctx.select({ tick: ctx.scheduleTimer(10), stop: ctx.keep(stop) });
        if (chosen.winner === 'stop') return [ticks, chosen.value];
      }
    },
    script: { messages: [raise(25, 'stop', 'please')] },
    records: [
      'start',
      'wait stop',
      'timer 10',
      '#3 fired',
      'timer 20',
      '#5 fired',
      'timer 30',
      '#2 = "please"',
      'cancel #7',
      'completed [2,"please"]',
    ],
  },
  {
    name: 'of settled futures select takes the one that settled first in history',
    run: async (ctx) => {
      const late = act(ctx, 'late', 20);
      const early = act(ctx, 'early', 10);
      await ctx.scheduleTimer(50);
      return ctx.select({ plain: Promise.resolve(1), late, early });
    },
    script: slow,
    records: [
      'start',
      'activity late[20]',
      'activity early[10]',
      'timer 50',
      '#3 = "early"',
      '#2 = "late"',
      '#4 fired',
      'completed {"winner":"early","value":"early"}',
    ],
  },
  {
    name: 'select rejects with a rejected winner and still cancels the others',
    run: async (ctx) => ctx.select([act(ctx, 'bad', 1), ctx.scheduleTimer(10)]).catch(messageOf),
    script: { ...slow, activities: fails },
    records: [
      'start',
      'activity bad[1]',
      'timer 10',
      '#2 failed: boom',
      'cancel #3',
      'completed "The activity bad failed with Error: boom"',
    ],
  },
  {
    name: 'plain promises take part in select; what they wait for is left alone',
    run: async (ctx) => {
      const helper = async (): Promise<string> => `${await act(ctx, 'a', 20)} and ${await act(ctx, 'b', 20)}`;
      const pending = helper();
      const first = await ctx.select({ pending, timer: ctx.scheduleTimer(10) });
      return [first.winner, await pending];
    },
    script: slow,
    records: [
      'start',
      'activity a[20]',
      'timer 10',
      '#3 fired',
      '#2 = "a"',
      'activity b[20]',
      '#6 = "b"',
      'completed ["timer","a and b"]',
    ],
  },
  {
    name: 'a future that lost a select is refused by the next one, which says where it was cancelled',
    run: async (ctx) => {
      const stop = ctx.scheduleWait('stop');
      await ctx.select({ tick: ctx.scheduleTimer(10), stop });
      return ctx.select({ stop });
    },
    records: [
      'start',
      'wait stop',
      'timer 10',
      '#3 fired',
      'cancel #2',
      'failed InvalidOptionError: stop of select() is "the wait \\"stop\\", which an earlier select (won by tick) cancelled": ' +
        'use a fresh future, or ctx.keep(future) in the earlier select.',
    ],
  },
  {
    name: 'an empty select is refused, and so is a select of what is no promise',
    run: async (ctx) => {
      const refusals: string[] = [];
      for (const futures of [[], [5], { a: 'x' }]) {
        try {
          await ctx.select(futures as unknown as Promise<unknown>[]);
        } catch (error) {
          refusals.push(codeOf(error));
        }
      }
      return refusals;
    },
    records: ['start', 'completed ["ERR_DURABLE_OPTION","ERR_DURABLE_OPTION","ERR_DURABLE_OPTION"]'],
  },
  {
    name: 'cancelling a future is recorded, rejects it, and is nothing the second time',
    run: async (ctx) => {
      const future = act(ctx, 'a', 10);
      const timer = ctx.scheduleTimer(50);
      future.cancel('too late');
      future.cancel();
      const said = await future.catch(messageOf);
      await timer;
      timer.cancel();
      return said;
    },
    script: slow,
    records: [
      'start',
      'activity a[10]',
      'timer 50',
      'cancel #2',
      '#3 fired',
      'completed "The activity \\"a\\" (event 2) was cancelled: too late."',
    ],
  },
  {
    name: 'cancelling a future in a later turn is recorded there; its late answer is discarded',
    run: async (ctx) => {
      const future = act(ctx, 'a', 10);
      await ctx.scheduleTimer(5);
      future.cancel();
      await ctx.scheduleTimer(50);
    },
    script: slow,
    records: [
      'start',
      'activity a[10]',
      'timer 5',
      '#3 fired',
      'cancel #2',
      'timer 55',
      '#6 fired',
      'completed undefined',
    ],
  },
  {
    name: 'Promise.all, race, any and allSettled work and cancel nothing',
    run: async (ctx) => {
      const a = act(ctx, 'a', 30);
      const bad = act(ctx, 'bad', 10);
      const c = act(ctx, 'c', 20);
      return [
        await Promise.race([a, bad, c]).catch(() => 'bad first'),
        await Promise.any([a, bad, c]),
        (await Promise.allSettled([a, bad, c])).map(({ status }) => status),
        await Promise.all([a, c]),
        await Promise.any([bad, bad]).catch((error: AggregateError) => error.errors.length),
      ];
    },
    script: { ...slow, activities: fails },
    records: [
      'start',
      'activity a[30]',
      'activity bad[10]',
      'activity c[20]',
      '#3 failed: boom',
      '#4 = "c"',
      '#2 = "a"',
      'completed ["bad first","c",["fulfilled","rejected","fulfilled"],["a","c"],2]',
    ],
  },
  {
    name: 'waitUntil goes on when other code made its condition true',
    run: async (ctx) => {
      let stock = 0;
      const refill = async (): Promise<void> => {
        for (let n = 0; n < 3; n++) {
          await act(ctx, 'refill', 5);
          stock++;
        }
      };
      const filling = refill();
      const held = await ctx.waitUntil(() => stock >= 2);
      await act(ctx, 'sell', stock);
      await filling;
      return [held, stock];
    },
    script: slow,
    records: [
      'start',
      'activity refill[5]',
      '#2 = "refill"',
      'activity refill[5]',
      '#4 = "refill"',
      'activity refill[5]',
      'activity sell[2]',
      '#7 = "sell"',
      '#6 = "refill"',
      'completed [true,3]',
    ],
  },
  {
    name: 'waitUntil cancels its timeout when the condition comes first, and answers false when it does not',
    run: async (ctx) => {
      let approved = false;
      void ctx.scheduleWait('approve').then(() => (approved = true));
      return [
        await ctx.waitUntil(() => approved, { timeout: 10 }),
        await ctx.waitUntil(() => approved, { timeout: '1h' }),
        await ctx.waitUntil(() => true),
      ];
    },
    script: { messages: [raise(20, 'approve')] },
    records: [
      'start',
      'wait approve',
      'timer 10',
      '#3 fired',
      'timer 3600010',
      '#2 = undefined',
      'cancel #5',
      'completed [false,true,true]',
    ],
  },
  {
    name: 'a timeout gives up its own wait, not another one for the same condition',
    run: async (ctx) => {
      let open = false;
      const isOpen = (): boolean => open;
      const patient = ctx.waitUntil(isOpen);
      const hasty = ctx.waitUntil(isOpen, { timeout: 10 });
      const first = await hasty;
      await ctx.scheduleTimer(10);
      open = true;
      return [first, await patient];
    },
    records: ['start', 'timer 10', '#2 fired', 'timer 20', '#4 fired', 'completed [false,true]'],
  },
  {
    name: 'a condition that throws rejects its wait and cancels its timeout',
    run: async (ctx) => {
      const broken = (): boolean => {
        throw new Error('broken condition');
      };
      return [
        await ctx.waitUntil(broken).catch(messageOf),
        await ctx.waitUntil(broken, { timeout: 50 }).catch(messageOf),
        await act(ctx, 'a', 1),
      ];
    },
    script: slow,
    records: [
      'start',
      'timer 50',
      'cancel #2',
      'activity a[1]',
      '#4 = "a"',
      'completed ["broken condition","broken condition","a"]',
    ],
  },
  {
    name: 'conditions are asked in the order they were registered, one at a time',
    run: async (ctx) => {
      let turn = 0;
      const order: string[] = [];
      const player = async (name: string): Promise<void> => {
        await ctx.waitUntil(() => turn > 0);
        turn--;
        order.push(name);
        await act(ctx, name, 1);
        turn++;
      };
      const all = Promise.all(['a', 'b', 'c'].map(player));
      await ctx.scheduleTimer(5);
      turn = 1;
      await all;
      return order;
    },
    script: slow,
    records: [
      'start',
      'timer 5',
      '#2 fired',
      'activity a[1]',
      '#4 = "a"',
      'activity b[1]',
      '#6 = "b"',
      'activity c[1]',
      '#8 = "c"',
      'completed ["a","b","c"]',
    ],
  },
  {
    name: 'a cancellation rejects everything open, in schedule order, in one run of the code',
    run: async (ctx) => {
      const order: string[] = [];
      const failed = (name: string) => (): number => order.push(name);
      const wait = ctx.scheduleWait('x').catch(failed('wait'));
      const activity = act(ctx, 'a', 99).catch(failed('activity'));
      const condition = ctx.waitUntil(() => false).catch(failed('condition'));
      const timer = ctx.scheduleTimer(99).catch(failed('timer'));
      const child = ctx.scheduleSubOrchestration('Child', 99).catch(failed('child'));
      await Promise.all([wait, activity, condition, timer, child]);
      return [order, ctx.cancellation.requested, ctx.cancellation.reason];
    },
    script: { ...slow, messages: [cancelAt(5, 'closing time')] },
    records: [
      'start',
      'wait x',
      'activity a[99]',
      'timer 99',
      'child Child@1.0.0 i-1::01234567.1.5 99 cancel',
      'cancel requested: closing time',
      'completed [["wait","activity","timer","child","condition"],true,"closing time"]',
    ],
  },
  {
    name: 'an orchestration that lets the cancellation through is cancelled',
    run: async (ctx) => act(ctx, 'a', 99),
    script: { ...slow, messages: [cancelAt(5), cancelAt(5, 'again')] },
    records: ['start', 'activity a[99]', 'cancel requested: enough', 'cancelled: enough'],
  },
  {
    name: 'throwIfRequested ends a loop as cancelled',
    run: async (ctx) => {
      for (let n = 0; n < 10; n++) {
        await ctx.scheduleTimer(10).catch(() => undefined);
        ctx.cancellation.throwIfRequested();
      }
    },
    script: { messages: [cancelAt(15)] },
    records: ['start', 'timer 10', '#2 fired', 'timer 20', 'cancel requested: enough', 'cancelled: enough'],
  },
  {
    name: 'an orchestration that fails while it is cancelled has failed',
    run: async (ctx) => {
      await act(ctx, 'a', 99).catch((error: unknown) => {
        throw new Error('clean-up went wrong', { cause: error });
      });
    },
    script: { ...slow, messages: [cancelAt(5)] },
    records: ['start', 'activity a[99]', 'cancel requested: enough', 'failed Error: clean-up went wrong'],
  },
  {
    name: 'every durable call after a cancellation rejects with the same error',
    run: async (ctx) => {
      const first = await ctx.scheduleTimer(99).catch((error: unknown) => error);
      const calls = [
        act(ctx, 'a'),
        ctx.scheduleTimer(1),
        ctx.scheduleWait('x'),
        ctx.dequeueEvent('q'),
        ctx.scheduleSubOrchestration('Child'),
        ctx.scheduleOrchestration('Child'),
        ctx.waitUntil(() => true),
        ctx.continueAsNew(),
        ctx.select([ctx.scheduleTimer(1)]),
      ];
      const outcomes = await Promise.allSettled(calls);
      return outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason === first);
    },
    script: { messages: [cancelAt(5)] },
    records: [
      'start',
      'timer 99',
      'cancel requested: enough',
      'completed [true,true,true,true,true,true,true,true,true]',
    ],
  },
  {
    name: 'a shield lets clean-up through and keeps what it waits for',
    run: async (ctx) => {
      try {
        await ctx.shield(() => act(ctx, 'reserve', 20));
        await act(ctx, 'charge', 20);
      } finally {
        await ctx.shield(async () => {
          await act(ctx, 'release', 5);
          await ctx.waitUntil(() => true);
        });
      }
    },
    script: { ...slow, messages: [cancelAt(10)] },
    records: [
      'start',
      'activity reserve[20]',
      'cancel requested: enough',
      '#2 = "reserve"',
      'activity release[5]',
      '#5 = "release"',
      'cancelled: enough',
    ],
  },
  {
    name: 'an orchestration cancelled before it started never runs',
    run: async (ctx) => act(ctx, 'a'),
    script: { messages: [cancelAt(0, 'changed my mind')] },
    records: ['start', 'cancelled: changed my mind'],
  },
  {
    name: 'continueAsNew before the return of the same run wins',
    run: async (ctx, input: number) => {
      if (input === 2) return 'second';
      await act(ctx, 'a');
      void ctx.continueAsNew(2);
      ctx.setCustomStatus('too late');
      return 'first';
    },
    script: { input: 1 },
    records: ['start', 'completed "second"'],
  },
  {
    name: 'a return before continueAsNew of the same run wins',
    run: async (ctx) => {
      const wait = ctx.scheduleTimer(10);
      void wait
        .then(() => undefined)
        .then(() => undefined)
        .then(() => undefined)
        .then(() => ctx.continueAsNew());
      await wait;
      return 'done';
    },
    records: ['start', 'timer 10', '#2 fired', 'completed "done"'],
  },
  {
    name: 'an activity nobody awaits is scheduled, and left at the end',
    run: async (ctx) => {
      void act(ctx, 'a');
      await ctx.scheduleTimer(10);
      void act(ctx, 'last');
      return 'done';
    },
    script: { delay: () => Infinity },
    records: ['start', 'activity a[]', 'timer 10', '#3 fired', 'activity last[]', 'completed "done"'],
  },
  {
    name: 'an unawaited failure harms nobody',
    run: async (ctx) => {
      void act(ctx, 'bad');
      await ctx.scheduleTimer(10);
      return 'done';
    },
    script: { activities: fails },
    records: ['start', 'activity bad[]', 'timer 10', '#2 failed: boom', '#3 fired', 'completed "done"'],
  },
  {
    name: 'code that throws synchronously fails with what it threw',
    run: () => {
      throw 'just text'; // eslint-disable-line no-throw-literal
    },
    records: ['start', 'failed NonError: a thrown string: just text'],
  },
  {
    name: 'an argument that cannot be carried is an error at the call',
    run: async (ctx) => {
      try {
        await ctx.scheduleActivity('a', [() => 1]);
      } catch (error) {
        return codeOf(error);
      }
    },
    records: ['start', 'completed "ERR_DURABLE_PAYLOAD"'],
  },
  {
    name: 'activities of a service are called by their methods; other methods are refused',
    run: async (ctx) => {
      const payments = ctx.activities(class Payments {} as never) as unknown as Record<
        'charge' | 'refund',
        (n: number) => Promise<string>
      >;
      const answer = await payments.charge(5);
      try {
        await payments.refund(5);
      } catch (error) {
        return [answer, codeOf(error)];
      }
    },
    records: [
      'start',
      'activity Payments.charge[5]',
      '#2 = "Payments.charge"',
      'completed ["Payments.charge","ERR_DURABLE_UNKNOWN_ACTIVITY"]',
    ],
  },
  {
    name: 'a side effect that throws is recorded, and throws the same on every replay',
    run: async (ctx) => {
      try {
        ctx.sideEffect(() => {
          throw Object.assign(new RangeError('no disk'), { code: 'ENODISK' });
        });
      } catch (error) {
        return [codeOf(error), (error as Error).name, await act(ctx, 'a')];
      }
    },
    records: [
      'start',
      'side effect threw no disk',
      'activity a[]',
      '#3 = "a"',
      'completed ["ENODISK","RangeError","a"]',
    ],
  },
  {
    name: 'a side effect may neither use its context, which no replay would repeat, nor take time',
    run: async (ctx) => {
      const refused: string[] = [];
      const uses = [
        () => ctx.kv.set('k', 1),
        () => ctx.newGuid(),
        () => void act(ctx, 'a'),
        () => void ctx.waitUntil(() => true),
        () => ctx.sideEffect(() => 1),
        () => Promise.reject(new Error('never seen')),
        () => () => 'no data',
      ];
      for (const use of uses) {
        try {
          ctx.sideEffect(use);
        } catch (error) {
          refused.push(codeOf(error));
        }
      }
      return [refused.length, refused.at(-1), await act(ctx, 'a', ctx.newGuid())];
    },
    records: [
      'start',
      ...['kv.set(k)', 'newGuid()', 'scheduleActivity(a)', 'waitUntil()', 'sideEffect()'].map(
        (call) =>
          `side effect threw the function of sideEffect() is "a call of ${call}": use plain code, and act on its result.`,
      ),
      'side effect threw the result of sideEffect() is "a promise": use a plain value (what takes time belongs in an activity).',
      'side effect threw the result of sideEffect() is a function: leave it out, or pass data that describes it.',
      'activity a["403c5669-0d27-4b26-989c-f742b7a320d2"]',
      '#9 = "a"',
      'completed [7,"ERR_DURABLE_PAYLOAD","a"]',
    ],
  },
  {
    name: 'three hundred answers of one moment arrive one at a time over several turns',
    run: async (ctx) => {
      let running = 0;
      const one = async (n: number): Promise<void> => {
        await act(ctx, 'a', 1);
        running++;
        if (n % 100 === 0) await act(ctx, 'after', running);
      };
      await Promise.all(Array.from({ length: 300 }, (_, n) => one(n)));
      return running;
    },
    script: { delay: () => 1 },
    records: [], // too long to write down
  },
];
