import type { BatchItem, BatchResult } from '../../lib/provider/batch.js';
import type { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import { DEAD, goingOn, lastBatch, MARKED, ME, nextBatch, NEXT_SEQ, NOW, small } from './fixture.js';

/** One call of a provider's method on the fixture. */
export interface Call {
  readonly method: keyof TypeOrmProvider;
  readonly what: string;
  readonly make: (provider: TypeOrmProvider) => Promise<unknown>;
  /** On a database without tables. */
  readonly onEmptyFile?: boolean;
  /** Its answer cannot be lost: what it gives lives in this process. */
  readonly isLocal?: boolean;
  /** What the same provider did before. */
  readonly first?: (provider: TypeOrmProvider) => Promise<unknown>;
  /** Asked of a repeated call: what only the first answer can say is left out. */
  readonly answer?: (answer: unknown) => unknown;
}

const call = (
  method: keyof TypeOrmProvider,
  what: string,
  make: Call['make'],
  more: Pick<Call, 'onEmptyFile' | 'isLocal' | 'first' | 'answer'> = {},
): Call => ({ method, what, make, ...more });

const kinds = (answer: unknown): unknown => (answer as BatchResult).verdicts.map(({ kind }) => kind);
const nothing = (): undefined => undefined;
const key = (instanceId: string) => ({ instanceId, generation: `life-of-${instanceId}` });
const signal = (): AbortSignal => new AbortController().signal;
const batch = (seq: number, items: readonly BatchItem[]) => ({ seq, now: NOW, items });
const commit = (what: string, lane: number, seq: number, items: readonly BatchItem[], patienceMs = 0): Call =>
  call('commit', what, (db) => db.commit(ME, lane, batch(seq, items), patienceMs), { answer: kinds });

/** Every method of the contract; `close` is in every run. */
export const CALLS: readonly Call[] = [
  call('open', 'on a new file', (db) => db.open(), { onEmptyFile: true }),
  call('open', 'on a migrated file', (db) => db.open()),
  call('acquireEngine', '', (db) => db.acquireEngine(signal(), () => undefined), { isLocal: true }),
  call('join', '', (db) => db.join({ node: 'new#1', lanes: 2, buildId: 'b', now: NOW, leaseUntil: 9_000 })),
  call('heartbeat', 'of a living node', (db) => db.heartbeat(ME, NOW, 20_000)),
  call('heartbeat', 'of a node declared dead', (db) => db.heartbeat('never#1', NOW, 20_000)),
  call('takeOver', 'from a node without suspects', (db) => db.takeOver(ME, [DEAD], NOW), { answer: nothing }),
  call('takeOver', 'from a node with suspects', (db) => db.takeOver(ME, [MARKED], NOW), { answer: nothing }),
  call('takeOver', 'from all', (db) => db.takeOver(ME, 'all-others', NOW), { answer: nothing }),
  call('takeOver', 'from nobody', (db) => db.takeOver(ME, [], NOW)),
  call('leave', '', (db) => db.leave(DEAD)),
  call('resumeForBuild', '', (db) => db.resumeForBuild('newer', NOW), { answer: nothing }),
  commit('an item of every kind', 0, NEXT_SEQ, nextBatch),
  commit('one message, on another lane', 1, 1, small),
  commit('one message, patiently', 1, 1, small, 5),
  call('commit', 'a turn that only goes on', (db) => db.commit(ME, 1, batch(2, goingOn(2)), 0), {
    first: (db) => db.commit(ME, 1, batch(1, goingOn(1)), 0),
    answer: kinds,
  }),
  call('commit', 'on a lane that is gone', (db) => db.commit('never#1', 0, batch(1, small), 0)),
  commit('the last batch again', 0, NEXT_SEQ - 1, lastBatch),
  call('load', '', (db) => db.load(['busy', 'holder', 'lost', 'new', 'done'], { bufferedMessages: 1, dueUntil: NOW })),
  call('messagesAfter', '', (db) => db.messagesAfter(key('busy'), 1, 10)),
  call('bufferedMessages', '', (db) => db.bufferedMessages(key('busy'), 'queue-message', 'work', 10)),
  call('runnable', '', (db) => db.runnable(ME, '', 10)),
  call('timers', 'from the beginning', (db) => db.timers(null, 100_000, 10)),
  call('timers', 'after a cursor', (db) =>
    db.timers({ fireAt: 4_000, instanceId: 'busy', executionId: 1, scheduleId: 16 }, 100_000, 10),
  ),
  call('nextActivityDueAt', '', (db) => db.nextActivityDueAt(['work'], [])),
  call('claimedActivities', '', (db) => db.claimedActivities(ME)),
  call('changedElsewhere', '', (db) => db.changedElsewhere()),
  call('status', '', (db) => db.status('busy')),
  call('statuses', '', (db) => db.statuses(['busy', 'done', 'nobody'])),
  call('list', '', (db) => db.list({ status: ['Running'], name: 'Test', idPrefix: '', createdAfter: 1 }, { limit: 2 })),
  call('history', '', (db) => db.history('again', undefined, { limit: 10 })),
  call('kv', '', (db) => db.kv('busy', 'a')),
  call('kvAll', '', (db) => db.kvAll('busy')),
  call('openHandlers', '', (db) => db.openHandlers()),
  call('findStuck', '', (db) => db.findStuck()),
  call('close', '', (db) => db.close()),
];
