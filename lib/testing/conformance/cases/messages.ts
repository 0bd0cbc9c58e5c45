import { strict as assert } from 'node:assert';
import type { Message } from '../../../core/message.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { persistently } from '../node.js';
import { range, table, theme } from '../world.js';

const LINK = { instanceId: 'p', generation: 'g', executionId: 3, scheduleId: 4 };

/** One of each kind, with every field it can have: what goes in comes out. */
const MESSAGES: readonly (readonly [what: string, message: Message])[] = [
  ['a start', { kind: 'start', executionId: 1, name: 'N', version: '1.0.0', input: '{"a":[1]}', parent: LINK }],
  ['an external event', is.event('approved', '{"by":"me"}')],
  ['an external event without data', is.event('approved', '')],
  ['a queue message', is.queued('orders', '[1,2]')],
  ['an activity completion', { kind: 'activity-completion', ...is.schedule(3), attempts: 2, result: 'null' }],
  [
    'an activity completion with a failure',
    {
      kind: 'activity-completion',
      ...is.schedule(3, 7),
      attempts: 3,
      failure: {
        ...is.failure('no'),
        stack: 'at x\nat y',
        retryAfterMs: 5,
        cause: is.failure('why'),
        errors: [is.failure('one')],
      },
    },
  ],
  ['a child completion', { kind: 'child-completion', ...is.schedule(3), result: '"r"' }],
  [
    'a child completion with a failure',
    { kind: 'child-completion', ...is.schedule(3), outcome: 'terminated', failure: is.failure('stopped') },
  ],
  ['the answer to a detached start', { kind: 'detached-start', ...is.schedule(9), failure: is.failure() }],
  ['a cancellation', is.cancel('because of "reasons"\n')],
  ['a termination', is.terminate('')],
  ['the wish to continue', { kind: 'continue' }],
];

export const messageCases = [
  ...theme(
    'a message',
    table(
      MESSAGES,
      ([what]) => `that is ${what} is stored as it was sent`,
      async (world, [, message]) => {
        const a = await world.node('a');
        await a.accepted(is.start('i'));
        const { delivered, verdicts } = await a.commit(is.send('i', message));
        same([verdicts, delivered], [[{ kind: 'accepted', seq: 2 }], [{ ...is.keyOf('i'), seq: 2, message }]]);
        const expected = { seq: 2, message };
        same(await a.provider.messagesAfter(is.keyOf('i'), 1, 10), [expected]);
        same((await a.load('i')).messages.slice(1), [expected]);
      },
    ),
  ),
  ...theme(
    'a message',
    table(
      [
        ['not there', 'not-found', undefined],
        ['completed', 'finished', is.completed],
        ['failed', 'finished', { status: 'Failed', failure: is.failure() }],
        ['cancelled', 'finished', { status: 'Cancelled', failure: is.failure() }],
        ['terminated', 'finished', { status: 'Terminated', failure: is.failure() }],
      ] as const,
      ([what]) => `to an instance that is ${what} is answered with that, and leaves nothing`,
      async (world, [, verdict, ending]) => {
        const a = await world.node('a');
        if (ending !== undefined) {
          await a.accepted(is.start('i'));
          await a.accepted(is.ending('i', 0, { ending }));
        }
        has(await a.commit(is.send('i')), { verdicts: [{ kind: verdict }], delivered: [], undeliverable: 0 });
        same(await a.messages('i'), []);
      },
    ),
  ),
  ...theme('messages', {
    'are numbered from 1 without a gap, by the commits of their senders': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      await b.commit(is.send('i'), is.send('i'));
      await a.commit(is.send('i'));
      await b.commit(is.send('i'));
      same(await a.seqsOf('i'), [1, 2, 3, 4, 5]);
      same(await a.counters('i'), [5, 0]);
    },
    'of one batch keep its order, among those of other instances': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('j'));
      const data = range(1, 30).map(String);
      const verdicts = await a.verdicts(...data.flatMap((it) => [is.send('i', is.event('e', it)), is.send('j')]));
      same(
        verdicts.filter((_, index) => index % 2 === 0),
        range(2, 31).map((seq) => ({ kind: 'accepted', seq })),
      );
      same(
        (await a.messages('i')).slice(1).map((it) => 'data' in it && it.data),
        data,
      );
    },
    'to no instance do not take a number': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      const kinds = await a.kinds(
        is.send('i'),
        is.send('nobody'),
        is.send('i'),
        is.send('i', is.event('e'), 'other life'),
      );
      same(kinds.slice(0, 3), ['accepted', 'not-found', 'accepted']);
      same(await a.seqsOf('i'), [1, 2, 3]);
    },
    'to a generation arrive in that one only': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      const [mine, other] = await a.kinds(
        is.send('i', is.event('mine'), is.generationOf('i')),
        is.send('i', is.event('others'), 'other life'),
      );
      assert.equal(mine, 'accepted');
      assert.notEqual(other, 'accepted');
      same((await a.messages('i')).slice(1), [is.event('mine')]);
    },
    'of one sender keep their order, whether they name a generation or not': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('j'));
      const messages = [
        { instanceId: 'j', message: is.event('1') },
        { ...is.keyOf('j'), message: is.event('2') },
        { instanceId: 'j', message: is.event('3') },
        { instanceId: 'j', generation: 'older life', message: is.event('x') },
        { ...is.keyOf('j'), message: is.event('4') },
      ];
      await a.accepted(is.firstTurn('i', { messages }));
      same(
        (await a.messages('j')).slice(1),
        ['1', '2', '3', '4'].map((name) => is.event(name)),
      );
      same(await a.seqsOf('j'), [1, 2, 3, 4, 5]);
    },
    'of a turn that go nowhere are counted, and answered to nobody': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('over'));
      await a.accepted(is.ending('over'));
      const messages = [
        { instanceId: 'over', message: is.event('x') },
        { instanceId: 'nobody', message: is.event('x') },
        { instanceId: 'i', generation: 'older life', message: is.event('x') },
      ];
      has(await a.commit(is.firstTurn('i', { messages })), {
        verdicts: [{ kind: 'accepted' }],
        undeliverable: 3,
        delivered: [],
      });
      same(await a.messages('over'), []);
    },
    'of a turn to its own instance arrive, after its turn': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.firstTurn('i', { messages: [{ instanceId: 'i', message: is.event('me') }] }));
      same(await a.messages('i'), [is.event('me')]);
      same(await a.counters('i'), [2, 1]);
      same(await a.runnable(), ['i']);
    },
    'from an instance to itself take the next number': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.send('i'));
      await a.accepted(is.turn('i', 0, { consumed: [1, 2], messagesSeen: 2, toItself: { kind: 'continue' } }));
      same(await a.provider.messagesAfter(is.keyOf('i'), 0, 9), [{ seq: 3, message: { kind: 'continue' } }]);
      same(await a.counters('i'), [3, 2]);
    },
    'of the next execution stand behind those that wait': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.send('i', is.event('early')));
      await a.accepted(is.firstTurn('i', { executionId: 2, toItself: is.nextExecution(2), messagesSeen: 2 }));
      same(await a.messages('i'), [is.event('early'), is.nextExecution(2)]);
    },
    'that a turn consumed are gone, and only those': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), ...range(1, 5).map(() => is.send('i')));
      await a.accepted(is.turn('i', 0, { consumed: [1, 3, 5], messagesSeen: 6 }));
      same(await a.seqsOf('i'), [2, 4, 6]);
    },
    'that were consumed do not come back with their numbers': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.send('i'));
      await a.accepted(is.turn('i', 0, { consumed: [1, 2], messagesSeen: 2 }));
      await a.commit(is.send('i'));
      same(await a.seqsOf('i'), [3]);
    },
    'that a turn has looked at and left stay, and wake nobody': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.send('i'));
      await a.accepted(is.turn('i', 0, { consumed: [1], messagesSeen: 2 }));
      same(await a.seqsOf('i'), [2]);
      same(await a.runnable(), []);
    },
    'that arrive while a turn is computed stay unseen': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'), is.send('i'));
      await b.commit(is.send('i', is.event('late')));
      await a.accepted(is.turn('i', 0, { consumed: [1, 2], messagesSeen: 2 }));
      same([await a.counters('i'), await a.runnable()], [[3, 2], ['i']]);
      await a.accepted(is.turn('i', 1, { messagesSeen: 1 }));
      same(await a.runnable(), []);
    },
    'can be counted as seen without having been a row': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.firstTurn('i', { consumed: [1, 99] }));
      same(await a.counters('i'), [1, 1]);
    },
    'of an instance that ends in the same batch find it finished': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      same(await a.kinds(is.send('i'), is.ending('i'), is.send('i')), ['finished', 'accepted', 'finished']);
      same(await a.messages('i'), []);
    },
    'that wait for an instance go with it when it ends': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('j'), is.send('i'), is.send('i', is.queued('q')), is.send('j'));
      await a.accepted(is.ending('i'));
      same(await a.messages('i'), []);
      assert.equal((await a.messages('j')).length, 2);
    },
    'of a suspended instance are stored': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.suspend('i'));
      same(await a.kinds(is.send('i')), ['accepted']);
      same(await a.seqsOf('i'), [1, 2]);
    },
    'are read in pages, from a number on': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), ...range(1, 20).map(() => is.send('i')));
      const seqs = async (after: number, limit: number) =>
        (await a.provider.messagesAfter(is.keyOf('i'), after, limit)).map(({ seq }) => seq);
      same(await seqs(0, 3), [1, 2, 3]);
      same(await seqs(3, 5), [4, 5, 6, 7, 8]);
      same(await seqs(19, 100), [20, 21]);
      same(await seqs(21, 100), []);
    },
    'of nobody are none': async (world) => {
      const a = await world.node('a');
      same(await a.provider.messagesAfter(is.keyOf('nobody'), 0, 10), []);
      same(await a.provider.bufferedMessages(is.keyOf('nobody'), 'queue-message', 'q', 10), []);
    },
    'that are buffered are read by kind and name, the oldest first': async (world) => {
      const a = await world.node('a');
      const sent = [
        is.event('x', '1'),
        is.queued('x', '2'),
        is.event('y', '3'),
        is.event('x', '4'),
        is.queued('x', '5'),
      ];
      await a.commit(
        is.start('i'),
        is.start('j'),
        ...sent.map((it) => is.send('i', it)),
        is.send('j', is.event('x', '6')),
      );
      const read = async (kind: 'external-event' | 'queue-message', name: string, limit = 10) =>
        (await a.provider.bufferedMessages(is.keyOf('i'), kind, name, limit)).map(({ seq }) => seq);
      same(
        [await read('external-event', 'x'), await read('queue-message', 'x')],
        [
          [2, 5],
          [3, 6],
        ],
      );
      same(
        [await read('external-event', 'x', 1), await read('queue-message', 'y'), await read('external-event', 'y')],
        [[2], [], [4]],
      );
    },
    'with names that differ in capitals, accents or blanks are not one': async (world) => {
      const a = await world.node('a');
      const names = ['e', 'E', 'é', 'e\u0301', 'e ', ' e'];
      await a.commit(is.start('i'), ...names.map((name) => is.send('i', is.event(name, `"${name}"`))));
      for (const [index, name] of names.entries()) {
        const found = await a.provider.bufferedMessages(is.keyOf('i'), 'external-event', name, 10);
        same(found, [{ seq: index + 2, message: is.event(name, `"${name}"`) }]);
      }
    },
    'are seen by another process once they are committed': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      await b.provider.changedElsewhere();
      await a.commit(is.send('i'));
      assert.equal(await b.provider.changedElsewhere(), true);
      same(await b.seqsOf('i'), [1, 2]);
    },
    'answer a lost batch without their number, which is in the store': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      const batch = a.batch(is.send('i'));
      const [first] = (await a.send(batch)).verdicts;
      const [second] = (await persistently(() => a.provider.commit('a', 0, batch, 0))).verdicts;
      same([first, second!.kind], [{ kind: 'accepted', seq: 2 }, 'accepted']);
    },
    'come in any number: 2,000 for one instance': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      for (let n = 0; n < 8; n++)
        await a.commit(...range(1, 250).map((it) => is.send('i', is.queued('q', `${n * 250 + it}`))));
      same(await a.counters('i'), [2_001, 0]);
      const read = await a.provider.bufferedMessages(is.keyOf('i'), 'queue-message', 'q', 5_000);
      same(
        read.map(({ message }) => 'data' in message && Number(message.data)),
        range(1, 2_000),
      );
    },
  }),
];
