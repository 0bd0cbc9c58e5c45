import { strict as assert } from 'node:assert';
import type { BatchItem } from '../../../provider/batch.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { claimedOf, type Node } from '../node.js';
import { table, theme } from '../world.js';

interface Repeated {
  readonly what: string;
  readonly verdict?: string;
  readonly prepare?: (a: Node) => Promise<unknown>;
  readonly item: BatchItem;
  /** What a second writing would change. */
  readonly trace: (a: Node) => Promise<unknown>;
}

const started = (a: Node): Promise<unknown> => a.accepted(is.start('i'), is.start('neighbour'));
const ended = async (a: Node): Promise<unknown> => {
  await a.accepted(is.start('i'));
  return a.accepted(is.ending('i'));
};
const claimed = async (a: Node): Promise<unknown> => {
  await a.accepted(is.start('i'));
  return a.accepted(is.firstTurn('i', { activities: [is.activity(1, { claimed: true })] }));
};
const holding = async (a: Node): Promise<unknown> => {
  await a.accepted(is.start('i'));
  return a.accepted(is.firstTurn('i', { held: 1, keepOwnership: true }));
};
const counters = (a: Node): Promise<unknown> => a.counters('i');
const loaded = (a: Node): Promise<unknown> => a.load('i');
const held = is.bornClaimed('i', 1);

const REPEATED: readonly Repeated[] = [
  { what: 'a start', item: is.start('i'), trace: loaded },
  { what: 'a restart of a finished instance', prepare: ended, item: is.restart('i', 'second'), trace: loaded },
  { what: 'a message', prepare: started, item: is.send('i'), trace: loaded },
  {
    what: 'a turn',
    prepare: started,
    item: is.fullTurn('i'),
    trace: async (a) => [await a.load('i'), await a.counters('neighbour'), await a.counters('i-child')],
  },
  { what: 'an end', prepare: started, item: is.ending('i'), trace: (a) => a.status('i') },
  { what: 'a suspension', prepare: started, item: is.suspendByEngine('i', 'b1'), trace: (a) => a.status('i') },
  {
    what: 'a resumption',
    prepare: (a) => a.accepted(is.start('i'), is.suspend('i')),
    item: is.resume('i'),
    trace: (a) => a.status('i'),
  },
  { what: 'a completion', prepare: claimed, item: is.complete(held), trace: loaded },
  {
    what: 'a release',
    prepare: claimed,
    item: is.release(held),
    trace: (a) => a.provider.nextActivityDueAt(['work'], []),
  },
  { what: 'the keeping of held activities', prepare: holding, item: is.keep('i', 1, [is.activity(1)]), trace: loaded },
  { what: 'a turn that is refused', verdict: 'refused', prepare: started, item: is.fullTurn('i', 7), trace: loaded },
  {
    what: 'a start of a taken id',
    verdict: 'exists',
    prepare: started,
    item: is.start('i', { generation: 'second' }),
    trace: loaded,
  },
  { what: 'a message to nobody', verdict: 'not-found', item: is.send('i'), trace: (a) => a.provider.status('i') },
  {
    what: 'a message to a finished instance',
    verdict: 'finished',
    prepare: ended,
    item: is.send('i'),
    trace: counters,
  },
  {
    what: 'a suspension of a finished instance',
    verdict: 'finished',
    prepare: ended,
    item: is.suspend('i'),
    trace: (a) => a.status('i'),
  },
  { what: 'a resumption of nobody', verdict: 'not-found', item: is.resume('i'), trace: (a) => a.provider.status('i') },
  {
    what: 'a completion that is refused',
    verdict: 'refused',
    prepare: claimed,
    item: is.complete({ ...held, claim: 2 }),
    trace: counters,
  },
];

/** An answer got lost: the journal asks again, with the same batch under the same number. */
export const repeatingCases = [
  ...theme(
    'a batch that is repeated under its number',
    table(
      REPEATED,
      ({ what }) => `does not do ${what} twice, and has the same verdict`,
      async (world, { verdict = 'accepted', prepare, item, trace }) => {
        const a = await world.node('a');
        await prepare?.(a);
        const batch = a.batch(item);
        assert.equal((await a.send(batch)).verdicts[0]!.kind, verdict);
        const before = await trace(a);
        for (let again = 1; again <= 2; again++) assert.equal((await a.send(batch)).verdicts[0]!.kind, verdict);
        same(await trace(a), before);
      },
    ),
  ),
  ...theme('a batch that is repeated under its number', {
    'counts a failed attempt once': async (world) => {
      const a = await world.node('a');
      await claimed(a);
      const batch = a.batch(is.retry(held, 1_000));
      await a.send(batch);
      await a.send(batch);
      has((await a.claim())[0], { attempt: 2, claim: 2 });
    },
    'claims nothing more, and what it claimed is read from the store': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.firstTurn('i', { activities: [is.activity(1), is.activity(2), is.activity(3)] }));
      const batch = a.batch(is.claim(2));
      const [first, second] = [await a.send(batch), await a.send(batch)];
      same(second.verdicts, [{ kind: 'claimed', activities: undefined }]);
      const holds = await a.provider.claimedActivities('a');
      same(
        holds.map(({ scheduleId }) => scheduleId).sort((x, y) => x - y),
        claimedOf(first).map((it) => it.scheduleId),
      );
    },
    'says which instances came into being, and leaves out what it would have to remember': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('taken'));
      const batch = a.batch(is.start('new'), is.start('taken'), is.send('taken'));
      await a.send(batch);
      has(await a.send(batch), { started: ['new'], delivered: undefined });
    },
    'has the verdict of each item in its place': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('taken'), is.start('i'), is.start('over'));
      await a.accepted(is.ending('over'));
      const batch = a.batch(
        is.start('taken'),
        is.start('new'),
        is.send('over'),
        is.turn('i'),
        is.send('nobody'),
        is.turn('taken', 9),
        is.send('i'),
      );
      const kinds = ['exists', 'accepted', 'finished', 'accepted', 'not-found', 'refused', 'accepted'];
      for (let round = 0; round < 2; round++)
        same(
          (await a.send(batch)).verdicts.map(({ kind }) => kind),
          kinds,
        );
    },
    'does not inherit the verdicts of the batch before it': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      same(await a.kinds(is.start('i')), ['exists']);
      const batch = a.batch(is.start('j'));
      await a.send(batch);
      same((await a.send(batch)).verdicts, [{ kind: 'accepted' }]);
    },
    'is answered from its own lane, whatever the others did since': async (world) => {
      const a = await world.node('a', { lanes: 3 });
      await a.commit(is.start('taken'));
      const batch = a.batchOn(1, is.start('taken'), is.start('x'));
      await a.send(batch, 1);
      await a.commitOn(0, is.start('y'));
      await a.commitOn(2, is.send('nobody'));
      same(
        (await a.send(batch, 1)).verdicts.map(({ kind }) => kind),
        ['exists', 'accepted'],
      );
    },
    'is answered after the instance has gone on': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      const batch = a.batch(is.firstTurn('i'));
      await a.send(batch);
      await b.accepted(is.ending('i', 1));
      same((await a.send(batch)).verdicts, [{ kind: 'accepted' }]);
      has(await a.load('i'), { turn: 2, status: 'Completed' });
    },
  }),
];
