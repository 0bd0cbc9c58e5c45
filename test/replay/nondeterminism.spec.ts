import { describe, expect, it } from '@jest/globals';
import type { HistoryEvent } from '../../lib/core/history-event.js';
import { cancelAt, decode, encode, GENERATION, EPOCH, perform, replay, takeTurn, optionsOf } from './support.js';
import type { Program, Script } from './support.js';
import { Execution, MessageBuffer, Turn } from '../../lib/replay/index.js';

interface Change {
  readonly change: string;
  readonly original: Program;
  readonly changed: Program;
  readonly script?: Script;
  readonly eventId: number;
  readonly recorded: string;
  readonly asked: string;
}

const CHANGES: readonly Change[] = [
  {
    change: 'another activity',
    original: async (ctx) => ctx.scheduleActivity('a'),
    changed: async (ctx) => ctx.scheduleActivity('b'),
    eventId: 2,
    recorded: 'ActivityScheduled "a"',
    asked: 'ActivityScheduled "b"',
  },
  {
    change: 'another tag',
    original: async (ctx) => ctx.scheduleActivity('a', [], { tag: 'cpu' }),
    changed: async (ctx) => ctx.scheduleActivity('a', [], { tag: 'gpu' }),
    eventId: 2,
    recorded: 'ActivityScheduled "a" on tag "cpu"',
    asked: 'ActivityScheduled "a" on tag "gpu"',
  },
  {
    change: 'no tag any more',
    original: async (ctx) => ctx.scheduleActivity('tagged'),
    changed: async (ctx) => ctx.scheduleActivity('untagged'),
    eventId: 2,
    recorded: 'ActivityScheduled "tagged" on tag "gpu"',
    asked: 'ActivityScheduled "untagged"',
  },
  {
    change: 'another order',
    original: async (ctx) => Promise.all([ctx.scheduleActivity('a'), ctx.scheduleActivity('b')]),
    changed: async (ctx) => Promise.all([ctx.scheduleActivity('b'), ctx.scheduleActivity('a')]),
    eventId: 2,
    recorded: 'ActivityScheduled "a"',
    asked: 'ActivityScheduled "b"',
  },
  {
    change: 'a call that is missing',
    original: async (ctx) => [await ctx.scheduleActivity('a'), await ctx.scheduleActivity('b')],
    changed: async (ctx) => [await ctx.scheduleActivity('b')],
    eventId: 2,
    recorded: 'ActivityScheduled "a"',
    asked: 'ActivityScheduled "b"',
  },
  {
    change: 'a concurrent call that is missing',
    original: async (ctx) => Promise.all([ctx.scheduleActivity('a'), ctx.scheduleActivity('b')]),
    // oxlint-disable-next-line unicorn/no-single-promise-in-promise-methods -- what is left of the call above
    changed: async (ctx) => ctx.scheduleActivity('a'),
    eventId: 3,
    recorded: 'ActivityScheduled "b"',
    asked: 'the code did nothing',
  },
  {
    change: 'a call more, in front',
    original: async (ctx) => ctx.scheduleActivity('a'),
    changed: async (ctx) => [await ctx.scheduleTimer(1), await ctx.scheduleActivity('a')],
    eventId: 2,
    recorded: 'ActivityScheduled "a"',
    asked: 'TimerCreated',
  },
  {
    change: 'a call more, while it waits',
    original: async (ctx) => ctx.scheduleActivity('a'),
    changed: async (ctx) => Promise.all([ctx.scheduleActivity('a'), ctx.scheduleActivity('b')]),
    eventId: 3,
    recorded: 'ActivityCompleted (something to wait for)',
    asked: 'ActivityScheduled "b"',
  },
  {
    change: 'a call more, at the end',
    original: async (ctx) => ctx.scheduleActivity('a'),
    changed: async (ctx) => [await ctx.scheduleActivity('a'), await ctx.scheduleActivity('b')],
    eventId: 4,
    recorded: 'the end (OrchestrationCompleted)',
    asked: 'ActivityScheduled "b"',
  },
  {
    change: 'an early end with history unread',
    original: async (ctx) => [await ctx.scheduleActivity('a'), await ctx.scheduleActivity('b')],
    changed: async (ctx) => ctx.scheduleActivity('a'),
    eventId: 4,
    recorded: 'ActivityScheduled "b"',
    asked: 'the end (OrchestrationCompleted)',
  },
  {
    change: 'an end before something that was waited for',
    original: async (ctx) => ctx.scheduleActivity('a'),
    changed: async (ctx) => void ctx.scheduleActivity('a'),
    eventId: 3,
    recorded: 'ActivityCompleted (something to wait for)',
    asked: 'the end (OrchestrationCompleted)',
  },
  {
    change: 'another kind of end',
    original: async () => 'fine',
    changed: async () => {
      throw new Error('not fine');
    },
    eventId: 2,
    recorded: 'the end (OrchestrationCompleted)',
    asked: 'the end (OrchestrationFailed)',
  },
  {
    change: 'a continue-as-new instead of an end',
    original: async () => 'fine',
    changed: async (ctx) => ctx.continueAsNew(),
    eventId: 2,
    recorded: 'the end (OrchestrationCompleted)',
    asked: 'the end (ContinuedAsNew)',
  },
  {
    change: 'another child id',
    original: async (ctx) => ctx.scheduleSubOrchestration('Child', 1, { instanceId: 'c-1' }),
    changed: async (ctx) => ctx.scheduleSubOrchestration('Child', 1, { instanceId: 'c-2' }),
    eventId: 2,
    recorded: 'SubOrchestrationScheduled "Child" as "c-1"',
    asked: 'SubOrchestrationScheduled "Child" as "c-2"',
  },
  {
    change: 'another child',
    original: async (ctx) => ctx.scheduleSubOrchestration('Child'),
    changed: async (ctx) => ctx.scheduleSubOrchestration('Other'),
    eventId: 2,
    recorded: 'SubOrchestrationScheduled "Child" as "i-1::01234567.1.2"',
    asked: 'SubOrchestrationScheduled "Other" as "i-1::01234567.1.2"',
  },
  {
    change: 'a detached start instead of a child',
    original: async (ctx) => ctx.scheduleSubOrchestration('Child', 1, { instanceId: 'c-1' }),
    changed: async (ctx) => ctx.scheduleOrchestration('Child', 1, { instanceId: 'c-1' }),
    eventId: 2,
    recorded: 'SubOrchestrationScheduled "Child" as "c-1"',
    asked: 'DetachedStartScheduled "Child" as "c-1"',
  },
  {
    change: 'an activity instead of a timer',
    original: async (ctx) => ctx.scheduleTimer(1),
    changed: async (ctx) => ctx.scheduleActivity('sleep', [1]),
    eventId: 2,
    recorded: 'TimerCreated',
    asked: 'ActivityScheduled "sleep"',
  },
  {
    change: 'another event name',
    original: async (ctx) => ctx.scheduleWait('go'),
    changed: async (ctx) => ctx.scheduleWait('come'),
    eventId: 2,
    recorded: 'WaitCreated "go"',
    asked: 'WaitCreated "come"',
  },
  {
    change: 'a queue instead of an event',
    original: async (ctx) => ctx.scheduleWait('go'),
    changed: async (ctx) => ctx.dequeueEvent('go'),
    eventId: 2,
    recorded: 'WaitCreated "go"',
    asked: 'DequeueCreated "go"',
  },
  {
    change: 'another queue',
    original: async (ctx) => ctx.dequeueEvent('jobs'),
    changed: async (ctx) => ctx.dequeueEvent('tasks'),
    eventId: 2,
    recorded: 'DequeueCreated "jobs"',
    asked: 'DequeueCreated "tasks"',
  },
  {
    change: 'another KV key',
    original: async (ctx) => ctx.kv.set('a', 1),
    changed: async (ctx) => ctx.kv.set('b', 1),
    eventId: 2,
    recorded: 'KvSet "a"',
    asked: 'KvSet "b"',
  },
  {
    change: 'a side effect that was none',
    original: async (ctx) => ctx.scheduleTimer(1),
    changed: async (ctx) => [ctx.sideEffect(() => 1), await ctx.scheduleTimer(1)],
    eventId: 2,
    recorded: 'TimerCreated',
    asked: 'SideEffectRecorded',
  },
  {
    change: 'another future cancelled',
    original: async (ctx) => {
      const timers = [ctx.scheduleTimer(1), ctx.scheduleTimer(2)];
      timers[0]!.cancel();
      await timers[1];
    },
    changed: async (ctx) => {
      const timers = [ctx.scheduleTimer(1), ctx.scheduleTimer(2)];
      timers[1]!.cancel();
      await timers[0];
    },
    eventId: 4,
    recorded: 'FutureCancelled of event 2',
    asked: 'FutureCancelled of event 3',
  },
  {
    change: 'losers that are kept now',
    original: async (ctx) => ctx.select([ctx.scheduleTimer(1), ctx.scheduleTimer(2)]),
    changed: async (ctx) => ctx.select([ctx.scheduleTimer(1), ctx.keep(ctx.scheduleTimer(2))]),
    eventId: 5,
    recorded: 'FutureCancelled of event 3',
    asked: 'the end (OrchestrationCompleted)',
  },
  {
    change: 'a decision after the end of an open history',
    original: async (ctx) => ctx.scheduleWait('go'),
    changed: async (ctx) => Promise.all([ctx.scheduleWait('go'), ctx.scheduleActivity('a')]),
    eventId: 3,
    recorded: 'nothing more',
    asked: 'ActivityScheduled "a"',
  },
  {
    change: 'an end after the end of an open history',
    original: async (ctx) => ctx.scheduleWait('go'),
    changed: async (ctx) => void ctx.scheduleWait('go'),
    eventId: 3,
    recorded: 'nothing more',
    asked: 'the end (OrchestrationCompleted)',
  },
  {
    change: 'a cancellation that is swallowed now',
    original: async (ctx) => ctx.scheduleTimer(99),
    changed: async (ctx) => ctx.scheduleTimer(99).catch(() => 'swallowed'),
    script: { messages: [cancelAt(1)] },
    eventId: 4,
    recorded: 'the end (OrchestrationCancelled)',
    asked: 'the end (OrchestrationCompleted)',
  },
];

describe('Code that decides otherwise than its history', () => {
  it.each(CHANGES)('is told where and how: $change', async ({ original, changed, script, eventId, ...change }) => {
    const words = { recorded: change.recorded, asked: change.asked };
    const { history } = await perform(original, script);
    const { fault, decisions } = await replay(changed, history);
    expect(fault).toMatchObject({
      code: 'ERR_DURABLE_NONDETERMINISM',
      details: { instanceId: 'i-1', orchestrationName: 'Program', orchestrationVersion: '1.0.0', eventId, ...words },
    });
    expect(fault!.message).toContain(
      `at event ${eventId}: history holds ${words.recorded}, the code asked for ${words.asked}`,
    );
    expect(decisions.filter(({ id }) => id > history.length)).toEqual([]);
  });

  it('does not go on deciding after the first difference', async () => {
    const { history } = await perform(async (ctx) => ctx.scheduleActivity('a'));
    const reached: string[] = [];
    const { fault, execution } = await replay(async (ctx) => {
      await Promise.race([ctx.scheduleActivity('b'), Promise.resolve()]);
      reached.push('next step');
      try {
        ctx.kv.set('k', 1);
      } finally {
        reached.push('after kv');
      }
    }, history);
    expect(fault?.code).toBe('ERR_DURABLE_NONDETERMINISM');
    expect(execution.kv.size).toBe(0);
    expect(execution.ending).toBeUndefined();
    expect(reached).toContain('next step');
  });

  it('does not run a new side effect at the end of a committed history', async () => {
    const { history } = await perform(async (ctx) => ctx.scheduleWait('go'));
    let ran = 0;
    const { fault } = await replay(async (ctx) => [ctx.scheduleWait('go'), ctx.sideEffect(() => ++ran)], history);
    expect(fault?.code).toBe('ERR_DURABLE_NONDETERMINISM');
    expect(ran).toBe(0);
  });
});

describe('Code that computes other values than its history', () => {
  const variant =
    (n: number): Program =>
    async (ctx) => {
      const a = await ctx.scheduleActivity('a', [n], n === 1 ? {} : { retry: { maxAttempts: n } });
      await ctx.scheduleTimer(n * 1000);
      const effect = ctx.sideEffect(() => n);
      ctx.kv.set('k', n);
      ctx.setCustomStatus(n);
      await ctx.scheduleSubOrchestration('Child', n, {
        version: `${n}.0.0`,
        onParentClose: n === 1 ? 'cancel' : 'abandon',
      });
      return [a, effect, ctx.kv.get('k'), n];
    };

  it('fits: arguments, durations, options, KV values and results are not compared', async () => {
    const { history } = await perform(variant(1));
    const { fault, decisions, execution } = await replay(variant(2), history);
    expect(fault).toBeUndefined();
    expect(decisions).toEqual([]);
    expect(execution.ending).toMatchObject({ kind: 'OrchestrationCompleted' });
  });

  it('sees the recorded values, and the recorded end stands', async () => {
    const { history } = await perform(variant(1));
    const seen: unknown[] = [];
    const spying: Program = async (ctx, input) => {
      const result = (await variant(2)(ctx, input)) as unknown[];
      seen.push(...result);
      return result;
    };
    const { execution } = await replay(spying, history);
    expect(seen).toEqual(['a', 1, 1, 2]);
    expect(decode((execution.ending as { output: string }).output)).toEqual(['a', 1, 1, 1]);
  });

  it('keeps the recorded due time of a timer', async () => {
    const { history } = await perform(async (ctx) => ctx.scheduleWait('go'));
    const timer: HistoryEvent[] = [history[0]!, { id: 2, kind: 'TimerCreated', fireAt: EPOCH + 5 }];
    const { fault, decisions } = await replay(async (ctx) => ctx.scheduleTimer('1h'), timer);
    expect(fault).toBeUndefined();
    expect(decisions).toEqual([]);
  });
});

describe('A history that cannot have been recorded', () => {
  const start: HistoryEvent = {
    id: 1,
    at: EPOCH,
    kind: 'OrchestrationStarted',
    name: 'Program',
    version: '1.0.0',
    input: encode(undefined),
    generation: GENERATION,
    executionId: 1,
  };
  const activity: HistoryEvent = { id: 2, kind: 'ActivityScheduled', name: 'a', args: encode([]) };
  const program: Program = async (ctx) => [await ctx.scheduleActivity('a'), await ctx.scheduleWait('never')];

  it.each<[string, HistoryEvent[], string]>([
    [
      'completes what was never scheduled',
      [start, activity, { id: 3, at: EPOCH, kind: 'ActivityCompleted', scheduleId: 7, result: encode(1) }],
      'event 3 (ActivityCompleted) refers to 7, which is no open activity',
    ],
    [
      'completes an activity as a timer',
      [start, activity, { id: 3, at: EPOCH, kind: 'TimerFired', scheduleId: 2 }],
      'event 3 (TimerFired) refers to 2, which is no open timer',
    ],
    [
      'completes an activity twice',
      [
        start,
        activity,
        { id: 3, at: EPOCH, kind: 'ActivityCompleted', scheduleId: 2, result: encode(1) },
        { id: 4, kind: 'WaitCreated', name: 'never' },
        { id: 5, at: EPOCH, kind: 'ActivityCompleted', scheduleId: 2, result: encode(1) },
      ],
      'event 5 (ActivityCompleted) refers to 2, which is no open activity',
    ],
    [
      'holds a result that cannot be decoded',
      [start, activity, { id: 3, at: EPOCH, kind: 'ActivityCompleted', scheduleId: 2, result: '{"torn' }],
      'the result of a cannot be decoded',
    ],
    ['holds an input that cannot be decoded', [{ ...start, input: '{"torn' } as HistoryEvent], 'the input of Program'],
  ])('%s: the execution is at fault and no code fails', async (_, history, problem) => {
    const { fault, execution } = await replay(program, history);
    expect(fault).toMatchObject({ code: 'ERR_DURABLE_HISTORY_CORRUPT' });
    expect(fault!.message).toContain(problem);
    expect(execution.ending).toBeUndefined();
  });

  it('holds KV or a side effect that cannot be decoded: the code cannot make a decision of it', async () => {
    const reading: Program = async (ctx) => {
      try {
        return ctx.kv.get('k');
      } catch {
        return 'caught';
      }
    };
    const torn = await replay(reading, [start], { openEnded: true, kv: new Map([['k', '{"torn']]) });
    expect(torn.fault?.message).toContain('KV value k cannot be decoded');
    expect(torn.execution.ending).toBeUndefined();
    const effect: HistoryEvent = { id: 2, kind: 'SideEffectRecorded', value: '{"torn' };
    const { fault, execution } = await replay(async (ctx) => ctx.sideEffect(() => 1), [start, effect]);
    expect(fault?.message).toContain('the result of sideEffect() cannot be decoded');
    expect(execution.ending).toBeUndefined();
  });

  it('a message that cannot be decoded suspends its execution when it arrives', async () => {
    const execution = new Execution(optionsOf(async (ctx) => ctx.scheduleWait('go')));
    const buffer = new MessageBuffer();
    buffer.add({ seq: 2, message: { kind: 'external-event', name: 'go', data: '{"torn' } });
    const message = { kind: 'start', executionId: 1, name: 'Program', version: '1.0.0', input: encode(1) } as const;
    await takeTurn(new Turn(execution, [{ kind: 'message', message, seq: 1 }], buffer, () => EPOCH));
    expect(execution.fault?.message).toContain('the data of the event go cannot be decoded');
  });
});
