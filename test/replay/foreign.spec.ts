import { readFile } from 'node:fs/promises';
import { setTimeout as passed } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { ForeignAwaitError } from '../../lib/core/errors.js';
import { Execution, MessageBuffer, Turn, type OrchestrationContext } from '../../lib/replay/index.js';
import { encode, EPOCH, immediate, optionsOf, takeTurn, type Program } from './support.js';

/** An execution after its first turn, and what it reports later. */
async function begun(program: Program): Promise<{ execution: Execution; reported: Promise<ForeignAwaitError> }> {
  let report!: (fault: ForeignAwaitError) => void;
  const reported = new Promise<ForeignAwaitError>((resolve) => (report = resolve));
  const execution = new Execution(optionsOf(program, { onForeignCall: report }));
  const message = { kind: 'start', executionId: 1, name: 'Program', version: '1.0.0', input: encode(1) } as const;
  await takeTurn(new Turn(execution, [{ kind: 'message', message, seq: 1 }], new MessageBuffer(), () => EPOCH));
  return { execution, reported };
}

/** Resolved by the test, from outside every stand. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

const settledMicrotasks = (): Promise<void> => new Promise((resolve) => immediate(resolve));

describe('Awaiting what is not durable', () => {
  it.each<[string, Program]>([
    ['a timer of Node', async () => passed(1)],
    ['a file', async () => readFile(new URL(import.meta.url))],
    ['a promise nobody resolves', async () => new Promise(() => undefined)],
    ['a timer of Node after a durable step that is done', async (ctx) => [ctx.setCustomStatus(1), await passed(1)]],
  ])('with nothing durable open is a fault at once: %s', async (_, program) => {
    const { execution } = await begun(program);
    expect(execution.fault).toMatchObject({ code: 'ERR_DURABLE_FOREIGN_AWAIT', details: { instanceId: 'i-1' } });
    expect(execution.fault!.message).toContain('an await that is not durable');
  });

  it.each<[string, string, (ctx: OrchestrationContext) => unknown]>([
    ['an activity', 'scheduleActivity(a)', (ctx) => ctx.scheduleActivity('a')],
    ['a timer', 'scheduleTimer()', (ctx) => ctx.scheduleTimer(1)],
    ['a wait', 'scheduleWait(go)', (ctx) => ctx.scheduleWait('go')],
    ['a dequeue', 'dequeueEvent(jobs)', (ctx) => ctx.dequeueEvent('jobs')],
    ['a child', 'scheduleSubOrchestration()', (ctx) => ctx.scheduleSubOrchestration('Child')],
    ['a detached start', 'scheduleOrchestration()', (ctx) => ctx.scheduleOrchestration('Child')],
    ['continue-as-new', 'continueAsNew()', (ctx) => ctx.continueAsNew()],
    ['a select', 'select()', (ctx) => ctx.select([Promise.resolve()])],
    ['a condition', 'waitUntil()', (ctx) => ctx.waitUntil(() => true)],
    ['a log line', 'log', (ctx) => ctx.log.log('hello')],
    ['a KV value', 'kv.set(k)', (ctx) => ctx.kv.set('k', 1)],
    ['a custom status', 'setCustomStatus()', (ctx) => ctx.setCustomStatus(1)],
    ['a side effect', 'sideEffect()', (ctx) => ctx.sideEffect(() => 1)],
    ['a GUID', 'newGuid()', (ctx) => ctx.newGuid()],
    ['chance', 'random()', (ctx) => ctx.random()],
    ['a read of KV', 'kv.get(k)', (ctx) => ctx.kv.get('k')],
    ['the keys of KV', 'kv.keys()', (ctx) => ctx.kv.keys()],
    ['all of KV', 'kv.keys()', (ctx) => ctx.kv.entries()],
    ['a shield', 'shield()', (ctx) => ctx.shield(async () => 1)],
    ['its end', 'the end of run() (OrchestrationCompleted)', () => undefined],
  ])('that wins a race against a durable timer is reported at what it leads to: %s', async (_, call, act) => {
    const foreign = gate();
    let after = 0;
    const { execution, reported } = await begun(async (ctx) => {
      await Promise.race([ctx.scheduleTimer('1d'), foreign.opened]);
      await act(ctx);
      after++;
    });
    expect(execution.fault).toBeUndefined();
    execution.takeDraft();
    foreign.open();
    const fault = await reported;
    expect(fault).toMatchObject({ code: 'ERR_DURABLE_FOREIGN_AWAIT', details: { call } });
    expect(execution.fault).toBe(fault);
    await settledMicrotasks();
    expect(execution.takeDraft().events).toEqual([]);
    expect(execution.ending).toBeUndefined();
    expect(execution.kv.size).toBe(0);
    expect(after).toBeLessThanOrEqual(1);
  });

  it('is not reported when a native race of durable futures and settled promises is decided on the stand', async () => {
    const { execution } = await begun(async (ctx) => Promise.race([ctx.scheduleTimer('1d'), Promise.resolve('x')]));
    expect(execution.ending?.kind).toBe('OrchestrationCompleted');
  });

  it('cancelling a future off the stand is reported, and the future stays open', async () => {
    const foreign = gate();
    const { execution, reported } = await begun(async (ctx) => {
      const timer = ctx.scheduleTimer('1d');
      void foreign.opened.then(() => timer.cancel());
      await timer;
    });
    foreign.open();
    expect((await reported).details).toMatchObject({ call: 'cancel() of timer timer' });
    expect(execution.open.size).toBe(1);
  });
});

describe('A value that is asked for off the stand', () => {
  it.each<[string, (ctx: OrchestrationContext) => unknown, unknown]>([
    ['newGuid()', (ctx) => ctx.newGuid(), expect.stringMatching(/^[0-9a-f-]{36}$/)],
    ['random()', (ctx) => ctx.random(), expect.any(Number)],
    ['kv.get(k)', (ctx) => ctx.kv.get('k'), 'kept'],
    ['kv.keys()', (ctx) => ctx.kv.keys(), ['k']],
    ['sideEffect()', (ctx) => ctx.sideEffect(() => 'done'), 'done'],
  ])('is given, because a throw would end the process, and is of no consequence: %s', async (call, ask, given) => {
    let context!: OrchestrationContext;
    const { execution, reported } = await begun(async (ctx) => {
      context = ctx;
      ctx.kv.set('k', 'kept');
      await ctx.scheduleWait('go');
    });
    execution.takeDraft();
    expect(ask(context)).toEqual(given);
    expect((await reported).details).toMatchObject({ call });
    expect(execution.takeDraft().events).toEqual([]);
    // Suspended, and so dead: the next call is not reported again, nor recorded.
    expect(ask(context)).toEqual(given);
    expect(execution.takeDraft().events).toEqual([]);
  });

  it('is refused to the code of another execution, which would record it', async () => {
    let borrowed!: OrchestrationContext;
    const owner = await begun(async (ctx) => {
      borrowed = ctx;
      await ctx.scheduleWait('go');
    });
    const thief = await begun(async (ctx) => ctx.scheduleActivity('a', [borrowed.newGuid()]));
    expect((await owner.reported).details).toMatchObject({ call: 'newGuid()' });
    expect(thief.execution.ending).toMatchObject({
      kind: 'OrchestrationFailed',
      failure: { code: 'ERR_DURABLE_FOREIGN_AWAIT' },
    });
  });
});

describe('The context of another execution', () => {
  it('does nothing on a stand that is not its own', async () => {
    let borrowed!: OrchestrationContext;
    const owner = await begun(async (ctx) => {
      borrowed = ctx;
      await ctx.scheduleWait('go');
    });
    owner.execution.takeDraft();
    const thief = await begun(async (ctx) => {
      void borrowed.scheduleActivity('stolen');
      await ctx.scheduleWait('go');
    });
    expect((await owner.reported).details).toMatchObject({ call: 'scheduleActivity(stolen)' });
    expect(owner.execution.takeDraft().events).toEqual([]);
    expect(thief.execution.fault).toBeUndefined();
    expect(thief.execution.takeDraft().activities).toEqual([]);
  });

  it('gives futures that no other select takes', async () => {
    let shared!: Promise<unknown>;
    await begun(async (ctx) => (shared = ctx.scheduleWait('go')));
    const { execution } = await begun(async (ctx) => ctx.select({ shared, own: ctx.scheduleTimer(1) }));
    expect(execution.ending).toMatchObject({ kind: 'OrchestrationFailed', failure: { code: 'ERR_DURABLE_OPTION' } });
  });
});

describe('An execution that is over', () => {
  it('was dropped: what its code still does is silent and goes nowhere', async () => {
    const foreign = gate();
    const done = gate();
    let reports = 0;
    const { execution, reported } = await begun(async (ctx) => {
      const timer = ctx.scheduleTimer('1d');
      await Promise.race([timer, foreign.opened]);
      timer.cancel();
      ctx.log.log('hello');
      void ctx.scheduleActivity('a').then(() => reports++);
      void ctx.waitUntil(() => true).then(() => reports++);
      void ctx.select([timer]).then(() => reports++);
      done.open();
    });
    void reported.then(() => reports++);
    execution.takeDraft();
    execution.drop();
    foreign.open();
    await done.opened;
    await settledMicrotasks();
    expect(reports).toBe(0);
    expect(execution.fault).toBeUndefined();
    expect(execution.ending).toBeUndefined();
    expect(execution.takeDraft().events).toEqual([]);
  });

  it('has ended: calls later in the same run are silent and go nowhere', async () => {
    let reports = 0;
    const { execution, reported } = await begun(async (ctx) => {
      const helper = async (): Promise<void> => {
        for (let tick = 0; tick < 20; tick++) await Promise.resolve();
        await ctx.scheduleActivity('late');
      };
      void helper();
      return 'done';
    });
    void reported.then(() => reports++);
    await settledMicrotasks();
    expect(reports).toBe(0);
    expect(execution.ending?.kind).toBe('OrchestrationCompleted');
    expect(execution.takeDraft().activities).toEqual([]);
  });
});
