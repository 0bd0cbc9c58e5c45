import { strict as assert } from 'node:assert';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { rejectionOf, type Node } from '../node.js';
import { theme, type World } from '../world.js';

const seen = { consumed: [1], messagesSeen: 1, keepOwnership: true };
const due = (fireAt: number) => ({ ...seen, timers: [is.timer(1, fireAt)] });

/** `b` owns instances in every state; `a` has nothing. */
async function fleet(world: World): Promise<[a: Node, b: Node]> {
  const [a, b] = [await world.engine('a'), await world.engine('b')];
  const ids = ['due', 'given back', 'later', 'messages', 'quiet', 'works', 'waits'];
  await a.accepted(...ids.map((id) => is.start(id)));
  await b.accepted(
    is.turn('messages', 0, { keepOwnership: true }),
    is.firstTurn('quiet', seen),
    is.firstTurn('works', { ...seen, activities: [is.activity(1, { claimed: true })] }),
    is.firstTurn('waits', { ...seen, activities: [is.activity(1, { dueAt: 99_000 })] }),
    is.firstTurn('due', due(1_500)),
    is.firstTurn('later', due(9_500)),
    is.firstTurn('given back', { ...seen, keepOwnership: false }),
  );
  return [a, b];
}

const IDS = ['due', 'given back', 'later', 'messages', 'quiet', 'waits', 'works'];
const each = async <T>(a: Node, of: 'crashes' | 'owner'): Promise<Record<string, T>> =>
  Object.fromEntries(await Promise.all(IDS.map(async (id) => [id, (await a.load(id))[of] as T] as const)));
const NONE = Object.fromEntries(IDS.map((id) => [id, 0]));

export const nodeCases = [
  ...theme('taking over', {
    'counts a crash for what the dead node was running, and for nothing else': async (world) => {
      const [a] = await fleet(world);
      same(await a.takeOver(['b']), { nodes: ['b'], activities: 1, instances: 3 });
      same(await each(a, 'crashes'), { ...NONE, due: 1, messages: 1, works: 1 });
    },
    'makes its activities claimable, with the crash counted': async (world) => {
      const [a] = await fleet(world);
      await a.takeOver(['b']);
      const claimed = await a.claim();
      has(claimed[0], { instanceId: 'works', claim: 2, attempt: 1, crashes: 1 });
      assert.equal(claimed.length, 1);
    },
    'refuses a late result of the dead node, which has no lane any more': async (world) => {
      const [a, b] = await fleet(world);
      await a.takeOver(['b']);
      const late = b.provider.commit('b', 0, b.batch(is.complete(is.bornClaimed('works', 1))), 0);
      has(await rejectionOf(late), { code: 'ERR_DURABLE_NODE_DEAD', retryable: false });
      same(await a.messages('works'), []);
    },
    'refuses a late result of the dead node under its new name too': async (world) => {
      const [a] = await fleet(world);
      await a.takeOver(['b']);
      const again = await world.node('b#2');
      same(await again.kinds(is.complete(is.bornClaimed('works', 1))), ['refused']);
    },
    'of named nodes leaves the others alone': async (world) => {
      const [a, b] = await fleet(world);
      const c = await world.engine('c');
      same((await a.takeOver(['c'])).nodes, ['c']);
      same(await b.kinds(is.turn('quiet', 1, { keepOwnership: true })), ['accepted']);
      has(await rejectionOf(c.provider.commit('c', 0, c.batch(), 0)), { code: 'ERR_DURABLE_NODE_DEAD' });
    },
    'of nobody, of an unknown node and of itself does nothing': async (world) => {
      const [a] = await fleet(world);
      for (const nodes of [[], ['unknown'], ['a']])
        same(await a.takeOver(nodes), { nodes: [], activities: 0, instances: 0 });
      assert.equal(await a.provider.heartbeat('a', 2_000, 20_000), true);
      same(await each(a, 'crashes'), NONE);
    },
    'by a node that is dead itself is refused, and leaves the others alone': async (world) => {
      const [a, b] = await fleet(world);
      await a.takeOver(['b']);
      has(await rejectionOf(b.takeOver(['a'])), { code: 'ERR_DURABLE_NODE_DEAD', retryable: false });
      has(await rejectionOf(b.takeOver('all-others')), { code: 'ERR_DURABLE_NODE_DEAD' });
      assert.equal(await a.provider.heartbeat('a', 2_000, 20_000), true);
    },
    'twice counts once': async (world) => {
      const [a] = await fleet(world);
      await a.takeOver(['b']);
      same(await a.takeOver(['b']), { nodes: [], activities: 0, instances: 0 });
      same(await each(a, 'crashes'), { ...NONE, due: 1, messages: 1, works: 1 });
    },
    'makes the instances of the dead node free for anybody': async (world) => {
      const [a] = await fleet(world);
      const c = await world.engine('c');
      await a.takeOver(['b']);
      same(await each(c, 'owner'), Object.fromEntries(IDS.map((id) => [id, null])));
      await c.accepted(is.turn('quiet', 1), is.turn('works', 1));
    },
    'of all others adopts what will run next': async (world) => {
      const [a] = await fleet(world);
      await a.takeOver('all-others');
      const owners = await each<string | null>(a, 'owner');
      same(owners, { due: 'a', 'given back': null, later: null, messages: 'a', quiet: null, waits: 'a', works: 'a' });
    },
    'of all others adopts what has no owner, so that a crash in its first turn counts': async (world) => {
      const [a, b] = [await world.engine('a'), await world.engine('b')];
      await b.accepted(is.start('new'));
      await a.takeOver('all-others');
      has(await a.load('new'), { owner: 'a', crashes: 0 });
      const c = await world.engine('c');
      await c.takeOver('all-others');
      has(await c.load('new'), { owner: 'c', crashes: 1 });
    },
    'of all others takes engines, and leaves living clients alone': async (world) => {
      const [a] = await fleet(world);
      const client = await world.node('client');
      same((await a.takeOver('all-others')).nodes, ['b']);
      same(await client.kinds(is.send('quiet')), ['accepted']);
    },
    'of all others takes clients whose lease ran out': async (world) => {
      const [a] = await fleet(world);
      const client = await world.node('client', { leaseUntil: 3_000 });
      same((await a.takeOver('all-others', 3_000)).nodes, ['b']);
      same((await a.takeOver('all-others', 3_001)).nodes, ['client']);
      has(await rejectionOf(client.provider.commit('client', 0, client.batch(), 0)), { code: 'ERR_DURABLE_NODE_DEAD' });
    },
    'leaves what operators suspended uncounted': async (world) => {
      const [a] = await fleet(world);
      await a.accepted(is.suspend('works'));
      await a.takeOver(['b']);
      has(await a.load('works'), { crashes: 0, status: 'Suspended' });
      has((await a.claim())[0], { crashes: 1 });
    },
    'counts up to suspicion, and no further without a mark': async (world) => {
      const a = await world.engine('a');
      await a.accepted(is.start('i'));
      const before: number[] = [];
      for (const name of ['b', 'c', 'd', 'e']) {
        const node = await world.engine(name);
        if (name === 'b') await node.accepted(is.turn('i', 0, { keepOwnership: true, activities: [is.activity(1)] }));
        await node.takeOver('all-others');
        before.push((await node.load('i')).crashes);
      }
      same(before, [0, 1, 2, 2]);
    },
    'counts the crashes of an activity up to suspicion, and no further without a mark': async (world) => {
      const a = await world.engine('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.firstTurn('i', { activities: [is.activity(1)] }));
      const counted: number[] = [];
      for (const name of ['b', 'c', 'd', 'e']) {
        const node = await world.engine(name);
        counted.push((await node.claim())[0]!.crashes);
        await a.takeOver([name]);
      }
      same(counted, [0, 1, 2, 2]);
    },
  }),
  ...theme('a suspect', {
    'alone is blamed for the crash': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.suspect('quiet', 1));
      same(await a.takeOver(['b']), { nodes: ['b'], activities: 1, instances: 1 });
      same(await each(a, 'crashes'), { ...NONE, quiet: 1 });
      has((await a.claim())[0], { instanceId: 'works', crashes: 0 });
    },
    'is blamed each time, beyond suspicion': async (world) => {
      const a = await world.engine('a');
      await a.accepted(is.start('i'));
      const counted: number[] = [];
      for (const name of ['b', 'c', 'd', 'e']) {
        const node = await world.engine(name);
        await node.accepted(is.suspect('i'));
        await a.takeOver([name]);
        counted.push((await a.load('i')).crashes);
      }
      same(counted, [1, 2, 3, 4]);
    },
    'is one no longer when it has made a turn': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.suspect('quiet', 1));
      await b.accepted(is.turn('quiet', 1, { keepOwnership: true }));
      await a.takeOver(['b']);
      same(await each(a, 'crashes'), { ...NONE, due: 1, messages: 1, works: 1 });
    },
    'has its mark taken when it was blamed': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.suspect('quiet', 1));
      await a.takeOver(['b']);
      const c = await world.engine('c');
      await c.accepted(is.turn('later', 1, { keepOwnership: true }));
      await c.commit(is.send('later'));
      await a.takeOver(['c']);
      same([(await a.load('quiet')).crashes, (await a.load('later')).crashes], [1, 1]);
    },
    'of another node is not blamed': async (world) => {
      const [a] = await fleet(world);
      await a.accepted(is.suspect('quiet', 1));
      await a.takeOver(['b']);
      same(await each(a, 'crashes'), { ...NONE, due: 1, messages: 1, works: 1 });
    },
    'that has moved, restarted or ended is not marked': async (world) => {
      const [a, b] = await fleet(world);
      const marks = [
        is.suspect('quiet', 0),
        is.suspect('quiet', 2),
        is.suspect('quiet', 1, { generation: 'older life' }),
        is.suspect('nobody'),
      ];
      same(await b.kinds(...marks), ['refused', 'refused', 'refused', 'refused']);
      await b.accepted(is.ending('quiet', 1));
      await a.accepted(is.suspend('later'));
      same(await b.kinds(is.suspect('quiet', 2), is.suspect('later', 1)), ['refused', 'refused']);
      has(await a.takeOver(['b']), { instances: 3 });
    },
    'that is an activity alone is blamed': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.suspectActivity(is.bornClaimed('works', 1)));
      same(await a.takeOver(['b']), { nodes: ['b'], activities: 1, instances: 0 });
      same(await each(a, 'crashes'), NONE);
      has((await a.claim())[0], { crashes: 1 });
    },
    'that is an activity spares its neighbours': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.turn('quiet', 1, { keepOwnership: true, activities: [is.activity(5, { claimed: true })] }));
      await b.accepted(is.suspectActivity(is.bornClaimed('works', 1)));
      await a.takeOver(['b']);
      const crashes = Object.fromEntries((await a.claim()).map((it) => [it.instanceId, it.crashes]));
      same(crashes, { works: 1, quiet: 0 });
    },
    'that is an activity is one no longer when it completed': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.suspectActivity(is.bornClaimed('works', 1)));
      await b.accepted(is.complete(is.bornClaimed('works', 1)));
      has(await a.takeOver(['b']), { activities: 0, instances: 3 });
    },
    'that is an activity is one no longer when it was handed back and claimed again': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.suspectActivity(is.bornClaimed('works', 1)));
      await b.accepted(is.release(is.bornClaimed('works', 1)));
      await b.claim();
      has(await a.takeOver(['b']), { activities: 1, instances: 3 });
    },
    'that is an activity is one no longer when its attempt failed and it was claimed again': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.suspectActivity(is.bornClaimed('works', 1)));
      await b.accepted(is.retry(is.bornClaimed('works', 1)));
      await b.claim();
      has(await a.takeOver(['b']), { activities: 1, instances: 3 });
      has(await a.load('messages'), { crashes: 1 });
    },
    'instances and activities of one node are blamed together': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.suspect('quiet', 1), is.suspectActivity(is.bornClaimed('works', 1)));
      has(await a.takeOver(['b']), { instances: 1 });
      same(await each(a, 'crashes'), { ...NONE, quiet: 1 });
      has((await a.claim())[0], { crashes: 1 });
    },
  }),
  ...theme('leaving', {
    'releases everything and counts nothing': async (world) => {
      const [a, b] = await fleet(world);
      await b.leave();
      same(await each(a, 'crashes'), NONE);
      same(await each(a, 'owner'), Object.fromEntries(IDS.map((id) => [id, null])));
      has((await a.claim())[0], { instanceId: 'works', claim: 2, crashes: 0, attempt: 1 });
      same(await a.runnable(), ['messages']);
    },
    'leaves nothing to take over': async (world) => {
      const [a, b] = await fleet(world);
      await b.leave();
      same(await a.takeOver('all-others'), { nodes: [], activities: 0, instances: 0 });
    },
    'does not blame the suspect it leaves behind': async (world) => {
      const [a, b] = await fleet(world);
      await b.accepted(is.suspect('quiet', 1));
      await b.leave();
      const c = await world.engine('c');
      await c.accepted(is.turn('messages', 1, { keepOwnership: true }));
      await a.takeOver(['c']);
      same(await each(a, 'crashes'), { ...NONE, messages: 1 });
    },
    'twice, and by somebody unknown, does nothing': async (world) => {
      const [a, b] = await fleet(world);
      await b.leave();
      await b.leave();
      await a.provider.leave('unknown');
      assert.equal(await a.provider.heartbeat('a', 2_000, 20_000), true);
    },
    'leaves the activities of others with them': async (world) => {
      const [a, b] = await fleet(world);
      await a.accepted(is.turn('given back', 1, { activities: [is.activity(7, { claimed: true })] }));
      await b.leave();
      same(
        (await a.provider.claimedActivities('a')).map(({ scheduleId }) => scheduleId),
        [7],
      );
    },
  }),
  ...theme('a heartbeat', {
    'prolongs the lease': async (world) => {
      const a = await world.engine('a');
      await world.node('client', { leaseUntil: 3_000 });
      assert.equal(await a.provider.heartbeat('client', 2_900, 6_000), true);
      same((await a.takeOver('all-others', 5_000)).nodes, []);
      same((await a.takeOver('all-others', 6_001)).nodes, ['client']);
    },
    'of a node that was declared dead says so': async (world) => {
      const [a, b] = await fleet(world);
      assert.equal(await b.provider.heartbeat('b', 2_000, 9_000), true);
      await a.takeOver(['b']);
      assert.equal(await b.provider.heartbeat('b', 2_000, 9_000), false);
      assert.equal(await b.provider.heartbeat('b', 2_000, 9_000), false);
    },
    'of a node that left, or never joined, says so': async (world) => {
      const [a, b] = await fleet(world);
      await b.leave();
      same(
        [await a.provider.heartbeat('b', 2_000, 9_000), await a.provider.heartbeat('stranger', 2_000, 9_000)],
        [false, false],
      );
    },
  }),
  ...theme('joining', {
    'again, because the answer was lost, leaves the lanes at their numbers': async (world) => {
      const a = await world.node('a', { lanes: 2 });
      const batch = a.batch(is.start('i'), is.send('nobody'));
      await a.send(batch);
      await a.provider.join({ node: 'a', lanes: 2, buildId: 'build', now: 1_000, leaseUntil: 10_000 });
      same(
        (await a.send(batch)).verdicts.map(({ kind }) => kind),
        ['accepted', 'not-found'],
      );
      await a.accepted(is.start('j'));
      await a.commitOn(1, is.start('k'));
    },
    'again does not make a client of an engine': async (world) => {
      const [a, b] = [await world.engine('a'), await world.engine('b')];
      await b.provider.join({ node: 'b', lanes: 1, buildId: 'build', now: 1_000, leaseUntil: 10_000 });
      same((await a.takeOver('all-others')).nodes, ['b']);
    },
    'again under another name after death begins with new lanes': async (world) => {
      const [a, b] = await fleet(world);
      await b.commit(is.send('quiet'));
      await a.takeOver(['b']);
      const again = await world.node('b#2');
      same(await again.kinds(is.send('quiet')), ['accepted']);
    },
    'resolves at once for those who may run instances': async (world) => {
      const a = await world.node('a');
      await a.provider.acquireEngine(new AbortController().signal, () => undefined);
    },
  }),
];
