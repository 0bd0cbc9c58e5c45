import { describe, expect, it } from '@jest/globals';
import { DEFAULT_LIMITS } from '../../lib/core/limits.js';
import type { Message } from '../../lib/core/message.js';
import { Execution, MessageBuffer, Turn, type Input } from '../../lib/replay/index.js';
import {
  brief,
  cancelAt,
  decided,
  encode,
  EPOCH,
  optionsOf,
  perform,
  replay,
  takeTurn,
  type Program,
} from './support.js';

const START: Message = { kind: 'start', executionId: 1, name: 'Program', version: '1.0.0', input: encode(undefined) };
const stored = (seq: number, message: Message): Input => ({ kind: 'message', message, seq });
const answer = (scheduleId: number, executionId = 1): Message => ({
  kind: 'activity-completion',
  executionId,
  scheduleId,
  attempts: 1,
  result: encode('x'),
});

async function turnOf(execution: Execution, inbox: Input[], now = EPOCH, buffer = new MessageBuffer()): Promise<Turn> {
  const turn = new Turn(execution, inbox, buffer, () => now);
  await takeTurn(turn);
  return turn;
}

describe('A turn', () => {
  const twoSteps: Program = async (ctx) => [await ctx.scheduleActivity('a'), await ctx.scheduleActivity('b')];

  it('waits for the start, whatever came before it', async () => {
    const execution = new Execution(optionsOf(twoSteps));
    const early = await turnOf(execution, [stored(1, answer(2))]);
    expect(early.isEmpty).toBe(true);
    const turn = await turnOf(execution, [stored(1, answer(7)), stored(2, START)]);
    expect(turn.consumed).toEqual([2, 1]);
    expect(turn.discarded.map(({ reason }) => reason)).toEqual(['schedule closed']);
    expect(brief(execution.takeDraft().events)).toEqual(['start', 'activity a[]']);
  });

  it('stops before a termination that came while it ran, and leaves it where it is', async () => {
    const execution = new Execution(optionsOf(twoSteps));
    const inbox = [stored(1, START), stored(2, { kind: 'terminate', reason: 'x' }), stored(3, answer(2))];
    const turn = await turnOf(execution, inbox);
    expect(turn.consumed).toEqual([1]);
    expect(inbox.map((input) => input.kind === 'message' && input.message.kind)).toEqual([
      'terminate',
      'activity-completion',
    ]);
  });

  it('discards what belongs to another execution, was answered already, or comes twice, and says why', async () => {
    const execution = new Execution(optionsOf(twoSteps));
    await turnOf(execution, [stored(1, START)]);
    const turn = await turnOf(execution, [
      stored(2, START),
      stored(3, answer(2, 9)),
      stored(4, answer(2)),
      stored(5, answer(2)),
      { kind: 'timer', executionId: 1, scheduleId: 4 },
      stored(6, { kind: 'cancel', reason: 'x' }),
      stored(7, { kind: 'cancel', reason: 'y' }),
    ]);
    expect(turn.discarded.map(({ reason }) => reason)).toEqual([
      'duplicate',
      'execution over',
      'schedule closed',
      'schedule closed',
    ]);
    // The end came with the first cancellation; what follows is for whoever ends the instance.
    expect(turn.consumed).toEqual([2, 3, 4, 5, 6]);
    expect(execution.ending?.kind).toBe('OrchestrationCancelled');
  });

  it('tells what it used: stored by number, volatile as it is, timers by schedule', async () => {
    const execution = new Execution(
      optionsOf(async (ctx) => Promise.all([ctx.scheduleActivity('a'), ctx.scheduleTimer(5), ctx.scheduleWait('w')])),
    );
    const volatile = { kind: 'message', message: answer(2), claim: 3 } as const;
    const turn = await turnOf(execution, [
      stored(1, START),
      volatile,
      { kind: 'timer', executionId: 1, scheduleId: 3 },
    ]);
    expect(turn.consumed).toEqual([1]);
    expect(turn.volatile).toEqual([volatile]);
    expect(turn.firedTimers).toEqual([3]);
    expect(turn.mustContinue).toBe(false);
  });

  it('never lets time go back', async () => {
    const execution = new Execution(optionsOf(twoSteps));
    await turnOf(execution, [stored(1, START)], EPOCH + 500);
    await turnOf(execution, [stored(2, answer(2))], EPOCH + 100);
    expect(execution.takeDraft().events.flatMap((event) => ('at' in event ? [event.at - EPOCH] : []))).toEqual([
      500, 500,
    ]);
  });

  it('takes 256 deliveries at most and leaves the rest for the next one', async () => {
    const execution = new Execution(
      optionsOf(async (ctx) => {
        for (;;) await ctx.dequeueEvent('jobs');
      }),
    );
    const buffer = new MessageBuffer();
    for (let seq = 2; seq <= 400; seq++)
      buffer.add({ seq, message: { kind: 'queue-message', name: 'jobs', data: encode(seq) } });
    const first = await turnOf(execution, [stored(1, START)], EPOCH, buffer);
    expect(first.consumed).toHaveLength(256);
    expect(first.mustContinue).toBe(true);
    const second = await turnOf(execution, [], EPOCH, buffer);
    expect(second.consumed).toHaveLength(144);
    expect(second.mustContinue).toBe(false);
    expect(second.consumed.at(-1)).toBe(400);
  });

  it('gives an early event to the oldest wait before it takes anything from its inbox', async () => {
    const execution = new Execution(
      optionsOf(async (ctx) => {
        const order: unknown[] = [];
        const note = (value: unknown): number => order.push(value);
        await Promise.all([
          ctx.scheduleActivity('a').then(note),
          ctx.scheduleWait('go').then(note),
          ctx.dequeueEvent('jobs').then(note),
        ]);
        return order;
      }),
    );
    const buffer = new MessageBuffer();
    buffer.add({ seq: 3, message: { kind: 'queue-message', name: 'jobs', data: encode('job') } });
    buffer.add({ seq: 4, message: { kind: 'external-event', name: 'go', data: encode('event') } });
    await turnOf(execution, [stored(1, START), stored(2, answer(2))], EPOCH, buffer);
    expect(brief(execution.takeDraft().events).at(-1)).toBe('completed ["event","job","x"]');
  });

  it('names a lane of the buffer that may go on in the store', async () => {
    const execution = new Execution(optionsOf(async (ctx) => ctx.dequeueEvent('jobs')));
    const buffer = new MessageBuffer();
    buffer.truncate();
    const turn = await turnOf(execution, [stored(1, START)], EPOCH, buffer);
    expect(turn.dryLanes).toEqual([{ kind: 'queue-message', name: 'jobs' }]);
    expect(turn.mustContinue).toBe(true);
  });
});

describe('What a turn adds', () => {
  it('leaves out what it scheduled and cancelled itself, and names what it closed of earlier turns', async () => {
    const execution = new Execution(
      optionsOf(async (ctx) => {
        const old = [ctx.scheduleActivity('old'), ctx.scheduleTimer('1h'), ctx.scheduleSubOrchestration('Child')];
        await ctx.scheduleActivity('a');
        for (const future of old) future.cancel();
        for (const future of [ctx.scheduleActivity('new'), ctx.scheduleTimer(1), ctx.scheduleSubOrchestration('Child')])
          future.cancel();
        await ctx.scheduleWait('w');
      }),
    );
    await turnOf(execution, [stored(1, START)]);
    execution.takeDraft();
    await turnOf(execution, [stored(2, answer(5))]);
    const draft = execution.takeDraft();
    expect([draft.activities, draft.timers, draft.children]).toEqual([[], [], []]);
    expect(draft.closed.map(({ id }) => id)).toEqual([2, 3, 4]);
    expect(decided(draft.events)).toEqual([
      'cancel #2',
      'cancel #3',
      'cancel #4',
      'activity new[]',
      'timer 1',
      'child Child@1.0.0 i-1::01234567.1.12 undefined cancel',
      'cancel #10',
      'cancel #11',
      'cancel #12',
      'wait w',
    ]);
  });

  it('names what was open at the end', async () => {
    const execution = new Execution(
      optionsOf(async (ctx) => {
        void ctx.scheduleActivity('a');
        void ctx.scheduleTimer(1);
        return 'done';
      }),
    );
    await turnOf(execution, [stored(1, START)]);
    expect(execution.takeDraft().left.map(({ kind }) => kind)).toEqual(['activity', 'timer']);
  });

  it('holds the last value of each KV key and of the custom status', async () => {
    const execution = new Execution(
      optionsOf(
        async (ctx) => {
          ctx.kv.set('a', 1);
          ctx.kv.set('a', 2);
          ctx.kv.delete('b');
          ctx.kv.set('c', 1);
          ctx.kv.clear();
          ctx.kv.set('d', 3);
          ctx.setCustomStatus('x');
          ctx.setCustomStatus('y');
        },
        { kv: new Map([['b', encode(0)]]) },
      ),
    );
    await turnOf(execution, [stored(1, START)]);
    const draft = execution.takeDraft();
    expect([...draft.kv]).toEqual([
      ['a', null],
      ['b', null],
      ['c', null],
      ['d', '3'],
    ]);
    expect(draft.customStatus).toBe('"y"');
  });
});

describe('What a replay does not do again', () => {
  const chatty: Program = async (ctx) => {
    ctx.log.log('begun', { n: 1 });
    await ctx.scheduleActivity('a');
    ctx.log.warn('half way');
    await ctx.scheduleWait('go');
    ctx.log.error('over');
  };

  it('write log lines: each comes once, with the turn that produced it', async () => {
    const { logs, history } = await perform(chatty);
    expect(logs).toEqual([
      { level: 'log', message: 'begun', fields: { n: 1 } },
      { level: 'warn', message: 'half way', fields: undefined },
    ]);
    const execution = new Execution(optionsOf(chatty, { history }));
    await turnOf(execution, []);
    expect(execution.takeDraft().logs).toEqual([]);
  });

  it('write log lines of a new turn together with those of old ones', async () => {
    const { history } = await perform(chatty);
    const execution = new Execution(optionsOf(chatty, { history }));
    const buffer = new MessageBuffer();
    buffer.add({ seq: 9, message: { kind: 'external-event', name: 'go', data: encode(1) } });
    await turnOf(execution, [], EPOCH, buffer);
    const draft = execution.takeDraft();
    expect(draft.logs.map(({ message }) => message)).toEqual(['over']);
    expect(brief(draft.events)).toEqual(['#4 = 1', 'completed undefined']);
    expect(draft.events[0]!.id).toBe(5);
  });

  it('run side effects, put activities into the draft, or touch KV of the draft', async () => {
    let ran = 0;
    const program: Program = async (ctx) => {
      ctx.sideEffect(() => ++ran);
      ctx.kv.set('k', 1);
      ctx.setCustomStatus(1);
      void ctx.scheduleActivity('a');
      void ctx.scheduleTimer(1);
      void ctx.scheduleSubOrchestration('Child');
      void ctx.scheduleOrchestration('Child');
      await ctx.scheduleWait('go');
    };
    const { history } = await perform(program, { delay: () => Infinity });
    const execution = new Execution(optionsOf(program, { history }));
    await turnOf(execution, []);
    const draft = execution.takeDraft();
    expect(ran).toBe(1);
    expect([draft.events, draft.activities, draft.timers, draft.children, draft.detachedStarts]).toEqual([
      [],
      [],
      [],
      [],
      [],
    ]);
    expect(draft.kv.size).toBe(0);
    expect(draft.customStatus).toBeUndefined();
    expect(execution.kv.get('k')).toBe('1');
  });

  it('say that it is new: isReplaying holds until the last recorded run of the code is over', async () => {
    const program =
      (seen: boolean[]): Program =>
      async (ctx) => {
        seen.push(ctx.isReplaying);
        await ctx.scheduleActivity('a');
        seen.push(ctx.isReplaying);
        void ctx.scheduleWait('go').then(() => seen.push(ctx.isReplaying));
        seen.push(ctx.isReplaying);
        await ctx.scheduleWait('never');
      };
    const warm: boolean[] = [];
    const { history } = await perform(program(warm));
    expect(warm).toEqual([false, false, false]);
    const cold: boolean[] = [];
    const execution = new Execution(optionsOf(program(cold), { history }));
    const buffer = new MessageBuffer();
    buffer.add({ seq: 9, message: { kind: 'external-event', name: 'go', data: encode(1) } });
    await turnOf(execution, [], EPOCH, buffer);
    expect(cold).toEqual([true, true, true, false]);
  });
});

describe('Chance', () => {
  it('repeats for the same generation, execution and call, and for nothing else', async () => {
    const draw = async (more: object): Promise<string> => {
      const program: Program = async (ctx) => [ctx.newGuid(), ctx.random(), ctx.newGuid(), ctx.random()];
      const execution = new Execution(optionsOf(program, more));
      await turnOf(execution, [stored(1, START)]);
      return (execution.ending as { output: string }).output;
    };
    const first = await draw({});
    expect(await draw({})).toBe(first);
    const drawn = [first, await draw({ executionId: 2 }), await draw({ generation: 'f'.repeat(32) })];
    const values = drawn.flatMap((text) => JSON.parse(text) as unknown[]);
    expect(new Set(values).size).toBe(12);
  });

  it('names children of parents with long ids within the limit, without splitting a character', async () => {
    const execution = new Execution(
      optionsOf(async (ctx) => ctx.scheduleSubOrchestration('Child'), { instanceId: '😀'.repeat(128) }),
    );
    await turnOf(execution, [stored(1, START)]);
    const { instanceId } = execution.takeDraft().children[0]!;
    expect(instanceId.length).toBeLessThanOrEqual(256);
    expect(instanceId.isWellFormed()).toBe(true);
    expect(instanceId).toMatch(/::01234567\.1\.2$/);
  });
});

describe('A configured limit', () => {
  const limits = {
    ...DEFAULT_LIMITS,
    maxPayloadBytes: 100,
    maxKvKeys: 2,
    maxKvValueBytes: 50,
    maxCustomStatusBytes: 50,
    maxHistoryEvents: 10,
  };
  const large = 'x'.repeat(200);

  it.each<[string, Program]>([
    ['arguments', async (ctx) => ctx.scheduleActivity('a', [large])],
    ['a child input', async (ctx) => ctx.scheduleSubOrchestration('Child', large)],
    ['a detached input', async (ctx) => ctx.scheduleOrchestration('Child', large)],
    ['the next input', async (ctx) => ctx.continueAsNew(large)],
    ['the result', async () => large],
    ['a side effect', async (ctx) => ctx.sideEffect(() => large)],
    ['a KV value', async (ctx) => ctx.kv.set('k', large)],
    ['the number of KV keys', async (ctx) => ['a', 'b', 'c'].forEach((key) => ctx.kv.set(key, 1))],
    ['the custom status', async (ctx) => ctx.setCustomStatus(large)],
  ])('suspends and never throws into the code: %s', async (_, program) => {
    let caught = false;
    const careful: Program = async (ctx, input) => {
      try {
        return await program(ctx, input);
      } catch {
        caught = true;
        return 'another way';
      }
    };
    const execution = new Execution(optionsOf(careful, { limits }));
    await turnOf(execution, [stored(1, START)]);
    expect(execution.fault).toMatchObject({ code: 'ERR_DURABLE_LIMIT' });
    expect(execution.ending).toBeUndefined();
    // Only what must answer at once throws, and then the fault itself; the code cannot go another way.
    expect(caught).toBe(program.toString().includes('sideEffect'));
  });

  it('on history suspends an endless loop', async () => {
    const program: Program = async (ctx) => {
      for (;;) await ctx.scheduleTimer(0);
    };
    const execution = new Execution(optionsOf(program, { limits }));
    await turnOf(execution, [stored(1, START)]);
    for (let id = 2; execution.fault === undefined && id < 20; id += 2)
      await turnOf(execution, [{ kind: 'timer', executionId: 1, scheduleId: id }]);
    expect(execution.fault).toMatchObject({ code: 'ERR_DURABLE_LIMIT', details: { limit: 'history events' } });
  });
});

describe('A handler this node does not know', () => {
  it.each<[string, Program]>([
    ['activity', async (ctx) => ctx.scheduleActivity('missing')],
    ['orchestration', async (ctx) => ctx.scheduleSubOrchestration('missing')],
    ['orchestration', async (ctx) => ctx.scheduleOrchestration('missing')],
  ])('suspends: %s', async (kind, program) => {
    const { fault } = await perform(program);
    expect(fault).toMatchObject({ code: 'ERR_DURABLE_HANDLER_MISSING', details: { kind, name: 'missing' } });
  });

  it('is no matter where a tag sends the activity elsewhere, nor on replay', async () => {
    const program: Program = async (ctx) => ctx.scheduleActivity('missing', [], { tag: 'elsewhere' });
    const { fault, history } = await perform(program);
    expect(fault).toBeUndefined();
    expect((await replay(program, history)).fault).toBeUndefined();
  });
});

it('A cancellation that comes after the end changes nothing', async () => {
  const { history } = await perform(async (ctx) => ctx.scheduleActivity('a'), { messages: [cancelAt(50)] });
  expect(brief(history).at(-1)).toBe('completed "a"');
});
