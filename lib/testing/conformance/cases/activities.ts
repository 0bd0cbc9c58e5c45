import { strict as assert } from 'node:assert';
import type { ActivityClaim, BatchItem, NewActivity } from '../../../provider/batch.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { claimedOf, type Node } from '../node.js';
import { range, table, theme, type World } from '../world.js';

/** An instance `i` with these activities, and two nodes. */
async function with_(world: World, ...activities: NewActivity[]): Promise<[Node, Node]> {
  const [a, b] = [await world.node('a'), await world.node('b')];
  await a.accepted(is.start('i'));
  await a.accepted(is.firstTurn('i', { activities }));
  a.now = b.now = 2_000;
  return [a, b];
}

const ids = (claims: readonly { scheduleId: number }[]): number[] => claims.map(({ scheduleId }) => scheduleId);

const OUTCOMES: readonly (readonly [what: string, outcome: (of: ActivityClaim) => BatchItem])[] = [
  ['completed', is.complete],
  ['retried', (of) => is.retry(of)],
  ['released', is.release],
  ['marked', is.suspectActivity],
];

const STRANGERS: readonly (readonly [why: string, change: Partial<ActivityClaim>])[] = [
  ['a claim that is over', { claim: 0 }],
  ['a claim that is yet to come', { claim: 2 }],
  ['another generation', { generation: 'older life' }],
  ['another schedule', { scheduleId: 8 }],
  ['another execution', { executionId: 2 }],
  ['another instance', { instanceId: 'j' }],
];

export const activityCases = [
  ...theme(
    'an activity',
    table(
      OUTCOMES.flatMap(([what, outcome]) => STRANGERS.map(([why, change]) => ({ what, outcome, why, change }))),
      ({ what, why }) => `is not ${what} by ${why}`,
      async (world, { outcome, change }) => {
        const [, b] = await with_(world, is.activity(1));
        const [held] = await b.claim();
        same(await b.kinds(outcome({ ...held!, ...change })), ['refused']);
        same(await b.provider.claimedActivities('b'), [held]);
        same(await b.counters('i'), [1, 1]);
      },
    ),
  ),
  ...theme(
    'an activity',
    table(
      OUTCOMES,
      ([what]) => `is not ${what} by a node that does not hold it`,
      async (world, [, outcome]) => {
        const [a, b] = await with_(world, is.activity(1), is.activity(2));
        const held = await b.claim(1);
        const free = { ...held[0]!, scheduleId: 3 - held[0]!.scheduleId, claim: 0 };
        same(await a.kinds(outcome(held[0]!), outcome(free)), ['refused', 'refused']);
        same(await b.provider.claimedActivities('b'), held);
      },
    ),
  ),
  ...theme('claiming', {
    'takes what is due, named and untagged, once': async (world) => {
      const [a, b] = await with_(
        world,
        is.activity(1, { args: '[1,"x"]', options: '{"maxAttempts":3}', scheduledAt: 900 }),
      );
      const expected = {
        ...is.keyOf('i'),
        ...is.schedule(1),
        claim: 1,
        name: 'work',
        args: '[1,"x"]',
        options: '{"maxAttempts":3}',
        tag: null,
        attempt: 1,
        crashes: 0,
        scheduledAt: 900,
      };
      same(await b.claim(), [expected]);
      same([await a.claim(), await b.claim()], [[], []]);
      same(await b.provider.claimedActivities('b'), [expected]);
      same(await a.provider.claimedActivities('a'), []);
    },
    'takes only the names it asks for': async (world) => {
      const [a] = await with_(
        world,
        is.activity(1),
        is.activity(2, { name: 'other' }),
        is.activity(3, { name: 'Work' }),
      );
      same(ids(await a.claim(10, ['other', 'third'])), [2]);
      same(ids(await a.claim(10, ['work'])), [1]);
    },
    'takes nothing for no names': async (world) => {
      const [a] = await with_(world, is.activity(1));
      same(await a.claim(10, []), []);
      assert.equal(await a.provider.nextActivityDueAt([], []), null);
    },
    'takes untagged ones and those with one of its tags': async (world) => {
      const [a] = await with_(
        world,
        is.activity(1),
        is.activity(2, { tag: 'gpu' }),
        is.activity(3, { tag: 'cpu' }),
        is.activity(4, { tag: '' }),
      );
      same(ids(await a.claim(10, ['work'], ['gpu', 'tpu'])), [1, 2]);
      same(ids(await a.claim(10, ['work'], ['cpu'])), [3]);
      same(ids(await a.claim(10, ['work'], [''])), [4]);
    },
    'takes no more than its limit': async (world) => {
      const [a] = await with_(world, ...range(1, 7).map((n) => is.activity(n)));
      same(
        [(await a.claim(3)).length, (await a.claim(3)).length, (await a.claim(3)).length, (await a.claim(3)).length],
        [3, 3, 1, 0],
      );
    },
    'takes the longest due first': async (world) => {
      const dueAt = [1_500, 1_100, 1_900, 1_300, 1_200];
      const [a] = await with_(world, ...dueAt.map((at, index) => is.activity(index + 1, { dueAt: at })));
      same([ids(await a.claim(2)), ids(await a.claim(2)), ids(await a.claim(2))], [[2, 5], [1, 4], [3]]);
    },
    'takes nothing before it is due': async (world) => {
      const [a] = await with_(world, is.activity(1, { dueAt: 2_001 }), is.activity(2, { dueAt: 2_000 }));
      same(ids(await a.claim()), [2]);
      same(ids(await a.claim()), [1]);
    },
    'takes the ones this node released before': async (world) => {
      const [a] = await with_(world, is.activity(1));
      const [held] = await a.claim();
      await a.accepted(is.release(held!));
      has((await a.claim())[0], { claim: 2, attempt: 1, crashes: 0 });
    },
    'takes activities that the same batch scheduled': async (world) => {
      const [a] = await with_(world);
      await a.accepted(is.start('j'));
      same(ids(claimedOf(await a.commit(is.claim(), is.firstTurn('j', { activities: [is.activity(7)] })))), [7]);
    },
    'takes activities that the same batch released': async (world) => {
      const [a] = await with_(world, is.activity(1));
      const [held] = await a.claim();
      same(ids(claimedOf(await a.commit(is.release(held!), is.claim()), 1)), [1]);
    },
    'takes no activity of an instance that ends in the same batch': async (world) => {
      const [a] = await with_(world, is.activity(1));
      same(ids(claimedOf(await a.commit(is.claim(), is.ending('i', 1, { activities: [is.activity(2)] })))), []);
      same(await a.provider.claimedActivities('a'), []);
    },
    'takes no activity that a turn of the same batch closes': async (world) => {
      const [a] = await with_(world, is.activity(1), is.activity(2));
      same(ids(claimedOf(await a.commit(is.claim(), is.turn('i', 1, { closedActivities: [is.schedule(1)] })))), [2]);
    },
    'takes nothing twice in one batch': async (world) => {
      const [a] = await with_(world, ...range(1, 5).map((n) => is.activity(n)));
      const result = await a.commit(is.claim(3), is.claim(3));
      const claimed = [ids(claimedOf(result, 0)), ids(claimedOf(result, 1))];
      same(
        claimed.map((it) => it.length),
        [3, 2],
      );
      same(
        claimed.flat().sort((x, y) => x - y),
        range(1, 5),
      );
    },
    'takes activities of suspended instances: they run on': async (world) => {
      const [a] = await with_(world, is.activity(1));
      await a.accepted(is.suspend('i'));
      same(ids(await a.claim()), [1]);
    },
    'takes activities of many instances in one batch': async (world) => {
      const a = await world.node('a');
      const names = range(1, 50).map((n) => `i${n}`);
      await a.accepted(...names.map((id) => is.start(id)));
      await a.accepted(...names.map((id) => is.firstTurn(id, { activities: [is.activity(1), is.activity(2)] })));
      const claimed = await a.claim(1_000);
      assert.equal(new Set(claimed.map(({ instanceId, scheduleId }) => `${instanceId}/${scheduleId}`)).size, 100);
    },
  }),
  ...theme('when the next activity is due', {
    'is the earliest of those nobody holds': async (world) => {
      const [a, b] = await with_(
        world,
        is.activity(1, { dueAt: 1_100 }),
        is.activity(2, { dueAt: 9_000 }),
        is.activity(3, { dueAt: 8_000 }),
      );
      assert.equal(await b.provider.nextActivityDueAt(['work'], []), 1_100);
      await a.claim(1);
      assert.equal(await b.provider.nextActivityDueAt(['work'], []), 8_000);
    },
    'is asked by name and tag': async (world) => {
      const [a] = await with_(
        world,
        is.activity(1, { dueAt: 1_100, tag: 'gpu' }),
        is.activity(2, { dueAt: 1_200, name: 'other' }),
      );
      const asked = [
        a.provider.nextActivityDueAt(['work'], []),
        a.provider.nextActivityDueAt(['work'], ['gpu']),
        a.provider.nextActivityDueAt(['other', 'x'], ['gpu']),
      ];
      same(await Promise.all(asked), [null, 1_100, 1_200]);
    },
    'is null where there is none, and where all are held': async (world) => {
      const [a] = await with_(world, is.activity(1, { claimed: true }));
      assert.equal(await a.provider.nextActivityDueAt(['work'], []), null);
    },
    'is the time of its retry': async (world) => {
      const [a] = await with_(world, is.activity(1));
      const [held] = await a.claim();
      await a.accepted(is.retry(held!, 77_000));
      assert.equal(await a.provider.nextActivityDueAt(['work'], []), 77_000);
    },
  }),
  ...theme('an activity', {
    'that is born claimed belongs to the node that scheduled it': async (world) => {
      const [a, b] = await with_(world, is.activity(1, { claimed: true, attempt: 3, crashes: 1 }));
      same(await b.claim(), []);
      has((await a.provider.claimedActivities('a'))[0], { claim: 1, attempt: 3, crashes: 1 });
      same(await a.kinds(is.complete(is.bornClaimed('i', 1))), ['accepted']);
    },
    'begins with the attempt, crashes and due time its turn says': async (world) => {
      const [a] = await with_(
        world,
        is.activity(1, { attempt: 4, crashes: 2, dueAt: 5_000, lastFailure: is.failure() }),
      );
      same(await a.claim(), []);
      a.now = 5_000;
      has((await a.claim())[0], { attempt: 4, crashes: 2, claim: 1 });
    },
    'sends its completion when it completes, and is gone': async (world) => {
      const [a, b] = await with_(world, is.activity(1), is.activity(2));
      const [first] = await b.claim();
      const { delivered } = await b.commit(is.complete(first!, '"r"'));
      const { message } = is.complete(first!, '"r"');
      same(delivered, [{ ...is.keyOf('i'), seq: 2, message }]);
      same(await a.messages('i'), [message]);
      same(ids(await b.provider.claimedActivities('b')), [2]);
      same(await b.kinds(is.complete(first!)), ['refused']);
    },
    'completes once when its completion is in a batch twice': async (world) => {
      const [, b] = await with_(world, is.activity(1));
      const [held] = await b.claim();
      await b.commit(is.complete(held!), is.complete(held!));
      assert.equal((await b.messages('i')).length, 1);
    },
    'completes after its node lost and won it again with the new claim only': async (world) => {
      const [, b] = await with_(world, is.activity(1));
      const [first] = await b.claim();
      await b.accepted(is.release(first!));
      const [second] = await b.claim();
      same(await b.kinds(is.complete(first!), is.complete(second!)), ['refused', 'accepted']);
    },
    'of a suspended instance completes, and the message waits': async (world) => {
      const [, b] = await with_(world, is.activity(1));
      const [held] = await b.claim();
      await b.accepted(is.suspend('i'));
      same(await b.kinds(is.complete(held!)), ['accepted']);
      same(await b.seqsOf('i'), [2]);
    },
    'that failed waits for its time and counts the attempt, not the crashes': async (world) => {
      const [, b] = await with_(world, is.activity(1, { crashes: 1 }));
      const [held] = await b.claim();
      await b.accepted(is.retry(held!, 5_000));
      same(await b.claim(), []);
      b.now = 5_000;
      has((await b.claim())[0], { attempt: 2, claim: 2, crashes: 0, args: '[]' });
    },
    'that failed is free for another node': async (world) => {
      const [a, b] = await with_(world, is.activity(1));
      const [held] = await b.claim();
      await b.accepted(is.retry(held!, 2_000));
      has((await a.claim())[0], { attempt: 2, claim: 2 });
      same(await b.kinds(is.complete(held!)), ['refused']);
    },
    'that is handed back keeps its attempt and crashes': async (world) => {
      const [a, b] = await with_(world, is.activity(1, { attempt: 2, crashes: 1 }));
      const [held] = await b.claim();
      await b.accepted(is.release(held!));
      has((await a.claim())[0], { attempt: 2, crashes: 1, claim: 2 });
    },
    'is over for its holder when a turn closed it': async (world) => {
      const [a, b] = await with_(world, is.activity(1), is.activity(2));
      const held = await b.claim();
      await a.accepted(is.turn('i', 1, { closedActivities: [is.schedule(1)] }));
      same(await b.kinds(...held.map((it) => is.complete(it))), ['refused', 'accepted']);
    },
    'that is closed and not there is no trouble': async (world) => {
      const [a] = await with_(world);
      await a.accepted(is.turn('i', 1, { closedActivities: [is.schedule(9)], closedTimers: [is.schedule(9)] }));
    },
    'may be closed and scheduled again in the same turn': async (world) => {
      const [a] = await with_(world, is.activity(1));
      await a.accepted(
        is.turn('i', 1, { closedActivities: [is.schedule(1)], activities: [is.activity(1, { attempt: 2 })] }),
      );
      has((await a.claim())[0], { attempt: 2, claim: 1 });
    },
    'is over for everybody when its instance ends': async (world) => {
      const [a, b] = await with_(world, is.activity(1), is.activity(2));
      const [held] = await b.claim(1);
      await a.accepted(is.ending('i', 1));
      same(await b.kinds(is.complete(held!)), ['refused']);
      same([await a.claim(), (await a.provider.openHandlers()).activities], [[], []]);
    },
    'of the same schedule in another execution is another': async (world) => {
      const [a] = await with_(world, is.activity(1), is.activity(1, { executionId: 2, name: 'second' }));
      same((await a.claim(10, ['work', 'second'])).map(({ executionId, name }) => `${executionId} ${name}`).sort(), [
        '1 work',
        '2 second',
      ]);
    },
    'whose completion and turn are in one batch is decided there': async (world) => {
      const [a] = await with_(world, is.activity(1, { claimed: true }));
      const kinds = await a.kinds(is.complete(is.bornClaimed('i', 1)), is.turn('i', 1, { customStatus: '1' }));
      same(kinds, ['accepted', 'accepted']);
      same([await a.counters('i'), await a.runnable()], [[2, 1], ['i']]);
    },
  }),
];
