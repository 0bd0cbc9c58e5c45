import { strict as assert } from 'node:assert';
import type { HistoryEvent } from '../../../core/history-event.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { rejectionOf, type Node } from '../node.js';
import { range, theme, type World } from '../world.js';

/** An instance `i` whose turns appended that many events each. */
async function withTurns(world: World, ...counts: number[]): Promise<Node> {
  const a = await world.node('a');
  await a.accepted(is.start('i'));
  let next = 1;
  for (const [number, count] of counts.entries()) {
    const history = is.events(
      1,
      next,
      ...range(1, count).map((n) => ({ kind: 'KvSet', key: `${number}.${n}`, value: '1' })),
    );
    next += count;
    await a.accepted(is.turn('i', number, { history, nextEventId: next }));
  }
  return a;
}

async function pages(a: Node, limit: number): Promise<number[][]> {
  const seen: number[][] = [];
  for (let cursor: string | undefined; ;) {
    const page = await a.provider.history('i', undefined, { limit, cursor });
    seen.push(page.items.map(({ id }) => id));
    cursor = page.cursor;
    if (cursor === undefined) return seen;
  }
}

export const historyCases = theme('a history', {
  'is what turns appended, in order and whole': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    const recorded = [
      {
        kind: 'OrchestrationStarted',
        at: 1,
        name: 'N',
        version: '1.0.0',
        input: '{"a":"\\u0000"}',
        generation: 'g',
        executionId: 1,
      },
      { kind: 'ActivityScheduled', name: 'n', args: '[]', tag: 't' },
      {
        kind: 'ActivityFailed',
        at: 2,
        scheduleId: 2,
        failure: { ...is.failure('é😀'), cause: is.failure() },
        attempts: 3,
      },
    ];
    await a.accepted(is.firstTurn('i', { history: is.events(1, 1, ...recorded.slice(0, 2)), nextEventId: 3 }));
    await a.accepted(is.turn('i', 1, { history: is.events(1, 3, recorded[2]!), nextEventId: 4 }));
    const expected = recorded.map((it, index) => ({ id: index + 1, ...it }));
    same((await a.provider.history('i', 1, { limit: 10 })).items, expected);
    same((await a.load('i')).history, expected);
  },
  'is empty before the first turn, of another execution and of nobody': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    for (const [id, execution] of [
      ['i', undefined],
      ['i', 1],
      ['i', 2],
      ['nobody', undefined],
      ['nobody', 1],
    ] as const)
      same(await a.provider.history(id, execution, { limit: 10 }), { items: [] });
  },
  'is unchanged by a turn without events': async (world) => {
    const a = await withTurns(world, 2);
    await a.accepted(is.turn('i', 1, { nextEventId: 3 }));
    same(await pages(a, 10), [[1, 2]]);
  },
  'is cut into pages of events, not of turns': async (world) => {
    const a = await withTurns(world, 1, 5, 2, 7, 1);
    same(await pages(a, 4), [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 10, 11, 12],
      [13, 14, 15, 16],
    ]);
    same(await pages(a, 100), [range(1, 16)]);
    same(
      await pages(a, 1),
      range(1, 16).map((id) => [id]),
    );
  },
  'has no cursor on a last page that is full': async (world) => {
    const a = await withTurns(world, 3, 3);
    same(await pages(a, 3), [
      [1, 2, 3],
      [4, 5, 6],
    ]);
    assert.equal((await a.provider.history('i', 1, { limit: 6 })).cursor, undefined);
  },
  'of one turn with 1,000 events comes in pages': async (world) => {
    const a = await withTurns(world, 1_000);
    same(
      (await pages(a, 300)).map((it) => [it[0], it.at(-1)]),
      [
        [1, 300],
        [301, 600],
        [601, 900],
        [901, 1_000],
      ],
    );
    assert.equal((await a.load('i')).history.length, 1_000);
  },
  'goes on where a page stopped while turns are appended': async (world) => {
    const a = await withTurns(world, 2, 2);
    const first = await a.provider.history('i', undefined, { limit: 3 });
    await a.accepted(is.turn('i', 2, { history: is.events(1, 5, { kind: 'KvCleared' }), nextEventId: 6 }));
    const rest = await a.provider.history('i', undefined, { limit: 3, cursor: first.cursor! });
    same(
      [...first.items, ...rest.items].map(({ id }) => id),
      [1, 2, 3, 4, 5],
    );
    assert.equal(rest.cursor, undefined);
  },
  'of each execution is read by itself, and by default the current one': async (world) => {
    const a = await withTurns(world, 2);
    const last = is.events(1, 3, { kind: 'ContinuedAsNew', input: '2' });
    await a.accepted(is.turn('i', 1, { history: last, executionId: 2, nextEventId: 1, toItself: is.nextExecution(2) }));
    same(await pages(a, 10), [[]]);
    await a.accepted(
      is.turn('i', 2, { history: is.events(2, 1, { kind: 'KvCleared' }), executionId: 2, nextEventId: 2 }),
    );
    const kinds = async (execution?: number): Promise<HistoryEvent['kind'][]> =>
      (await a.provider.history('i', execution, { limit: 10 })).items.map(({ kind }) => kind);
    same(await kinds(), ['KvCleared']);
    same(await kinds(1), ['KvSet', 'KvSet', 'ContinuedAsNew']);
    same(
      (await a.load('i')).history.map(({ id }) => id),
      [1],
    );
  },
  'stays after the end': async (world) => {
    const a = await withTurns(world, 2);
    await a.accepted(is.ending('i', 1, { history: is.events(1, 3, { kind: 'OrchestrationCompleted', output: '42' }) }));
    same(await pages(a, 2), [[1, 2], [3]]);
  },
  'of instances with like ids is not mixed up': async (world) => {
    const a = await world.node('a');
    const ids = ['i', 'I', 'i ', 'í', 'i%', 'i_'];
    await a.accepted(...ids.map((id) => is.start(id)));
    await a.accepted(
      ...ids.map((id) => is.firstTurn(id, { history: is.events(1, 1, { kind: 'KvSet', key: id, value: '1' }) })),
    );
    for (const id of ids)
      same((await a.provider.history(id, 1, { limit: 10 })).items, [{ id: 1, kind: 'KvSet', key: id, value: '1' }]);
  },
  'is refused to a cursor that is none': async (world) => {
    const a = await withTurns(world, 2);
    for (const cursor of [
      'nonsense',
      '',
      Buffer.from('["x"]').toString('base64url'),
      Buffer.from('{}').toString('base64url'),
    ])
      has(await rejectionOf(a.provider.history('i', 1, { limit: 1, cursor })), { code: 'ERR_DURABLE_OPTION' });
  },
});
