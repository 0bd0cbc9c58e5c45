import { strict as assert } from 'node:assert';
import { ENGINE_FORMAT } from '../../../core/limits.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { range, sorted, theme, type Body } from '../world.js';

/** 20 buffered messages behind the start message, and one that is not buffered behind them. */
const deepInbox = (run: (a: Awaited<ReturnType<Parameters<Body>[0]['node']>>) => Promise<void>): Body => {
  return async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'), is.start('j'));
    await a.commit(
      ...range(1, 20).map((n) => is.send('i', n % 2 === 0 ? is.event('e', String(n)) : is.queued('q', String(n)))),
    );
    await a.commit(is.send('i', is.cancel()), is.send('j'));
    await run(a);
  };
};

export const loadingCases = [
  ...theme('loading', {
    'gives all the next turn needs': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('p'));
      await a.accepted(is.firstTurn('p', { children: [is.child('i')] }));
      const recorded = is.history('OrchestrationStarted', 'KvCleared');
      const changes = { version: '3.0.0', cancelRequested: true };
      await a.accepted(
        is.firstTurn('i', {
          history: recorded,
          nextEventId: 3,
          timers: [is.timer(2, 50)],
          changes,
          keepOwnership: true,
        }),
      );
      await a.commit(is.send('i', is.cancel('stop')));
      same(await a.load('i', { dueUntil: 100 }), {
        ...is.keyOf('i'),
        status: 'Running',
        name: 'Child',
        version: '3.0.0',
        turn: 1,
        owner: 'a',
        executionId: 1,
        nextEventId: 3,
        messagesIn: 2,
        messagesSeen: 1,
        crashes: 0,
        parent: { ...is.keyOf('p'), executionId: 1, scheduleId: 2 },
        cancelRequested: true,
        held: 0,
        activityRows: [],
        engineFormat: ENGINE_FORMAT,
        history: [
          { id: 1, kind: 'OrchestrationStarted' },
          { id: 2, kind: 'KvCleared' },
        ] as never,
        messages: [{ seq: 2, message: is.cancel('stop') }],
        moreBuffered: false,
        dueTimers: [is.schedule(2)],
        kvAtStart: new Map(),
        unreadable: undefined,
      });
    },
    'leaves out who is unknown, and gives each once': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('j'));
      const loaded = await a.provider.load(['j', 'nobody', 'i'], { bufferedMessages: 9, dueUntil: 0 });
      same(sorted(loaded.map(({ instanceId }) => instanceId)), ['i', 'j']);
      same(await a.provider.load([], { bufferedMessages: 9, dueUntil: 0 }), []);
    },
    'gives many instances their own rows': async (world) => {
      const a = await world.node('a');
      const ids = range(1, 60).map((n) => `i${n}`);
      await a.accepted(...ids.map((id) => is.start(id)));
      await a.accepted(
        ...ids.map((id, n) =>
          is.firstTurn(id, {
            history: is.events(1, 1, { kind: 'KvSet', key: id, value: '1' }),
            timers: [is.timer(n + 2, 5)],
            messages: [{ instanceId: id, message: is.event(id) }],
          }),
        ),
      );
      const loaded = await a.provider.load(ids, { bufferedMessages: 9, dueUntil: 9 });
      assert.equal(loaded.length, 60);
      for (const { instanceId, history, messages, dueTimers } of loaded) {
        const n = ids.indexOf(instanceId);
        same(history, [{ id: 1, kind: 'KvSet', key: instanceId, value: '1' }]);
        same(messages, [{ seq: 2, message: is.event(instanceId) }]);
        same(dueTimers, [is.schedule(n + 2)]);
      }
    },
    'cuts buffered messages at the limit, and nothing else': deepInbox(async (a) => {
      const { messages, moreBuffered, messagesIn } = await a.load('i', { bufferedMessages: 5 });
      same(
        messages.map(({ seq }) => seq),
        [1, 2, 3, 4, 5, 6, 22],
      );
      same([moreBuffered, messagesIn], [true, 22]);
    }),
    'says nothing was cut where the limit is just enough': deepInbox(async (a) => {
      has(await a.load('i', { bufferedMessages: 20 }), { moreBuffered: false });
      has(await a.load('i', { bufferedMessages: 19 }), { moreBuffered: true });
      assert.equal((await a.load('i', { bufferedMessages: 20 })).messages.length, 22);
    }),
    'counts the limit for each instance': deepInbox(async (a) => {
      const loaded = await a.provider.load(['i', 'j'], { bufferedMessages: 1, dueUntil: 0 });
      const short = loaded.map((it) => `${it.instanceId} ${it.messages.length} ${it.moreBuffered}`);
      same(sorted(short), ['i 3 true', 'j 2 false']);
    }),
    'can leave out all buffered messages': deepInbox(async (a) => {
      const { messages, moreBuffered } = await a.load('i', { bufferedMessages: 0 });
      same([messages.map(({ message }) => message.kind), moreBuffered], [['start', 'cancel'], true]);
    }),
    'never cuts what is not buffered, however much it is': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      const completion = (n: number) =>
        ({ kind: 'activity-completion', ...is.schedule(n), attempts: 1, result: '1' }) as const;
      await a.commit(...range(1, 300).map((n) => is.send('i', completion(n))));
      has(await a.load('i', { bufferedMessages: 1 }), { moreBuffered: false });
      same(
        (await a.load('i', { bufferedMessages: 1 })).messages.map(({ seq }) => seq),
        range(1, 301),
      );
    },
    'gives a finished instance without anything left to do': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.send('i'));
      await a.accepted(is.ending('i', 0, { timers: [is.timer(1, 5)], history: is.history('OrchestrationStarted') }));
      has(await a.load('i', { dueUntil: 99 }), {
        status: 'Completed',
        messages: [],
        dueTimers: [],
        moreBuffered: false,
      });
    },
    'names an owner only while it lives': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      has(await a.load('i'), { owner: 'b' });
      await a.takeOver(['b']);
      has(await a.load('i'), { owner: null });
    },
  }),
  ...theme(
    'a row that cannot be read',
    {
      'of a history concerns its instance alone': async (world) => {
        const a = await world.node('a');
        await a.accepted(is.start('bad'), is.start('good'));
        const history = is.history('OrchestrationStarted');
        await a.accepted(is.firstTurn('bad', { history }), is.firstTurn('good', { history }));
        await world.fixture.damage!('history', 'bad');
        const loaded = await a.provider.load(['bad', 'good'], { bufferedMessages: 9, dueUntil: 0 });
        const verdicts = loaded.map((it) => `${it.instanceId} ${typeof it.unreadable} ${it.history.length}`);
        same(sorted(verdicts), ['bad string 0', 'good undefined 1']);
      },
      'of a message concerns its instance alone': async (world) => {
        const a = await world.node('a');
        await a.accepted(is.start('bad'), is.start('good'));
        await world.fixture.damage!('message', 'bad');
        const loaded = await a.provider.load(['bad', 'good'], { bufferedMessages: 9, dueUntil: 0 });
        same(sorted(loaded.map((it) => `${it.instanceId} ${typeof it.unreadable}`)), ['bad string', 'good undefined']);
      },
      'keeps nobody from committing, also for that instance': async (world) => {
        const a = await world.node('a');
        await a.accepted(is.start('bad'), is.start('good'));
        await world.fixture.damage!('message', 'bad');
        const kinds = await a.kinds(is.send('bad'), is.suspendByEngine('bad', 'b1'), is.firstTurn('good'));
        same(kinds, ['accepted', 'accepted', 'accepted']);
        has(await a.status('bad'), { status: 'Suspended' });
      },
      'is still there after the instance was suspended and resumed': async (world) => {
        const a = await world.node('a');
        await a.accepted(is.start('bad'));
        await world.fixture.damage!('message', 'bad');
        await a.accepted(is.suspendByEngine('bad', 'b1'));
        await a.accepted(is.resume('bad'));
        const { unreadable, messagesIn } = await a.load('bad');
        same([typeof unreadable, messagesIn], ['string', 2]);
      },
      'goes with its instance when that is ended': async (world) => {
        const a = await world.node('a');
        await a.accepted(is.start('bad'));
        await world.fixture.damage!('message', 'bad');
        await a.accepted(is.ending('bad', 0, { ending: { status: 'Terminated', failure: is.failure() } }));
        has(await a.load('bad'), { unreadable: undefined, status: 'Terminated' });
      },
    },
    ({ damage }) => (damage === undefined ? 'the fixture cannot damage rows' : undefined),
  ),
];
