import { strict as assert } from 'node:assert';
import type { TurnItem } from '../../../provider/batch.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { rangeOfEvent } from './history-of-turns.js';
import { range, table, theme, type World } from '../world.js';
import type { Node } from '../node.js';

type Writes = Readonly<Record<string, string | null>>;

/** Turns of `i` that write, one after the other, over as many executions as it likes. */
class Writer {
  private turn = 0;
  private execution = 1;
  private event = 1;

  constructor(readonly node: Node) {}

  static async of(world: World): Promise<Writer> {
    const node = await world.node('a');
    await node.accepted(is.start('i'));
    return new Writer(node);
  }

  async write(kv: Writes, changes: Partial<TurnItem> = {}): Promise<void> {
    const history = rangeOfEvent(this.execution, this.event++);
    await this.commit(kv, { history, ...changes });
  }

  /** The last turn of an execution: its writes belong to the old one. */
  async continueAsNew(kv: Writes = {}): Promise<void> {
    const history = rangeOfEvent(this.execution, this.event);
    this.execution++;
    this.event = 1;
    await this.commit(kv, { history, toItself: is.nextExecution(this.execution) });
  }

  private commit(kv: Writes, changes: Partial<TurnItem>): Promise<unknown> {
    const writes = Object.entries(kv).map(([key, value]) => ({ key, value }));
    return this.node.accepted(is.turn('i', this.turn++, { kv: writes, executionId: this.execution, ...changes }));
  }

  async now(): Promise<Record<string, string>> {
    return Object.fromEntries(await this.node.provider.kvAll('i'));
  }

  async atStart(): Promise<Record<string, string>> {
    return Object.fromEntries((await this.node.load('i')).kvAtStart);
  }
}

const KEYS = [
  'k',
  'K',
  'ké',
  'ke\u0301',
  'k ',
  '__proto__',
  'constructor',
  "k'; DROP TABLE x; --",
  '😀',
  '%',
  '_',
  'x'.repeat(256),
];

export const kvCases = [
  ...theme('KV', {
    'is read as it was committed last': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ x: '1', y: '1' });
      await kv.write({ x: '2' });
      same(await kv.now(), { x: '2', y: '1' });
      assert.equal(await kv.node.provider.kv('i', 'x'), '2');
    },
    'has no value for a key that was never set, and none for nobody': async (world) => {
      const { node } = await Writer.of(world);
      same([await node.provider.kv('i', 'x'), await node.provider.kv('nobody', 'x')], [null, null]);
      same(await node.provider.kvAll('nobody'), new Map());
    },
    'forgets what was deleted': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ x: '1', y: '1' });
      await kv.write({ x: null, never: null });
      same(
        [await kv.now(), await kv.node.provider.kv('i', 'x'), await kv.node.provider.kv('i', 'never')],
        [{ y: '1' }, null, null],
      );
    },
    'tells a deleted key from one whose value is empty or null': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ empty: '', nothing: 'null', gone: null });
      same(await kv.now(), { empty: '', nothing: 'null' });
    },
    'takes the last of several writes of one key in one turn': async (world) => {
      const kv = await Writer.of(world);
      await kv.write(
        {},
        {
          kv: [
            { key: 'x', value: '1' },
            { key: 'x', value: null },
            { key: 'x', value: '3' },
          ],
        },
      );
      same([await kv.now(), await kv.atStart()], [{ x: '3' }, {}]);
    },
    'of a refused turn is not written': async (world) => {
      const kv = await Writer.of(world);
      await kv.node.commit(is.turn('i', 9, { kv: [{ key: 'x', value: '1' }] }));
      same(await kv.now(), {});
    },
    'belongs to one instance': async (world) => {
      const kv = await Writer.of(world);
      await kv.node.accepted(is.start('j'));
      await kv.write({ x: '1' });
      same([await kv.node.provider.kv('j', 'x'), (await kv.node.load('j')).kvAtStart], [null, new Map()]);
    },
    'stays readable after the end': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ x: '1' });
      await kv.write({ y: '2' }, { ending: is.completed });
      same(await kv.now(), { x: '1', y: '2' });
    },
    'holds 1,000 keys': async (world) => {
      const kv = await Writer.of(world);
      await kv.write(Object.fromEntries(range(1, 1_000).map((n) => [`key ${n}`, String(n)])));
      await kv.continueAsNew();
      same(
        [(await kv.node.provider.kvAll('i')).size, (await kv.node.load('i')).kvAtStart.get('key 777')],
        [1_000, '777'],
      );
    },
    'comes in the same order every time': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ b: '1', a: '1', 'a b': '1' });
      await kv.write({ B: '1', aa: '1' });
      const first = [...(await kv.node.provider.kvAll('i')).keys()];
      await kv.write({ a: '2', b: '2' });
      same([...(await kv.node.provider.kvAll('i')).keys()], first);
    },
  }),
  ...theme('what a replay starts from', {
    'is nothing in the first execution, whatever it wrote': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ x: '1', y: '1' });
      await kv.write({ x: '2', y: null });
      same(await kv.atStart(), {});
    },
    'is what the execution before it left': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ x: '1', y: '1', gone: '1' });
      await kv.continueAsNew({ x: '2', gone: null });
      same(await kv.atStart(), { x: '2', y: '1' });
    },
    'does not move with the writes of this execution': async (world) => {
      const kv = await Writer.of(world);
      await kv.continueAsNew({ x: '1' });
      await kv.write({ x: '2' });
      await kv.write({ x: '3' });
      same([await kv.atStart(), await kv.now()], [{ x: '1' }, { x: '3' }]);
    },
    'does not move when this execution deletes': async (world) => {
      const kv = await Writer.of(world);
      await kv.continueAsNew({ x: '1' });
      await kv.write({ x: null });
      same([await kv.atStart(), await kv.now()], [{ x: '1' }, {}]);
      await kv.write({ x: '2' });
      same([await kv.atStart(), await kv.now()], [{ x: '1' }, { x: '2' }]);
    },
    'has no key that the execution before it deleted, also when this one sets it again': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ x: '1' });
      await kv.continueAsNew({ x: null });
      same(await kv.atStart(), {});
      await kv.write({ x: '2' });
      same([await kv.atStart(), await kv.now()], [{}, { x: '2' }]);
    },
    'has a key that was not touched for many executions': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ x: '1' });
      for (let n = 0; n < 4; n++) await kv.continueAsNew({ other: String(n) });
      same(await kv.atStart(), { x: '1', other: '3' });
      await kv.write({ x: '2' });
      same(await kv.atStart(), { x: '1', other: '3' });
    },
    'is right through three executions that all write': async (world) => {
      const kv = await Writer.of(world);
      await kv.write({ x: '1' });
      await kv.continueAsNew({ x: '2' });
      await kv.write({ x: '3' });
      await kv.continueAsNew({ x: '4', y: '4' });
      await kv.write({ x: '5', y: null });
      same([await kv.atStart(), await kv.now()], [{ x: '4', y: '4' }, { x: '5' }]);
    },
    'is empty again in a new life': async (world) => {
      const kv = await Writer.of(world);
      await kv.continueAsNew({ x: '1' });
      await kv.write({ x: '2' }, { ending: is.completed });
      await kv.node.accepted(is.restart('i', 'second'));
      same([await kv.atStart(), await kv.now()], [{}, {}]);
      has(await kv.node.load('i'), { generation: 'second' });
    },
  }),
  ...theme(
    'a KV key',
    table(
      KEYS,
      (key) => `${JSON.stringify(key.slice(0, 30))} is like any other, and no other`,
      async (world, key) => {
        const kv = await Writer.of(world);
        await kv.write({}, { kv: [...KEYS.map((it) => ({ key: it, value: '"other"' })), { key, value: '"mine"' }] });
        assert.equal(await kv.node.provider.kv('i', key), '"mine"');
        const all = await kv.node.provider.kvAll('i');
        same([all.size, [...all].filter(([, value]) => value === '"mine"').map(([it]) => it)], [KEYS.length, [key]]);
      },
    ),
  ),
];
