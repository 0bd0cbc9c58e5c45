import { strict as assert } from 'node:assert';
import type { BatchItem } from '../../../provider/batch.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { claimedOf, persistently, type Node } from '../node.js';
import { range, sorted, theme, type World } from '../world.js';

const nodes = (world: World, ...names: string[]): Promise<Node[]> => Promise.all(names.map((name) => world.node(name)));

/** The same items by every node at the same time. */
const race = async (racers: readonly Node[], items: (node: Node) => BatchItem[]): Promise<string[][]> =>
  Promise.all(racers.map((node) => node.kinds(...items(node))));

export const concurrencyCases = theme('at the same time', {
  'messages of two processes are numbered without a gap, each in its order': async (world) => {
    const [a, b] = (await nodes(world, 'a', 'b')) as [Node, Node];
    await a.accepted(is.start('i'), is.start('j'));
    await Promise.all(
      [a, b].map(async (node) => {
        for (const n of range(1, 12))
          await node.commit(
            is.send('i', is.event(node.name, `${n}a`)),
            is.send('j'),
            is.send('i', is.event(node.name, `${n}b`)),
          );
      }),
    );
    same([await a.seqsOf('i'), await a.seqsOf('j')], [range(1, 49), range(1, 25)]);
    for (const { name } of [a, b]) {
      const of = (await a.messages('i')).flatMap((it) =>
        it.kind === 'external-event' && it.name === name ? [it.data] : [],
      );
      same(
        of,
        range(1, 12).flatMap((n) => [`${n}a`, `${n}b`]),
      );
    }
  },
  'one of many starts of one id wins': async (world) => {
    const racers = await nodes(world, 'a', 'b', 'c', 'd');
    const kinds = await race(racers, ({ name }) => [is.start('i', { generation: name, input: `"${name}"` })]);
    same(sorted(kinds.flat()), ['accepted', 'exists', 'exists', 'exists']);
    const winner = racers[kinds.findIndex(([kind]) => kind === 'accepted')]!.name;
    const { generation, messages } = await racers[0]!.load('i');
    same([generation, messages.map(({ message }) => 'input' in message && message.input)], [winner, [`"${winner}"`]]);
  },
  'one of many restarts of one finished instance wins': async (world) => {
    const racers = await nodes(world, 'a', 'b', 'c');
    await racers[0]!.accepted(is.start('i'));
    await racers[0]!.accepted(is.ending('i'));
    const kinds = await race(racers, ({ name }) => [is.restart('i', name)]);
    same(sorted(kinds.flat()), ['accepted', 'exists', 'exists']);
    const winner = racers[kinds.findIndex(([kind]) => kind === 'accepted')]!.name;
    has(await racers[0]!.load('i'), { generation: winner, messagesIn: 1, turn: 0 });
  },
  'one of many turns of one number wins, and the others leave nothing': async (world) => {
    const racers = await nodes(world, 'a', 'b', 'c', 'd');
    await racers[0]!.accepted(is.start('i'));
    const kinds = await race(racers, ({ name }) => [
      is.firstTurn('i', {
        customStatus: `"${name}"`,
        kv: [{ key: name, value: '1' }],
        timers: [is.timer(1, 5)],
        children: [is.child(`c-${name}`)],
      }),
    ]);
    same(sorted(kinds.flat()), ['accepted', 'refused', 'refused', 'refused']);
    const winner = racers[kinds.findIndex(([kind]) => kind === 'accepted')]!.name;
    const a = racers[0]!;
    same([(await a.status('i')).customStatus, [...(await a.provider.kvAll('i')).keys()]], [`"${winner}"`, [winner]]);
    same(
      (await a.provider.list({ idPrefix: 'c-' }, { limit: 9 })).items.map(({ instanceId }) => instanceId),
      [`c-${winner}`],
    );
    has(await a.load('i'), { turn: 1, messagesSeen: 1 });
  },
  'no activity is claimed twice': async (world) => {
    const racers = await nodes(world, 'a', 'b', 'c');
    await racers[0]!.accepted(is.start('i'));
    await racers[0]!.accepted(is.firstTurn('i', { activities: range(1, 30).map((n) => is.activity(n)) }));
    const claimed: number[] = [];
    await Promise.all(
      racers.map(async (node) => {
        for (let round = 0; round < 6; round++) {
          const result = await node.commit(is.claim(3));
          claimed.push(...claimedOf(result).map(({ scheduleId }) => scheduleId));
        }
      }),
    );
    assert.equal(new Set(claimed).size, claimed.length, 'claimed twice');
    for (const node of racers) claimed.push(...(await node.claim(100)).map(({ scheduleId }) => scheduleId));
    same(
      claimed.sort((x, y) => x - y),
      range(1, 30),
    );
  },
  'an activity completes once, for the node that holds it': async (world) => {
    const [a, b] = (await nodes(world, 'a', 'b')) as [Node, Node];
    await a.accepted(is.start('i'));
    await a.accepted(is.firstTurn('i', { activities: [is.activity(1)] }));
    const [held] = await a.claim();
    const [[mine], [others]] = (await Promise.all([a.kinds(is.complete(held!)), b.kinds(is.complete(held!))])) as [
      string[],
      string[],
    ];
    same([mine, others, await a.seqsOf('i')], ['accepted', 'refused', [2]]);
  },
  'a message and the turn that ends the instance leave no message behind': async (world) => {
    const [a, b] = (await nodes(world, 'a', 'b')) as [Node, Node];
    const ids = range(1, 8).map((n) => `i${n}`);
    await a.accepted(...ids.map((id) => is.start(id)));
    for (const id of ids) {
      const [[ended], [sent]] = (await Promise.all([a.kinds(is.ending(id)), b.kinds(is.send(id))])) as [
        string[],
        string[],
      ];
      assert.equal(ended, 'accepted');
      assert.ok(sent === 'accepted' || sent === 'finished', sent);
      same(await a.messages(id), []);
    }
  },
  'a message and the turn that looks at what was there wake the instance again': async (world) => {
    const [a, b] = (await nodes(world, 'a', 'b')) as [Node, Node];
    const ids = range(1, 8).map((n) => `i${n}`);
    await a.accepted(...ids.map((id) => is.start(id)));
    await Promise.all(
      ids
        .flatMap((id, n) => (n === 0 ? [a.accepted(...ids.map((it) => is.firstTurn(it)))] : []))
        .concat(b.commit(...ids.map((id) => is.send(id)))),
    );
    for (const id of ids) same([await a.counters(id), await a.seqsOf(id)], [[2, 1], [2]]);
    same(await a.runnable(), sorted(ids));
  },
  'children of one id by two parents are one child and one clash': async (world) => {
    const [a, b] = (await nodes(world, 'a', 'b')) as [Node, Node];
    await a.accepted(is.start('p'), is.start('q'));
    await Promise.all([
      a.accepted(is.firstTurn('p', { children: [is.child('c', { generation: 'of p' })] })),
      b.accepted(is.firstTurn('q', { children: [is.child('c', { generation: 'of q' })] })),
    ]);
    const owner = (await a.status('c')).parent!.instanceId;
    same([(await a.messages('p')).length, (await a.messages('q')).length], owner === 'p' ? [0, 1] : [1, 0]);
  },
  'two instances that write to each other do not stop each other for good': async (world) => {
    const [a, b] = (await nodes(world, 'a', 'b')) as [Node, Node];
    await a.accepted(is.start('x'), is.start('y'));
    for (const n of range(0, 5)) {
      await Promise.all([
        a.accepted(is.turn('x', n, { messages: [{ instanceId: 'y', message: is.event(`x${n}`) }] })),
        b.accepted(is.turn('y', n, { messages: [{ instanceId: 'x', message: is.event(`y${n}`) }] })),
      ]);
    }
    same(
      [await a.counters('x'), await a.counters('y')],
      [
        [7, 0],
        [7, 0],
      ],
    );
  },
  'batches of two lanes of one node do not disturb each other': async (world) => {
    const a = await world.node('a', { lanes: 2 });
    await a.accepted(is.start('i'));
    const lane = async (number: number): Promise<void> => {
      for (const n of range(1, 10))
        await a.commitOn(number, is.send('i', is.event(`lane ${number}`, String(n))), is.start(`${number}/${n}`));
    };
    await Promise.all([lane(0), lane(1)]);
    same(await a.seqsOf('i'), range(1, 21));
    assert.equal((await a.provider.list({}, { limit: 100 })).items.length, 21);
  },
  'the same batch asked for twice happens once': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    const batch = a.batch(is.send('i'), is.start('j'), is.send('nobody'));
    const answers = await Promise.all([a.send(batch), a.send(batch)]);
    for (const { verdicts } of answers)
      same(
        verdicts.map(({ kind }) => kind),
        ['accepted', 'accepted', 'not-found'],
      );
    same([await a.seqsOf('i'), await a.seqsOf('j')], [[1, 2], [1]]);
  },
  'a dead node commits, and either all of it is taken over or nothing of it is in': async (world) => {
    const [a, b] = [await world.engine('a'), await world.engine('b')];
    const ids = range(1, 6).map((n) => `i${n}`);
    await a.accepted(...ids.map((id) => is.start(id)));
    const work = ids.map((id) =>
      is.firstTurn(id, { keepOwnership: true, held: 1, activities: [is.activity(1, { claimed: true })] }),
    );
    const [committed] = await Promise.allSettled([b.commit(...work), a.takeOver(['b'])]);
    same(await a.provider.claimedActivities('b'), []);
    const isIn = committed.status === 'fulfilled';
    for (const id of ids) has(await a.load(id), { turn: isIn ? 1 : 0, owner: null, held: isIn ? 1 : 0 });
    same((await a.claim()).length, isIn ? 6 : 0);
    same(await a.runnable(), ids);
  },
  'a dead node is taken over by one of two': async (world) => {
    const [a, b, dead] = [await world.engine('a'), await world.engine('b'), await world.engine('dead')];
    await dead.accepted(is.start('i'));
    await dead.accepted(is.turn('i', 0, { keepOwnership: true }));
    const taken = await Promise.all([a.takeOver(['dead']), b.takeOver(['dead'])]);
    same(
      taken.flatMap((it) => it.nodes),
      ['dead'],
    );
    has(await a.load('i'), { crashes: 1 });
  },
  'a suspension and a turn do not both have the instance': async (world) => {
    const [a, b] = (await nodes(world, 'a', 'b')) as [Node, Node];
    const ids = range(1, 6).map((n) => `i${n}`);
    await a.accepted(...ids.map((id) => is.start(id)));
    for (const id of ids) {
      const [[turned], [suspended]] = (await Promise.all([
        a.kinds(is.firstTurn(id)),
        b.kinds(is.suspendByEngine(id, 'b1')),
      ])) as [string[], string[]];
      same(sorted([turned!, suspended!]), ['accepted', 'refused']);
      has(await a.status(id), { status: turned === 'accepted' ? 'Running' : 'Suspended' });
    }
  },
  'a reader sees a batch whole or not at all': async (world) => {
    const [a, b] = (await nodes(world, 'a', 'b')) as [Node, Node];
    await a.accepted(is.start('i'));
    let isOver = false;
    const seen: string[] = [];
    const reading = (async () => {
      while (!isOver) {
        const { turn, messagesSeen, history, messages } = await b.load('i');
        seen.push(`${turn} ${messagesSeen} ${history.length} ${messages.length}`);
        await persistently(() => b.provider.heartbeat('b', 1_000, 10_000));
      }
    })();
    for (const n of range(0, 9)) {
      const history = is.events(1, n + 1, { kind: 'KvCleared' });
      await a.accepted(
        is.turn('i', n, {
          history,
          nextEventId: n + 2,
          messagesSeen: 1,
          consumed: [n + 1],
          toItself: { kind: 'continue' },
        }),
      );
    }
    isOver = true;
    await reading;
    for (const it of seen) {
      const [turn] = it.split(' ');
      assert.equal(it, `${turn} ${turn} ${turn} 1`);
    }
  },
});
