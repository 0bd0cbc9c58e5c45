import { strict as assert } from 'node:assert';
import type { StoredTimer, TimerCursor } from '../../../provider/provider.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import type { Node } from '../node.js';
import { range, theme } from '../world.js';

const short = ({ fireAt, instanceId, executionId, scheduleId }: StoredTimer) =>
  `${fireAt} ${instanceId} ${executionId} ${scheduleId}`;

async function all(a: Node, until: number, pageSize: number): Promise<string[]> {
  const seen: string[] = [];
  for (let after: TimerCursor | null = null; ;) {
    const page: StoredTimer[] = await a.provider.timers(after, until, pageSize);
    seen.push(...page.map(short));
    if (page.length < pageSize) return seen;
    after = page.at(-1)!;
  }
}

export const timerCases = theme('timers', {
  'are read in the order in which they fire, with the life they belong to': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'), is.start('j'));
    await a.accepted(
      is.firstTurn('i', { timers: [is.timer(1, 300), is.timer(2, 100)] }),
      is.firstTurn('j', { timers: [is.timer(1, 200)] }),
    );
    const read = await a.provider.timers(null, 1_000, 10);
    same(read.map(short), ['100 i 1 2', '200 j 1 1', '300 i 1 1']);
    same(read[1], { ...is.keyOf('j'), ...is.schedule(1), fireAt: 200 });
  },
  'that fire exactly at the end of the range are in it': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    await a.accepted(is.firstTurn('i', { timers: [is.timer(1, 99), is.timer(2, 100), is.timer(3, 101)] }));
    same(
      (await a.provider.timers(null, 100, 10)).map(({ scheduleId }) => scheduleId),
      [1, 2],
    );
  },
  'that fire exactly at the cursor are not read again': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    await a.accepted(is.firstTurn('i', { timers: [is.timer(1, 100), is.timer(2, 101)] }));
    const [first] = await a.provider.timers(null, 1_000, 1);
    same(
      (await a.provider.timers(first!, 1_000, 10)).map(({ scheduleId }) => scheduleId),
      [2],
    );
  },
  'that fire together are told apart by instance, execution and schedule': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'), is.start('j'));
    const timers = [is.timer(10, 100), is.timer(9, 100), is.timer(1, 100, 2)];
    await a.accepted(is.firstTurn('j', { timers }), is.firstTurn('i', { timers }));
    const expected = ['i 1 9', 'i 1 10', 'i 2 1', 'j 1 9', 'j 1 10', 'j 2 1'].map((it) => `100 ${it}`);
    for (const pageSize of [1, 2, 4]) same(await all(a, 100, pageSize), expected);
  },
  'page through without loss while others come and go': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    await a.accepted(is.firstTurn('i', { timers: range(1, 20).map((n) => is.timer(n, n * 10)) }));
    const first = await a.provider.timers(null, 1_000, 8);
    await a.accepted(
      is.turn('i', 1, {
        closedTimers: [is.schedule(8), is.schedule(15)],
        timers: [is.timer(30, 5), is.timer(31, 115)],
      }),
    );
    const rest = await a.provider.timers(first.at(-1)!, 1_000, 100);
    same(
      rest.map(({ scheduleId }) => scheduleId),
      [9, 10, 11, 31, 12, 13, 14, 16, 17, 18, 19, 20],
    );
  },
  'that a turn closed are gone, and only those': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'), is.start('j'));
    const timers = [is.timer(1, 100), is.timer(2, 100)];
    await a.accepted(is.firstTurn('i', { timers }), is.firstTurn('j', { timers }));
    await a.accepted(is.turn('i', 1, { closedTimers: [is.schedule(1), is.schedule(2, 9)] }));
    same(await all(a, 100, 10), ['100 i 1 2', '100 j 1 1', '100 j 1 2']);
  },
  'may be closed and armed again in the same turn': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    await a.accepted(is.firstTurn('i', { timers: [is.timer(1, 100)] }));
    await a.accepted(is.turn('i', 1, { closedTimers: [is.schedule(1)], timers: [is.timer(1, 200)] }));
    same(await all(a, 1_000, 10), ['200 i 1 1']);
  },
  'go with their instance when it ends': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'), is.start('j'));
    await a.accepted(
      is.firstTurn('i', { timers: [is.timer(1, 100)] }),
      is.firstTurn('j', { timers: [is.timer(1, 100)] }),
    );
    await a.accepted(is.ending('i', 1, { timers: [is.timer(2, 100)] }));
    same(await all(a, 1_000, 10), ['100 j 1 1']);
  },
  'of a suspended instance stay: it is still open': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    await a.accepted(is.firstTurn('i', { timers: [is.timer(1, 100)] }));
    await a.accepted(is.suspend('i'));
    same(await all(a, 1_000, 10), ['100 i 1 1']);
  },
  'of a refused turn are not armed, and those it would close stay': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    await a.accepted(is.firstTurn('i', { timers: [is.timer(1, 100)] }));
    await a.commit(is.turn('i', 7, { closedTimers: [is.schedule(1)], timers: [is.timer(2, 100)] }));
    same(await all(a, 1_000, 10), ['100 i 1 1']);
  },
  'of the far future keep their moment to the millisecond': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    const far = Date.UTC(9_999, 11, 31) + 1;
    await a.accepted(is.firstTurn('i', { timers: [is.timer(1, far), is.timer(2, 2 ** 31), is.timer(3, 0)] }));
    same(await all(a, far, 10), ['0 i 1 3', `${2 ** 31} i 1 2`, `${far} i 1 1`]);
    assert.equal((await a.provider.timers(null, far - 1, 10)).length, 2);
  },
  'that are due come with their instance, the first due first': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'), is.start('j'));
    const timers = [is.timer(1, 300), is.timer(2, 100), is.timer(3, 100), is.timer(4, 200), is.timer(5, 201)];
    await a.accepted(is.firstTurn('i', { timers }), is.firstTurn('j', { timers: [is.timer(9, 1)] }));
    has(await a.load('i', { dueUntil: 200 }), { dueTimers: [2, 3, 4].map((id) => is.schedule(id)) });
    has(await a.load('i', { dueUntil: 99 }), { dueTimers: [] });
  },
  'come in any number: 1,500 of one turn': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    await a.accepted(is.firstTurn('i', { timers: range(1, 1_500).map((n) => is.timer(n, 1_000 - (n % 10))) }));
    assert.equal((await all(a, 1_000, 400)).length, 1_500);
    await a.accepted(is.turn('i', 1, { closedTimers: range(1, 1_499).map((n) => is.schedule(n)) }));
    same(await all(a, 1_000, 400), ['1000 i 1 1500']);
  },
  'of a restarted instance are those of its new life': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    await a.accepted(is.ending('i'));
    await a.accepted(is.restart('i', 'second'));
    await a.accepted(is.turn('i', 0, { generation: 'second', timers: [is.timer(1, 100)] }));
    has((await a.provider.timers(null, 100, 1))[0], { generation: 'second' });
  },
});
