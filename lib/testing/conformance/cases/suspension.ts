import { strict as assert } from 'node:assert';
import { has, same } from '../check.js';
import * as is from '../items.js';
import type { Node } from '../node.js';
import { range, table, theme, type World } from '../world.js';

async function started(world: World): Promise<Node> {
  const a = await world.node('a');
  await a.accepted(is.start('i'), is.start('over'));
  await a.accepted(is.ending('over'));
  return a;
}

const retryOn = (a: Node, build: string): Promise<number> => a.provider.resumeForBuild(build, 2_000);

export const suspensionCases = [
  ...theme('a suspension', {
    'is recorded with who, code and reason': async (world) => {
      const a = await started(world);
      a.now = 5_000;
      await a.accepted(is.suspend('i', { code: 'E1', reason: 'a "reason"\n' }));
      const suspension = { by: 'operator', code: 'E1', reason: 'a "reason"\n' } as const;
      has(await a.status('i'), { status: 'Suspended', suspension, updatedAt: 5_000, endedAt: null });
      has(await a.load('i'), { status: 'Suspended', turn: 0 });
    },
    'consumes nothing and moves nothing': async (world) => {
      const a = await started(world);
      await a.accepted(
        is.firstTurn('i', {
          history: is.history('OrchestrationStarted'),
          nextEventId: 2,
          kv: [{ key: 'k', value: '1' }],
        }),
      );
      await a.commit(is.send('i'));
      const before = await a.load('i');
      await a.accepted(is.suspend('i'));
      same({ ...(await a.load('i')), status: 'Running' }, before);
    },
    'of nobody and of a finished instance is answered with that': async (world) => {
      const a = await started(world);
      same(await a.kinds(is.suspend('nobody'), is.suspend('over'), is.suspend('i')), [
        'not-found',
        'finished',
        'accepted',
      ]);
      has(await a.status('over'), { status: 'Completed', suspension: null });
    },
    'is not runnable, whatever waits for it': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspend('i'));
      await a.commit(is.send('i'), is.send('i', is.cancel()));
      same([await a.runnable(), await a.counters('i')], [[], [3, 0]]);
    },
    'takes the instance from its owner, who learns it by the refusal of its turn': async (world) => {
      const a = await started(world);
      await a.accepted(is.turn('i', 0, { keepOwnership: true }));
      await a.accepted(is.suspend('i'));
      has(await a.load('i'), { owner: null });
      same(await a.kinds(is.turn('i', 1, { keepOwnership: true })), ['refused']);
    },
    'of an instance that holds activities leaves it its owner': async (world) => {
      const a = await started(world);
      await a.accepted(is.turn('i', 0, { keepOwnership: true, held: 1 }));
      await a.accepted(is.suspend('i'));
      has(await a.load('i'), { owner: 'a', held: 1 });
    },
    'takes the mark of a suspect off: a later crash of its node is not its own': async (world) => {
      const [a, b] = [await world.engine('a'), await world.engine('b')];
      await a.accepted(is.start('i'), is.start('other'));
      await b.accepted(is.turn('other', 0, { keepOwnership: true }));
      await b.accepted(is.suspect('i'));
      await b.accepted(is.suspend('i'));
      await b.accepted(is.send('other'));
      await a.takeOver(['b']);
      same([(await a.load('i')).crashes, (await a.load('other')).crashes], [0, 1]);
    },
    'by an engine needs the life and the turn it saw': async (world) => {
      const a = await started(world);
      const wrong = [
        is.suspendByEngine('i', 'b', { expectedTurn: 1 }),
        is.suspendByEngine('i', 'b', { generation: 'older life' }),
      ];
      same(await a.kinds(...wrong), ['refused', 'refused']);
      has(await a.status('i'), { status: 'Pending', suspension: null });
      same(await a.kinds(is.suspendByEngine('i', 'b')), ['accepted']);
      has(await a.status('i'), { status: 'Suspended' });
    },
    'by an engine of a finished instance, or one that is gone, is refused': async (world) => {
      const a = await started(world);
      same(await a.kinds(is.suspendByEngine('over', 'b', { expectedTurn: 1 }), is.suspendByEngine('nobody', 'b')), [
        'refused',
        'refused',
      ]);
    },
    'by an operator replaces the one by an engine': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspendByEngine('i', 'b1'));
      await a.accepted(is.suspend('i', { reason: 'mine' }));
      has(await a.status('i'), { suspension: { by: 'operator', code: 'ERR_DURABLE_SUSPENDED', reason: 'mine' } });
      assert.equal(await retryOn(a, 'b2'), 0);
    },
    'by an operator is not replaced by one of an engine': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspend('i', { reason: 'mine' }));
      await a.commit(is.suspendByEngine('i', 'b1'));
      has(await a.status('i'), { suspension: { by: 'operator', code: 'ERR_DURABLE_SUSPENDED', reason: 'mine' } });
    },
    'in the batch of a turn comes after it': async (world) => {
      const a = await started(world);
      same(await a.kinds(is.suspend('i'), is.firstTurn('i')), ['accepted', 'accepted']);
      has(await a.status('i'), { status: 'Suspended' });
      has(await a.load('i'), { turn: 1 });
    },
    'with text of any sort keeps it': async (world) => {
      const a = await started(world);
      const reason = `${'x'.repeat(20_000)} 😀 \u2028 'quotes' "both" \\`;
      await a.accepted(is.suspend('i', { reason }));
      has(await a.status('i'), { suspension: { by: 'operator', code: 'ERR_DURABLE_SUSPENDED', reason } });
    },
  }),
  ...theme('resuming', {
    'lets the instance go on with all that came meanwhile': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspend('i'));
      await a.commit(is.send('i'));
      a.now = 6_000;
      await a.accepted(is.resume('i'));
      has(await a.status('i'), { status: 'Pending', suspension: null, updatedAt: 6_000 });
      same([await a.runnable(), await a.seqsOf('i')], [['i'], [1, 2, 3]]);
      await a.accepted(is.turn('i', 0, { consumed: [1, 2, 3], messagesSeen: 3 }));
    },
    'asks it to continue: a timer may have come due that nobody remembers': async (world) => {
      const a = await started(world);
      await a.accepted(is.firstTurn('i'));
      await a.accepted(is.suspend('i'));
      same(await a.runnable(), []);
      await a.accepted(is.resume('i'));
      same([await a.runnable(), await a.messages('i')], [['i'], [{ kind: 'continue' }]]);
    },
    'of one that has made turns makes it Running': async (world) => {
      const a = await started(world);
      await a.accepted(is.firstTurn('i'));
      await a.accepted(is.suspend('i'));
      await a.accepted(is.resume('i'));
      has(await a.status('i'), { status: 'Running' });
    },
    'of nobody, of a finished and of a running one is answered with that': async (world) => {
      const a = await started(world);
      const before = await a.status('i');
      same(await a.kinds(is.resume('nobody'), is.resume('over'), is.resume('i')), [
        'not-found',
        'finished',
        'accepted',
      ]);
      same(await a.status('i'), before);
    },
    'comes after suspending, in one batch': async (world) => {
      const a = await started(world);
      same(await a.kinds(is.resume('i'), is.suspend('i')), ['accepted', 'accepted']);
      has(await a.status('i'), { status: 'Pending' });
    },
    'forgets crashes: an operator says it is fit to run': async (world) => {
      const [a, b] = [await world.engine('a'), await world.engine('b')];
      await a.accepted(is.start('i'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      await a.takeOver(['b']);
      has(await a.load('i'), { crashes: 1 });
      await a.accepted(is.suspend('i'));
      await a.accepted(is.resume('i'));
      has(await a.load('i'), { crashes: 0 });
    },
    'does not bring back the old owner': async (world) => {
      const [a, b] = [await started(world), await world.node('b')];
      await a.accepted(is.turn('i', 0, { keepOwnership: true }));
      await a.accepted(is.suspend('i'));
      await a.accepted(is.resume('i'));
      await b.accepted(is.turn('i', 1));
    },
  }),
  ...theme('a new build', {
    'tries again what engines of other builds suspended': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspendByEngine('i', 'b1'));
      assert.equal(await retryOn(a, 'b1'), 0);
      has(await a.status('i'), { status: 'Suspended' });
      assert.equal(await retryOn(a, 'b2'), 1);
      has(await a.status('i'), { status: 'Pending', suspension: null, updatedAt: 2_000 });
      same(await a.runnable(), ['i']);
    },
    'asks what it tries again to continue, as resuming does': async (world) => {
      const a = await started(world);
      await a.accepted(is.firstTurn('i'));
      await a.accepted(is.suspendByEngine('i', 'b1', { expectedTurn: 1 }));
      assert.equal(await retryOn(a, 'b2'), 1);
      same([await a.runnable(), await a.messages('i')], [['i'], [{ kind: 'continue' }]]);
    },
    'remembers which builds failed on it before': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspendByEngine('i', 'b1'));
      await retryOn(a, 'b2');
      await a.accepted(is.suspendByEngine('i', 'b2'));
      same([await retryOn(a, 'b1'), await retryOn(a, 'b2'), await retryOn(a, 'b3')], [0, 0, 1]);
    },
    'remembers the last eight of them': async (world) => {
      const a = await started(world);
      for (const n of range(1, 10)) {
        await a.accepted(is.suspendByEngine('i', `b${n}`));
        assert.equal(await retryOn(a, `b${n + 1}`), 1);
      }
      await a.accepted(is.suspendByEngine('i', 'b10'));
      for (const n of range(3, 10)) assert.equal(await retryOn(a, `b${n}`), 0, `b${n}`);
      assert.equal(await retryOn(a, 'b2'), 1);
    },
    'remembers a build that fails again as the newest': async (world) => {
      const a = await started(world);
      for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 1, 9]) {
        await a.accepted(is.suspendByEngine('i', `b${n}`));
        assert.equal(await retryOn(a, 'other'), 1);
      }
      await a.accepted(is.suspendByEngine('i', 'b9'));
      same([await retryOn(a, 'b1'), await retryOn(a, 'b2')], [0, 1]);
    },
    'has everything to try again after an operator resumed it': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspendByEngine('i', 'b1'));
      await a.accepted(is.resume('i'));
      await a.accepted(is.suspendByEngine('i', 'b2'));
      assert.equal(await retryOn(a, 'b1'), 1);
    },
    'leaves alone what an operator suspended': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspend('i'));
      assert.equal(await retryOn(a, 'b1'), 0);
      has(await a.status('i'), { status: 'Suspended' });
    },
    'counts what it tries again, and no other': async (world) => {
      const a = await started(world);
      const ids = range(1, 12).map((n) => `s${n}`);
      await a.accepted(...ids.map((id) => is.start(id)));
      await a.accepted(...ids.map((id, n) => is.suspendByEngine(id, n < 5 ? 'b1' : 'b2')));
      assert.equal(await retryOn(a, 'b1'), 7);
      assert.equal(await retryOn(a, 'b3'), 5);
      assert.equal(await retryOn(a, 'b4'), 0);
    },
    'keeps the crashes it has counted': async (world) => {
      const [a, b] = [await world.engine('a'), await world.engine('b')];
      await a.accepted(is.start('i'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      await a.takeOver(['b']);
      await a.accepted(is.suspendByEngine('i', 'b1', { expectedTurn: 1 }));
      await retryOn(a, 'b2');
      has(await a.load('i'), { crashes: 1 });
    },
  }),
  ...theme(
    'a new build',
    table(
      ['ERR_DURABLE_POISONED', 'ERR_DURABLE_LIMIT'],
      (code) => `leaves ${code} to an operator`,
      async (world, code) => {
        const a = await started(world);
        await a.accepted(is.suspendByEngine('i', 'b1', { code }));
        assert.equal(await retryOn(a, 'b2'), 0);
        await a.accepted(is.resume('i'));
        has(await a.status('i'), { status: 'Pending' });
      },
    ),
  ),
  ...theme('a termination', {
    'wakes a suspended instance, because it runs no code': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspend('i'));
      await a.commit(is.send('i', is.terminate()));
      const { status, suspension } = await a.status('i');
      assert.notEqual(status, 'Suspended');
      assert.equal(suspension, null);
      same(await a.runnable(), ['i']);
      await a.accepted(is.ending('i', 0, { ending: { status: 'Terminated', failure: is.failure() } }));
    },
    'wakes it among other messages of the same batch': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspendByEngine('i', 'b1'));
      await a.commit(is.send('i'), is.send('i', is.terminate()), is.send('i'));
      same([await a.runnable(), await a.seqsOf('i')], [['i'], [1, 2, 3, 4]]);
    },
    'does nothing to the status of one that runs': async (world) => {
      const a = await started(world);
      await a.commit(is.send('i', is.terminate()));
      has(await a.status('i'), { status: 'Pending' });
    },
    'of another generation wakes nobody': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspend('i'));
      await a.commit(is.send('i', is.terminate(), 'older life'));
      has(await a.status('i'), { status: 'Suspended' });
    },
    'is not what a cancellation is: that waits': async (world) => {
      const a = await started(world);
      await a.accepted(is.suspend('i'));
      await a.commit(is.send('i', is.cancel()));
      has(await a.status('i'), { status: 'Suspended' });
    },
  }),
];
