import { strict as assert } from 'node:assert';
import type { TurnItem } from '../../../provider/batch.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import type { Node } from '../node.js';
import { table, theme, type World } from '../world.js';

interface Refusal {
  readonly why: string;
  readonly prepare?: (a: Node, world: World) => Promise<unknown>;
  readonly turn: TurnItem;
}

const REFUSALS: readonly Refusal[] = [
  { why: 'of another generation', turn: is.fullTurn('i', 0, { generation: 'another life' }) },
  { why: 'that is over', prepare: (a) => a.accepted(is.firstTurn('i')), turn: is.fullTurn('i', 0) },
  { why: 'that is yet to come', turn: is.fullTurn('i', 1) },
  { why: 'of an instance that is not there', turn: is.fullTurn('nobody') },
  { why: 'of a completed instance', prepare: (a) => a.accepted(is.ending('i')), turn: is.fullTurn('i', 1) },
  {
    why: 'of a failed instance',
    prepare: (a) => a.accepted(is.ending('i', 0, { ending: { status: 'Failed', failure: is.failure() } })),
    turn: is.fullTurn('i', 1),
  },
  {
    why: 'of a terminated instance',
    prepare: (a) => a.accepted(is.ending('i', 0, { ending: { status: 'Terminated', failure: is.failure() } })),
    turn: is.fullTurn('i', 1),
  },
  {
    why: 'of a cancelled instance',
    prepare: (a) => a.accepted(is.ending('i', 0, { ending: { status: 'Cancelled', failure: is.failure() } })),
    turn: is.fullTurn('i', 1),
  },
  { why: 'of an instance an operator suspended', prepare: (a) => a.accepted(is.suspend('i')), turn: is.fullTurn('i') },
  {
    why: 'of an instance an engine suspended',
    prepare: (a) => a.accepted(is.suspendByEngine('i', 'b1')),
    turn: is.fullTurn('i'),
  },
  {
    why: 'of an instance that a living node owns',
    prepare: async (_a, world) => (await world.node('b')).accepted(is.turn('i', 0, { keepOwnership: true })),
    turn: is.fullTurn('i', 1),
  },
  {
    why: 'of the old life of a restarted instance',
    prepare: async (a) => {
      await a.accepted(is.ending('i'));
      await a.accepted(is.restart('i', 'second'));
    },
    turn: is.fullTurn('i', 0),
  },
];

/** What a turn could have left anywhere. */
async function traces(a: Node, id: string): Promise<unknown> {
  const { provider } = a;
  return {
    loaded: await provider.load([id], { bufferedMessages: 100, dueUntil: 9_999 }),
    status: await provider.status(id),
    children: await provider.statuses([`${id}-child`, `${id}-free`]),
    timers: await provider.timers(null, 9_999, 100),
    kv: await provider.kvAll(id),
    activities: (await provider.openHandlers()).activities,
    history: await provider.history(id, 1, { limit: 100 }),
    neighbour: await a.counters('neighbour'),
  };
}

export const fenceCases = [
  ...theme(
    'the fence',
    table(
      REFUSALS,
      ({ why }) => `refuses a turn ${why}, which leaves nothing`,
      async (world, { prepare, turn }) => {
        const a = await world.node('a');
        await a.accepted(is.start('i'), is.start('neighbour'));
        await prepare?.(a, world);
        const before = await traces(a, turn.instanceId);
        const result = await a.commit(turn);
        has(result, { verdicts: [{ kind: 'refused' }], delivered: [], started: [], undeliverable: 0 });
        same(await traces(a, turn.instanceId), before);
      },
    ),
  ),
  ...theme('the fence', {
    'lets in a turn that fits, with everything of it': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('neighbour'));
      await a.accepted(is.fullTurn('i', 0, { messagesSeen: 1, consumed: [1] }));
      // Its own `continue`, and the answer of the detached start.
      const expected = {
        turn: 1,
        status: 'Running',
        nextEventId: 2,
        messagesIn: 3,
        messagesSeen: 1,
        owner: null,
      } as const;
      has(await a.load('i'), expected);
      same((await a.messages('i')).map(({ kind }) => kind).sort(), ['continue', 'detached-start']);
      same(await a.messages('neighbour').then((all) => all.at(-1)), is.event('from a turn'));
      assert.equal((await a.status('i')).customStatus, '"busy"');
      assert.equal(await a.provider.kv('i', 'k'), '1');
      assert.equal((await a.provider.timers(null, 5_000, 10)).length, 1);
      assert.equal((await a.provider.statuses(['i-child', 'i-free'])).length, 2);
      same(
        (await a.claim()).map(({ scheduleId }) => scheduleId),
        [10],
      );
      same(new Set((await a.provider.claimedActivities('a')).map((it) => it.scheduleId)), new Set([10, 11]));
      same(
        (await a.provider.history('i', 1, { limit: 9 })).items.map(({ kind }) => kind as string),
        ['OrchestrationStarted'],
      );
    },
    'refuses one turn of a batch without harm to its neighbours': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('neighbour'));
      const kinds = await a.kinds(
        is.start('early'),
        is.fullTurn('i', 5),
        is.firstTurn('neighbour', { kv: [{ key: 'n', value: '1' }] }),
        is.send('neighbour'),
        is.start('late'),
      );
      same(kinds, ['accepted', 'refused', 'accepted', 'accepted', 'accepted']);
      assert.equal(await a.provider.kv('neighbour', 'n'), '1');
      same(await a.messages('neighbour'), [is.event('e')]);
      same(await a.provider.statuses(['i-child', 'i-free']), []);
    },
    'decides about many turns of one batch one by one': async (world) => {
      const a = await world.node('a');
      const ids = Array.from({ length: 40 }, (_, n) => `i${n}`);
      await a.accepted(...ids.map((id) => is.start(id)));
      const kinds = await a.kinds(...ids.map((id, n) => is.turn(id, n % 3 === 0 ? 1 : 0)));
      same(
        kinds,
        ids.map((_, n) => (n % 3 === 0 ? 'refused' : 'accepted')),
      );
      const turns = await Promise.all(ids.map(async (id) => (await a.load(id)).turn));
      same(
        turns,
        ids.map((_, n) => (n % 3 === 0 ? 0 : 1)),
      );
    },
    'lets the owner go on': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      has(await a.load('i'), { owner: 'b' });
      await b.accepted(is.turn('i', 1, { keepOwnership: true }));
      same(await a.kinds(is.turn('i', 2)), ['refused']);
    },
    'lets anybody go on when the owner gave the instance back': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      await b.accepted(is.turn('i', 1, { keepOwnership: false }));
      has(await a.load('i'), { owner: null });
      await a.accepted(is.turn('i', 2));
    },
    'lets anybody go on when the owner was declared dead': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      await a.takeOver(['b']);
      has(await a.load('i'), { owner: null });
      await a.accepted(is.turn('i', 1, { keepOwnership: true }));
      has(await a.load('i'), { owner: 'a' });
    },
    'lets anybody go on when the owner left': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      await b.leave();
      await a.accepted(is.turn('i', 1));
    },
    'takes a start and the first turn of it in one batch, and stores no start message': async (world) => {
      const a = await world.node('a');
      await a.accepted(
        is.start('i'),
        is.firstTurn('i', { history: is.history('OrchestrationStarted'), nextEventId: 2 }),
      );
      same(await a.messages('i'), []);
      same(await a.counters('i'), [1, 1]);
    },
    'keeps the start message of a start whose first turn in the same batch is refused': async (world) => {
      const a = await world.node('a');
      same(await a.kinds(is.start('i'), is.firstTurn('i', { expectedTurn: 1 })), ['accepted', 'refused']);
      same(
        (await a.messages('i')).map(({ kind }) => kind),
        ['start'],
      );
    },
    'takes the start and the first turn wherever they stand in the batch': async (world) => {
      const a = await world.node('a');
      same(await a.kinds(is.firstTurn('i'), is.start('i')), ['accepted', 'accepted']);
      same(await a.messages('i'), []);
    },
    'refuses the first turn of a start that lost its id': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('neighbour'));
      const other = { generation: 'another life' };
      const lost = is.fullTurn('i', 0, { ...other, consumed: [1], messagesSeen: 1 });
      same(await a.kinds(is.start('i', other), lost), ['exists', 'refused']);
      has(await a.load('i'), { turn: 0, generation: is.generationOf('i'), messagesIn: 1 });
      same(
        (await a.messages('i')).map(({ kind }) => kind),
        ['start'],
      );
    },
    'takes a message and the turn that has consumed it already in one batch': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.commit(is.send('i'), is.firstTurn('i', { consumed: [1, 2], messagesSeen: 2 }));
      same(await a.counters('i'), [2, 2]);
      same(await a.messages('i'), []);
    },
    'moves status, execution and event number to what the turn says': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      has(await a.status('i'), { status: 'Pending', executionId: 1 });
      await a.accepted(is.firstTurn('i', { executionId: 2, nextEventId: 1, toItself: is.nextExecution(2) }));
      has(await a.status('i'), { status: 'Running', executionId: 2 });
      await a.accepted(is.turn('i', 1, { executionId: 2, nextEventId: 17 }));
      has(await a.load('i'), { executionId: 2, nextEventId: 17, turn: 2 });
    },
    'changes version and the wish to cancel only where the turn says so': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.turn('i', 0, { changes: { version: '2.0.0', cancelRequested: true } }));
      await a.accepted(is.turn('i', 1));
      has(await a.status('i'), { version: '2.0.0', cancelRequested: true });
      has(await a.load('i'), { version: '2.0.0', cancelRequested: true });
    },
    'keeps the custom status until a turn sets another': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.turn('i', 0, { customStatus: '"one"' }));
      await a.accepted(is.turn('i', 1));
      assert.equal((await a.status('i')).customStatus, '"one"');
      await a.accepted(is.turn('i', 2, { customStatus: '""' }));
      assert.equal((await a.status('i')).customStatus, '""');
    },
    'clears the crashes of an instance that made a turn': async (world) => {
      const [a, b] = [await world.engine('a'), await world.engine('b')];
      await a.accepted(is.start('i'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      await a.takeOver(['b']);
      has(await a.load('i'), { crashes: 1 });
      await a.accepted(is.turn('i', 1));
      has(await a.load('i'), { crashes: 0 });
    },
    'writes the moment of the batch as the last change': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      a.now = 5_000;
      await a.accepted(is.turn('i'));
      has(await a.status('i'), { createdAt: 1_000, updatedAt: 5_000, endedAt: null });
    },
  }),
];
