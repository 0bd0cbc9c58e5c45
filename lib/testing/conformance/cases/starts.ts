import { strict as assert } from 'node:assert';
import { has, same } from '../check.js';
import * as is from '../items.js';
import type { Node } from '../node.js';
import { table, theme } from '../world.js';

const FINAL = ['Completed', 'Failed', 'Cancelled', 'Terminated'] as const;

async function endedAs(a: Node, status: (typeof FINAL)[number]): Promise<void> {
  await a.accepted(is.start('i'));
  const ending = status === 'Completed' ? is.completed : { status, failure: is.failure() };
  await a.accepted(is.ending('i', 0, { ending }));
}

export const startCases = [
  ...theme('a start', {
    'is an instance at once, with its input as the first message': async (world) => {
      const a = await world.node('a');
      const { verdicts, started, delivered } = await a.commit(is.start('i', { input: '{"x":1}', version: '2.0.0' }));
      const message = { kind: 'start', executionId: 1, name: 'Test', version: '2.0.0', input: '{"x":1}' } as const;
      same([verdicts, started], [[{ kind: 'accepted' }], ['i']]);
      same(delivered, [{ ...is.keyOf('i'), seq: 1, message }]);
      same(await a.messages('i'), [message]);
      same(await a.status('i'), {
        ...is.keyOf('i'),
        name: 'Test',
        version: '2.0.0',
        status: 'Pending',
        executionId: 1,
        parent: undefined,
        customStatus: null,
        output: null,
        failure: null,
        suspension: null,
        cancelRequested: false,
        createdAt: 1_000,
        updatedAt: 1_000,
        endedAt: null,
      });
    },
    'of a taken id changes nothing of it': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i', { input: '"first"' }));
      const before = [await a.status('i'), await a.load('i')];
      const second = is.start('i', { generation: 'second', input: '"second"', name: 'Other', version: '9.0.0' });
      has(await a.commit(second), { verdicts: [{ kind: 'exists' }], started: [], delivered: [] });
      same([await a.status('i'), await a.load('i')], before);
    },
    'of a finished id is a clash unless a restart is asked for': async (world) => {
      const a = await world.node('a');
      await endedAs(a, 'Completed');
      same(await a.kinds(is.start('i', { generation: 'second' })), ['exists']);
      has(await a.status('i'), { generation: is.generationOf('i'), output: '42' });
    },
    'is one of two of the same id in one batch': async (world) => {
      const a = await world.node('a');
      const kinds = await a.kinds(is.start('i', { generation: 'one' }), is.start('i', { generation: 'two' }));
      same([...kinds].sort(), ['accepted', 'exists']);
      const { generation, messagesIn } = await a.load('i');
      same([generation, messagesIn], [kinds[0] === 'accepted' ? 'one' : 'two', 1]);
    },
    'that asks for a restart of an unknown id just starts': async (world) => {
      const a = await world.node('a');
      same(await a.kinds(is.restart('i', 'first')), ['accepted']);
      has(await a.status('i'), { generation: 'first', status: 'Pending' });
    },
    'that asks for a restart of a suspended id is a clash': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.suspend('i'));
      same(await a.kinds(is.restart('i', 'second')), ['exists']);
      has(await a.status('i'), { status: 'Suspended', generation: is.generationOf('i') });
    },
    'that asks for a restart of a running id is a clash': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.firstTurn('i', { kv: [{ key: 'k', value: '1' }] }));
      same(await a.kinds(is.restart('i', 'second')), ['exists']);
      assert.equal(await a.provider.kv('i', 'k'), '1');
    },
    'that restarts leaves nothing of the old life': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('neighbour'));
      await a.accepted(is.fullTurn('i', 0, { children: [], messages: [] }));
      await a.accepted(is.ending('i', 1, { changes: { version: '1.0.0', cancelRequested: true } }));
      assert.equal((await a.provider.history('i', 1, { limit: 9 })).items.length, 1);
      await a.accepted(is.restart('i', 'second', { input: '"again"' }));
      has(await a.load('i'), {
        generation: 'second',
        turn: 0,
        executionId: 1,
        nextEventId: 1,
        messagesIn: 1,
        messagesSeen: 0,
      });
      has(await a.status('i'), {
        status: 'Pending',
        output: null,
        endedAt: null,
        customStatus: null,
        cancelRequested: false,
      });
      same((await a.load('i')).history, []);
      assert.equal((await a.provider.kvAll('i')).size, 0);
      same((await a.provider.history('i', undefined, { limit: 9 })).items, []);
    },
    'that restarts leaves other instances alone': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('i2'));
      await a.accepted(
        is.ending('i'),
        is.firstTurn('i2', {
          history: is.history('OrchestrationStarted'),
          kv: [{ key: 'k', value: '1' }],
          timers: [is.timer(3, 10)],
          activities: [is.activity(4)],
          toItself: { kind: 'continue' },
        }),
      );
      const before = await a.load('i2', { dueUntil: 99 });
      await a.accepted(is.restart('i', 'second'));
      same(await a.load('i2', { dueUntil: 99 }), before);
      assert.equal(await a.provider.kv('i2', 'k'), '1');
      assert.equal((await a.claim()).length, 1);
    },
    'that restarts an instance ending in the same batch never makes a mixture': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      const [, second] = await a.kinds(
        is.ending('i', 0, { history: is.history('OrchestrationStarted', 'OrchestrationCompleted') }),
        is.restart('i', 'second'),
      );
      const { generation, status, output } = await a.status('i');
      const recorded = (await a.provider.history('i', 1, { limit: 9 })).items.length;
      const isNew = second === 'accepted';
      same(
        [generation, status, output, recorded],
        isNew ? ['second', 'Pending', null, 0] : [is.generationOf('i'), 'Completed', '42', 2],
      );
    },
    'and its message in one batch arrive in that order': async (world) => {
      const a = await world.node('a');
      await a.commit(is.start('i'), is.send('i', is.event('e')));
      same(
        (await a.messages('i')).map(({ kind }) => kind),
        ['start', 'external-event'],
      );
    },
    'takes 300 instances in one batch': async (world) => {
      const a = await world.node('a');
      const ids = Array.from({ length: 300 }, (_, n) => `i${n}`);
      const { started } = await a.accepted(...ids.map((id) => is.start(id)));
      same(new Set(started), new Set(ids));
      assert.equal((await a.provider.statuses(ids)).length, 300);
    },
  }),
  ...theme(
    'a start',
    table(
      FINAL,
      (status) => `restarts an instance that is ${status}`,
      async (world, status) => {
        const a = await world.node('a');
        await endedAs(a, status);
        has(await a.status('i'), { status });
        same(await a.kinds(is.restart('i', 'second')), ['accepted']);
        has(await a.status('i'), { status: 'Pending', generation: 'second', failure: null, output: null });
      },
    ),
  ),
  ...theme('the old life of a restarted instance', {
    'has no completion of an activity': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.firstTurn('i', { activities: [is.activity(1, { claimed: true })] }));
      await a.accepted(is.ending('i', 1));
      await a.accepted(is.restart('i', 'second'));
      await a.accepted(is.firstTurn('i', { generation: 'second', activities: [is.activity(1, { claimed: true })] }));
      const late = is.bornClaimed('i', 1);
      same(await a.kinds(is.complete(late), is.retry(late), is.release(late)), ['refused', 'refused', 'refused']);
      same(await a.kinds(is.complete({ ...late, generation: 'second' })), ['accepted']);
    },
    'gets no message meant for it': async (world) => {
      const a = await world.node('a');
      await endedAs(a, 'Completed');
      await a.accepted(is.restart('i', 'second'));
      const [verdict] = await a.kinds(is.send('i', is.event('e'), is.generationOf('i')));
      assert.notEqual(verdict, 'accepted');
      same(await a.counters('i'), [1, 0]);
      same(await a.kinds(is.send('i', is.event('e'), 'second')), ['accepted']);
    },
    'is not suspended or suspected in place of the new one': async (world) => {
      const a = await world.node('a');
      await endedAs(a, 'Completed');
      await a.accepted(is.restart('i', 'second'));
      same(await a.kinds(is.suspendByEngine('i', 'b1'), is.suspect('i')), ['refused', 'refused']);
      has(await a.status('i'), { status: 'Pending' });
    },
    'has no messages to read': async (world) => {
      const a = await world.node('a');
      await endedAs(a, 'Completed');
      await a.accepted(is.restart('i', 'second'), is.send('i', is.event('e')));
      same(await a.provider.messagesAfter(is.keyOf('i'), 0, 10), []);
      same(await a.provider.bufferedMessages(is.keyOf('i'), 'external-event', 'e', 10), []);
      const second = { instanceId: 'i', generation: 'second' };
      assert.equal((await a.provider.messagesAfter(second, 0, 10)).length, 2);
    },
  }),
];
