import Sqlite from 'better-sqlite3';
import type { BatchItem } from '../../lib/provider/batch.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import * as item from '../../lib/testing/conformance/items.js';

export const ME = 'me#1';
export const DEAD = 'dead#1';
/** A dead node that had marked suspects. */
export const MARKED = 'marked#1';
export const NOW = 5_000;

/** A database in which every statement of the provider finds something to do. */
export async function writeFixture(path: string): Promise<void> {
  const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: path } });
  await provider.open();
  for (const node of [ME, DEAD, MARKED]) {
    await provider.join({ node, lanes: 2, buildId: 'old', now: 1_000, leaseUntil: 9_000 });
    await provider.takeOver(node, [], 1_000); // all three ran instances
  }
  await provider.join({ node: 'client#1', lanes: 2, buildId: 'old', now: 1_000, leaseUntil: 9_000 });
  for (const [node, batches] of Object.entries(BATCHES)) {
    for (const [index, items] of batches.entries()) {
      const { verdicts } = await provider.commit(node, 0, { seq: index + 1, now: 2_000 + index, items }, 0);
      const refused = items.filter((_, place) => verdicts[place]!.kind !== 'accepted');
      if (refused.length > 0) throw new Error(`the fixture is wrong: ${JSON.stringify(refused)}`);
    }
  }
  await provider.close();
  const database = new Sqlite(path);
  database.pragma('journal_mode = DELETE'); // one file, to be copied
  database.close();
}

const claimed = (scheduleId: number) => item.activity(scheduleId, { claimed: true });
const stays = { keepOwnership: true } as const;

const BATCHES: Record<string, readonly (readonly BatchItem[])[]> = {
  [ME]: [
    ['busy', 'turning', 'ending', 'done', 'again', 'holder', 'stopped', 'guilty', 'halted', 'odd', 'waiting'].map(
      (id) => item.start(id),
    ),
    [
      item.firstTurn('busy', {
        ...stays,
        history: item.history('OrchestrationStarted', 'WaitCreated'),
        nextEventId: 15,
        activities: [claimed(10), claimed(11), claimed(12), claimed(13), item.activity(14), item.activity(15)],
        timers: [item.timer(16, 4_000), item.timer(17, 90_000)],
        kv: [
          { key: 'a', value: '1' },
          { key: 'b', value: '2' },
        ],
        customStatus: '"busy"',
      }),
      item.firstTurn('turning', {
        ...stays,
        history: item.history('OrchestrationStarted'),
        nextEventId: 2,
        activities: [claimed(10)],
        timers: [item.timer(11, 4_000)],
        kv: [{ key: 'gone', value: '1' }],
      }),
      item.firstTurn('ending', { ...stays, activities: [claimed(10), item.activity(11)], timers: [item.timer(12, 1)] }),
      item.firstTurn('done', { ending: item.completed, kv: [{ key: 'left', value: '1' }] }),
      item.firstTurn('again', {
        history: item.history('OrchestrationStarted', 'OrchestrationCompleted'),
        kv: [{ key: 'left', value: '1' }],
        ending: item.completed,
      }),
      item.firstTurn('holder', { ...stays, held: 2, history: item.history('OrchestrationStarted') }),
      item.suspendByEngine('stopped', 'older'),
      item.suspend('halted'),
      item.firstTurn('waiting', { history: item.history('OrchestrationStarted', 'WaitCreated') }),
    ],
    [
      item.send('busy', item.event('tick', '1')),
      item.send('busy', item.queued('work', '2')),
      item.send('busy', item.cancel()),
      item.send('turning', item.event('tick', '1')),
      item.send('turning', item.event('tock', '1')),
      item.send('ending', item.event('tick', '1')),
    ],
  ],
  [DEAD]: [
    [item.start('lost'), item.start('idle')],
    [
      item.firstTurn('lost', {
        ...stays,
        held: 1,
        activities: [claimed(10), claimed(11)],
        timers: [item.timer(12, 1)],
      }),
      item.firstTurn('idle', { ...stays, history: item.history('OrchestrationStarted') }),
    ],
    [item.send('lost')],
  ],
  [MARKED]: [
    [item.start('suspected')],
    [item.firstTurn('suspected', { ...stays, activities: [claimed(10), claimed(11)] })],
    [item.suspect('suspected', 1), item.suspectActivity(item.bornClaimed('suspected', 10)), item.send('suspected')],
  ],
};

/** The next batch of `ME`: an item of every kind, accepted and not. */
export const NEXT_SEQ = 4;
export const nextBatch: readonly BatchItem[] = [
  item.start('new'),
  item.start('busy'),
  item.restart('again', 'another life'),
  item.restart('odd', 'another life'),
  item.turn('turning', 1, {
    ...stays,
    consumed: [2],
    messagesSeen: 2,
    history: item.events(1, 2, { kind: 'TimerFired' }, { kind: 'ActivityScheduled' }),
    nextEventId: 4,
    activities: [item.activity(20), claimed(21)],
    held: 1,
    closedActivities: [item.schedule(10)],
    timers: [item.timer(22, 7_000)],
    closedTimers: [item.schedule(11)],
    children: [
      item.child('little', { scheduleId: 23 }),
      item.child('busy', { scheduleId: 24 }),
      item.detached('free', { scheduleId: 25 }),
    ],
    messages: [
      { instanceId: 'busy', message: item.event('from a turn') },
      { instanceId: 'busy', generation: item.generationOf('busy'), message: item.cancel() },
      { instanceId: 'nobody', message: item.event('lost') },
    ],
    kv: [
      { key: 'gone', value: null },
      { key: 'new', value: '3' },
    ],
    customStatus: '"turned"',
    changes: { version: '2.0.0', cancelRequested: true },
    toItself: { kind: 'continue' },
  }),
  item.turn('waiting', 7),
  item.firstTurn('new', { history: item.history('OrchestrationStarted') }),
  item.turn('ending', 1, { history: item.events(1, 2, { kind: 'OrchestrationCompleted' }), ending: item.completed }),
  item.send('waiting', item.event('tick')),
  item.send('done', item.event('tick')),
  item.send('nobody', item.event('tick')),
  item.suspendByEngine('guilty', 'this build'),
  item.suspend('nobody'),
  item.resume('halted'),
  item.resume('done'),
  item.suspect('busy', 1),
  item.suspect('busy', 9),
  item.complete(item.bornClaimed('busy', 10)),
  item.complete(item.bornClaimed('ending', 99)),
  item.retry(item.bornClaimed('busy', 11), 6_000),
  item.release(item.bornClaimed('busy', 12)),
  item.suspectActivity(item.bornClaimed('busy', 13)),
  item.keep('holder', 1, [item.activity(30), claimed(31)]),
  item.keep('busy', 1, [item.activity(30)]),
  item.claim(),
];

/** The first batch of `ME`'s other lane, alone. */
export const small: readonly BatchItem[] = [item.send('waiting', item.event('tock'))];
export const goingOn = (expectedTurn: number): readonly BatchItem[] => [
  item.turn('busy', expectedTurn, {
    ...stays,
    history: item.events(1, 10 + expectedTurn, { kind: 'ActivityScheduled' }),
    nextEventId: 11 + expectedTurn,
    held: 1,
  }),
];
/** What `ME` wrote last. */
export const lastBatch = BATCHES[ME]![2]!;
