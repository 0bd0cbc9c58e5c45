import { strict as assert } from 'node:assert';
import type { KeepActivitiesItem } from '../../../provider/batch.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import type { Node } from '../node.js';
import { table, theme, type World } from '../world.js';

/** `b` owns `i` and holds two of its activities without rows; a third has one. */
async function holding(world: World): Promise<[a: Node, b: Node]> {
  const [a, b] = [await world.engine('a'), await world.engine('b')];
  await a.accepted(is.start('i'));
  await b.accepted(is.firstTurn('i', { keepOwnership: true, held: 2, activities: [is.activity(3, { tag: 'gpu' })] }));
  return [a, b];
}

const both = [is.activity(1), is.activity(2)];
const ids = (rows: readonly { scheduleId: number }[]): number[] =>
  rows.map(({ scheduleId }) => scheduleId).sort((x, y) => x - y);

const REFUSALS: readonly (readonly [
  why: string,
  item: KeepActivitiesItem,
  prepare?: (a: Node, b: Node) => Promise<unknown>,
])[] = [
  ['of another generation', is.keep('i', 1, both, { generation: 'older life' })],
  ['of a turn that is over', is.keep('i', 0, both)],
  ['of a turn that is yet to come', is.keep('i', 2, both)],
  ['of an instance that is not there', is.keep('nobody', 1, both)],
  [
    'of an instance that holds none',
    is.keep('i', 2, both),
    (_, b) => b.accepted(is.turn('i', 1, { keepOwnership: true })),
  ],
  ['of an instance that was given back', is.keep('i', 2, both), (_, b) => b.accepted(is.turn('i', 1))],
  ['of an instance that is finished', is.keep('i', 2, both), (_, b) => b.accepted(is.ending('i', 1))],
  ['that were kept before', is.keep('i', 1, both), (_, b) => b.accepted(is.keep('i', 1, both))],
];

export const heldCases = [
  ...theme('held activities', {
    'have no row that anybody could claim': async (world) => {
      const [a, b] = await holding(world);
      same(await a.claim(), []);
      assert.equal(await a.provider.nextActivityDueAt(['work'], []), null);
      same(await b.provider.claimedActivities('b'), []);
    },
    'are counted in their instance, beside the rows it has': async (world) => {
      const [a] = await holding(world);
      has(await a.load('i'), { held: 2, activityRows: [is.schedule(3)], owner: 'b' });
    },
    'are none at first, and rows are then not read': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      has(await a.load('i'), { held: 0, activityRows: [] });
      await a.accepted(is.firstTurn('i', { activities: [is.activity(1)] }));
      has(await a.load('i'), { held: 0, activityRows: [] });
    },
    'are as many as the last turn says': async (world) => {
      const [a, b] = await holding(world);
      await b.accepted(is.turn('i', 1, { keepOwnership: true, held: 5 }));
      has(await a.load('i'), { held: 5 });
      await b.accepted(is.turn('i', 2, { keepOwnership: true, held: 1, activities: [is.activity(1, { attempt: 2 })] }));
      const { held, activityRows } = await a.load('i');
      same([held, ids(activityRows)], [1, [1, 3]]);
      await b.accepted(is.turn('i', 3, { keepOwnership: true }));
      has(await a.load('i'), { held: 0, activityRows: [] });
    },
    'keep their instance from being stuck while the owner lives': async (world) => {
      const a = await world.engine('a');
      await a.accepted(is.start('i'), is.start('j'));
      await a.accepted(is.firstTurn('i', { keepOwnership: true, held: 1 }), is.firstTurn('j', { keepOwnership: true }));
      same(await a.provider.findStuck(), ['j']);
    },
    'end with their instance': async (world) => {
      const [a, b] = await holding(world);
      await b.accepted(is.ending('i', 1));
      await a.takeOver(['b']);
      same([await a.messages('i'), await a.runnable()], [[], []]);
    },
  }),
  ...theme('keeping held activities', {
    'gives them rows that anybody can claim': async (world) => {
      const [a, b] = await holding(world);
      a.now = 3_000;
      const kept = [
        is.activity(1, { attempt: 2, dueAt: 2_500, lastFailure: is.failure() }),
        is.activity(2, { crashes: 1, args: '["x"]' }),
      ];
      same(await b.kinds(is.keep('i', 1, kept)), ['accepted']);
      has(await a.load('i'), { held: 0, turn: 2, owner: 'b' });
      const claimed = await a.claim();
      has(claimed[0], { scheduleId: 1, claim: 1, attempt: 2, crashes: 0, ...is.keyOf('i') });
      has(claimed[1], { scheduleId: 2, claim: 1, attempt: 1, crashes: 1, args: '["x"]' });
    },
    'can leave them with this node': async (world) => {
      const [a, b] = await holding(world);
      await b.accepted(is.keep('i', 1, [is.activity(1, { claimed: true }), is.activity(2)]));
      same(ids(await b.provider.claimedActivities('b')), [1]);
      same(ids(await a.claim()), [2]);
      same(await b.kinds(is.complete(is.bornClaimed('i', 1))), ['accepted']);
    },
    'moves the turn, so that nobody goes on from before it': async (world) => {
      const [a, b] = await holding(world);
      await b.accepted(is.keep('i', 1, both));
      same(await b.kinds(is.turn('i', 1, { keepOwnership: true })), ['refused']);
      await b.accepted(is.turn('i', 2, { keepOwnership: true }));
      has(await a.load('i'), { turn: 3 });
    },
    'neither looks at messages nor takes any': async (world) => {
      const [a, b] = await holding(world);
      await a.commit(is.send('i'));
      await b.accepted(is.keep('i', 1, both));
      same([await a.counters('i'), await a.seqsOf('i')], [[2, 1], [2]]);
      has(await a.status('i'), { status: 'Running' });
    },
    'of a suspended instance gives them rows, and lets the instance go': async (world) => {
      const [a, b] = await holding(world);
      await a.accepted(is.suspend('i'));
      has(await a.load('i'), { status: 'Suspended', held: 2, owner: 'b' });
      same(await b.kinds(is.keep('i', 1, both)), ['accepted']);
      has(await a.load('i'), { status: 'Suspended', held: 0, owner: null });
      same(ids(await a.claim()), [1, 2]);
    },
    'works in the same batch as the suspension, wherever it stands': async (world) => {
      const [a, b] = await holding(world);
      same(await b.kinds(is.keep('i', 1, both), is.suspendByEngine('i', 'b1', { expectedTurn: 1 })), [
        'accepted',
        'accepted',
      ]);
      has(await a.load('i'), { status: 'Suspended', held: 0, owner: null });
      same(ids(await a.claim()), [1, 2]);
    },
    'and the completion of one of them can be in one batch': async (world) => {
      const [a, b] = await holding(world);
      const claimed = is.activity(1, { claimed: true });
      same(await b.kinds(is.complete(is.bornClaimed('i', 1)), is.keep('i', 1, [claimed, is.activity(2)])), [
        'accepted',
        'accepted',
      ]);
      same(
        (await a.messages('i')).map(({ kind }) => kind),
        ['activity-completion'],
      );
      same(ids(await a.claim()), [2]);
    },
    'of many instances is decided one by one': async (world) => {
      const b = await world.engine('b');
      const names = ['x', 'y', 'z'];
      await b.accepted(...names.map((id) => is.start(id)));
      await b.accepted(...names.map((id) => is.firstTurn(id, { keepOwnership: true, held: 1 })));
      same(await b.kinds(...names.map((id) => is.keep(id, id === 'y' ? 9 : 1, [is.activity(1)]))), [
        'accepted',
        'refused',
        'accepted',
      ]);
      same((await b.claim()).map(({ instanceId }) => instanceId).sort(), ['x', 'z']);
    },
    'by another node is refused': async (world) => {
      const [a, b] = await holding(world);
      same(await a.kinds(is.keep('i', 1, both)), ['refused']);
      has(await b.load('i'), { held: 2, turn: 1 });
      same(await a.claim(), []);
    },
  }),
  ...theme(
    'keeping held activities',
    table(
      REFUSALS,
      ([why]) => `${why} is refused, and leaves no row`,
      async (world, [, item, prepare]) => {
        const [a, b] = await holding(world);
        await prepare?.(a, b);
        const before = (await a.provider.openHandlers()).activities;
        same(await b.kinds(item), ['refused']);
        same((await a.provider.openHandlers()).activities, before);
      },
    ),
  ),
  ...theme('held activities of a dead node', {
    'are announced to their instance, which anybody may run': async (world) => {
      const [a] = await holding(world);
      await a.takeOver(['b']);
      same(await a.messages('i'), [{ kind: 'continue' }]);
      has(await a.load('i'), { held: 2, owner: null, messagesIn: 2, messagesSeen: 1, activityRows: [is.schedule(3)] });
      same(await a.runnable(), ['i']);
    },
    'get rows by the first turn of the next owner': async (world) => {
      const [a] = await holding(world);
      await a.takeOver('all-others');
      const lost = [is.activity(1, { crashes: 1 }), is.activity(2, { crashes: 1, claimed: true })];
      await a.accepted(is.turn('i', 1, { consumed: [2], messagesSeen: 1, keepOwnership: true, activities: lost }));
      has(await a.load('i'), { held: 0, owner: 'a' });
      has((await a.claim())[0], { scheduleId: 1, crashes: 1, claim: 1 });
      has(
        (await a.provider.claimedActivities('a')).find((it) => it.scheduleId === 2),
        { crashes: 1 },
      );
    },
    'count as a crash of their instance': async (world) => {
      const [a] = await holding(world);
      has(await a.takeOver(['b']), { nodes: ['b'], instances: 1 });
      has(await a.load('i'), { crashes: 1 });
    },
    'are announced to a suspended instance too': async (world) => {
      const [a] = await holding(world);
      await a.accepted(is.suspend('i'));
      await a.takeOver(['b']);
      same(await a.messages('i'), [{ kind: 'continue' }]);
      same(await a.runnable(), []);
      await a.accepted(is.resume('i'));
      same(await a.runnable(), ['i']);
      has(await a.load('i'), { held: 2, owner: null });
    },
    'are announced again if the next owner dies before its first turn': async (world) => {
      const [a] = await holding(world);
      await a.takeOver('all-others');
      const c = await world.engine('c');
      same(await c.runnable(), []);
      await c.takeOver('all-others');
      same(await c.messages('i'), [{ kind: 'continue' }, { kind: 'continue' }]);
      has(await c.load('i'), { held: 2, owner: 'c', messagesIn: 3, messagesSeen: 1 });
    },
    'are announced to those that hold some, and to no other': async (world) => {
      const [a, b] = await holding(world);
      await a.accepted(is.start('quiet'), is.start('mine'));
      await b.accepted(is.firstTurn('quiet', { keepOwnership: true }));
      await a.accepted(is.firstTurn('mine', { keepOwnership: true, held: 3 }));
      await a.takeOver(['b']);
      same([await a.messages('quiet'), await a.messages('mine')], [[], []]);
    },
    'stay unspoken of when the dead node kept them before': async (world) => {
      const [a, b] = await holding(world);
      await b.accepted(is.keep('i', 1, both));
      await a.takeOver(['b']);
      same(await a.messages('i'), []);
      same(ids(await a.claim()), [1, 2]);
    },
    'survive a node that left without keeping them': async (world) => {
      const [a, b] = await holding(world);
      await b.leave();
      same(await a.messages('i'), [{ kind: 'continue' }]);
      has(await a.load('i'), { held: 2, owner: null, crashes: 0 });
      same(await a.runnable(), ['i']);
    },
  }),
];
