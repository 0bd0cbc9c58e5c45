import { strict as assert } from 'node:assert';
import type { InstanceFilter } from '../../../provider/provider.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { rejectionOf, type Node } from '../node.js';
import { range, sorted, table, theme, type World } from '../world.js';

/** Instances of every sort, of which each filter below takes some. */
async function population(world: World): Promise<Node> {
  const a = await world.node('a');
  a.now = 100;
  await a.accepted(
    is.start('a%b'),
    is.start('a_b'),
    is.start('axb', { name: 'Other' }),
    is.start('😀b'),
    is.start('A1'),
  );
  a.now = 200;
  await a.accepted(is.start('late'), is.start('held'), is.start('failed'), is.start("it's"));
  a.now = 300;
  await a.accepted(
    is.ending('a_b'),
    is.firstTurn('late'),
    is.suspend('held'),
    is.ending('failed', 0, { ending: { status: 'Failed', failure: is.failure() } }),
  );
  return a;
}

const list = async (a: Node, filter: InstanceFilter): Promise<string[]> =>
  sorted((await a.provider.list(filter, { limit: 1_000 })).items.map(({ instanceId }) => instanceId));

const FILTERS: readonly (readonly [what: string, filter: InstanceFilter, expected: readonly string[]])[] = [
  ['nothing', {}, ['A1', 'a%b', 'a_b', 'axb', 'failed', 'held', "it's", 'late', '😀b']],
  ['one status', { status: ['Completed'] }, ['a_b']],
  ['several statuses', { status: ['Failed', 'Suspended', 'Running'] }, ['failed', 'held', 'late']],
  ['a status nobody has', { status: ['Terminated'] }, []],
  ['no status at all', { status: [] }, []],
  ['a name', { name: 'Other' }, ['axb']],
  ['a name in other capitals', { name: 'OTHER' }, []],
  ['a prefix', { idPrefix: 'a' }, ['a%b', 'a_b', 'axb']],
  ['a prefix in capitals', { idPrefix: 'A' }, ['A1']],
  ['a prefix with a per cent sign', { idPrefix: 'a%' }, ['a%b']],
  ['a prefix with an underscore', { idPrefix: 'a_' }, ['a_b']],
  ['a prefix with a quote', { idPrefix: "it'" }, ["it's"]],
  ['a prefix beyond the first plane', { idPrefix: '😀' }, ['😀b']],
  ['a prefix that is a whole id', { idPrefix: 'late' }, ['late']],
  ['a prefix longer than the id', { idPrefix: 'late night' }, []],
  ['an empty prefix', { idPrefix: '', name: 'Other' }, ['axb']],
  ['a moment after which', { createdAfter: 100 }, ['failed', 'held', "it's", 'late']],
  ['a moment before which', { createdBefore: 200, idPrefix: 'a' }, ['a%b', 'a_b', 'axb']],
  ['a moment that is exactly it, from both sides', { createdAfter: 100, createdBefore: 101 }, []],
  ['a span of time', { createdAfter: 99, createdBefore: 101, status: ['Pending'] }, ['A1', 'a%b', 'axb', '😀b']],
  [
    'name, status, prefix and time together',
    { name: 'Test', status: ['Pending'], idPrefix: 'a', createdBefore: 150 },
    ['a%b'],
  ],
];

export const listingCases = [
  ...theme(
    'listing by',
    table(
      FILTERS,
      ([what]) => what,
      async (world, [, filter, expected]) => same(await list(await population(world), filter), sorted(expected)),
    ),
  ),
  ...theme('listing', {
    'gives the newest first, and those of one moment in the reverse order of their ids': async (world) => {
      const a = await world.node('a');
      for (const [now, ids] of [
        [300, ['x']],
        [100, ['y', 'z']],
        [200, ['b', 'c', 'a']],
      ] as const) {
        a.now = now;
        await a.accepted(...ids.map((id) => is.start(id)));
      }
      const { items } = await a.provider.list({}, { limit: 10 });
      same(
        items.map(({ instanceId }) => instanceId),
        ['x', 'c', 'b', 'a', 'z', 'y'],
      );
    },
    'gives the same rows as asking for their status': async (world) => {
      const a = await population(world);
      const { items } = await a.provider.list({}, { limit: 100 });
      for (const row of items) same(await a.provider.status(row.instanceId), row);
    },
    'has no cursor on a last page that is full': async (world) => {
      const a = await population(world);
      const first = await a.provider.list({}, { limit: 8 });
      assert.equal(first.items.length, 8);
      const second = await a.provider.list({}, { limit: 8, cursor: first.cursor! });
      same([second.items.length, second.cursor], [1, undefined]);
      assert.equal((await a.provider.list({}, { limit: 9 })).cursor, undefined);
    },
    'of an empty store is an empty page': async (world) => {
      const a = await world.node('a');
      same(await a.provider.list({}, { limit: 10 }), { items: [] });
    },
    'neither skips nor repeats what is there throughout, while others come and go': async (world) => {
      const a = await world.node('a');
      const stay = range(10, 39).map((n) => `stays-${n}`);
      for (const n of range(0, 5))
        await a.accepted(...stay.slice(n * 5, n * 5 + 5).map((id) => is.start(id)), is.start(`goes-${n}`));
      await a.accepted(...range(0, 5).map((n) => is.ending(`goes-${n}`)));
      const seen: string[] = [];
      for (let cursor: string | undefined, round = 0; ; round++) {
        const page = await a.provider.list({}, { limit: 7, cursor });
        seen.push(...page.items.map(({ instanceId }) => instanceId));
        cursor = page.cursor;
        if (cursor === undefined) break;
        await a.accepted(is.start(`comes-${round}`));
        if (round <= 5) await a.accepted(is.restart(`goes-${round}`, 'second'));
      }
      same(sorted(seen.filter((id) => id.startsWith('stays'))), stay);
      assert.equal(seen.filter((id) => id.startsWith('comes')).length, 0);
    },
    'pages through many of one moment': async (world) => {
      const a = await world.node('a');
      const ids = range(1, 50).map((n) => `i${n}`);
      await a.accepted(...ids.map((id) => is.start(id)));
      const seen: string[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await a.provider.list({}, { limit: 6, cursor });
        seen.push(...page.items.map(({ instanceId }) => instanceId));
        if ((cursor = page.cursor) === undefined) break;
      }
      same([seen.length, sorted(seen)], [50, sorted(ids)]);
    },
    'pages with a filter': async (world) => {
      const a = await world.node('a');
      for (const n of range(1, 20)) await a.accepted(is.start(`i${n}`, { name: n % 4 === 0 ? 'Rare' : 'Test' }));
      const first = await a.provider.list({ name: 'Rare' }, { limit: 3 });
      const second = await a.provider.list({ name: 'Rare' }, { limit: 3, cursor: first.cursor! });
      same(
        [...first.items, ...second.items].map(({ instanceId }) => instanceId),
        ['i20', 'i16', 'i12', 'i8', 'i4'],
      );
    },
    'does not move an instance that goes on': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('old'));
      await a.accepted(is.start('new'));
      await a.accepted(is.firstTurn('old'));
      same(
        (await a.provider.list({}, { limit: 10 })).items.map(({ instanceId }) => instanceId),
        ['new', 'old'],
      );
    },
    'is refused to a cursor that is none': async (world) => {
      const a = await population(world);
      for (const cursor of [
        'nonsense',
        '',
        Buffer.from('[1]').toString('base64url'),
        Buffer.from('["x","y"]').toString('base64url'),
      ])
        has(await rejectionOf(a.provider.list({}, { limit: 5, cursor })), { code: 'ERR_DURABLE_OPTION' });
    },
  }),
  ...theme('status', {
    'of nobody is null': async (world) => {
      const a = await world.node('a');
      assert.equal(await a.provider.status('nobody'), null);
    },
    'of several leaves out who is unknown': async (world) => {
      const a = await population(world);
      const rows = await a.provider.statuses(['late', 'nobody', 'held']);
      same(sorted(rows.map(({ instanceId }) => instanceId)), ['held', 'late']);
      same(await a.provider.statuses([]), []);
    },
    'of a completed instance has output and end': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      a.now = 7_000;
      await a.accepted(
        is.ending('i', 0, { ending: { status: 'Completed', output: '{"a":"\\u2028"}' }, customStatus: '"done"' }),
      );
      const expected = {
        status: 'Completed',
        output: '{"a":"\\u2028"}',
        failure: null,
        endedAt: 7_000,
        updatedAt: 7_000,
      } as const;
      has(await a.status('i'), { ...expected, customStatus: '"done"', createdAt: 1_000 });
    },
    'of a failed instance has the whole failure': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      const failure = {
        ...is.failure('a\u0000b'),
        code: 'E',
        stack: 'at\n',
        retryAfterMs: 3,
        cause: is.failure('é'),
        errors: [is.failure()],
        data: '{"x":1}',
      };
      await a.accepted(is.ending('i', 0, { ending: { status: 'Failed', failure } }));
      has(await a.status('i'), { status: 'Failed', output: null, failure });
    },
    'of an instance whose output is null is not that of one without': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      assert.equal((await a.status('i')).output, null);
      await a.accepted(is.ending('i', 0, { ending: { status: 'Completed', output: 'null' } }));
      assert.equal((await a.status('i')).output, 'null');
    },
    'of ids that differ in capitals, accents or blanks is not mixed up': async (world) => {
      const a = await world.node('a');
      const ids = ['id', 'ID', 'id ', ' id', 'íd', 'i\u0301d', 'ıd', 'ſd', 'straße', 'strasse', '__proto__', '0', '00'];
      await a.accepted(...ids.map((id) => is.start(id)));
      const rows = await a.provider.statuses(ids);
      same(
        new Set(rows.map(({ instanceId, generation }) => `${instanceId}/${generation}`)),
        new Set(ids.map((id) => `${id}/${is.generationOf(id)}`)),
      );
      assert.equal(rows.length, ids.length);
    },
  }),
];
