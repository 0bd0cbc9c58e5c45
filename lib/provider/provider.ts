import type { HistoryEvent, ParentLink } from '../core/history-event.js';
import type { InstanceStatus, Suspension } from '../core/instance.js';
import type { Failure } from '../core/failure.js';
import type { StoredMessage } from '../core/message.js';
import type { Payload } from '../core/payload.js';
import type { Fleet } from './fleet.js';
import type { Batch, BatchResult, ClaimedActivity, InstanceKey, ScheduleKey } from './batch.js';

/**
 * Storage, as the engine needs it. This contract is the specification: what is atomic, what comes back when there is
 * nothing, which error when.
 *
 * Errors: every method rejects with a `StorageError`. `retryable: true` means nothing was decided and the same call may be
 * made again (busy, deadlock, serialization, connection, disk full, read-only); after a `commit` whose outcome is unknown
 * too, because the lane answers the repeated call. `retryable: false` means the request itself is impossible; of a batch,
 * that nothing of it is in.
 */
export interface Provider {
  /** For logs and errors, such as `sqlite (durable.sqlite)`. */
  readonly name: string;
  /** Batches that may be in flight at once, each on a lane of its own. At least 1. */
  readonly lanes: number;
  /** Items that wait for one lane before turns go to another. At least 1; a large one makes fewer and larger batches. */
  readonly laneFill: number;

  /** Present where several engine processes may share the store; absent where it has one at a time. */
  readonly fleet?: Fleet;

  /** Connects, checks settings, migrates under a lock. @throws StorageError with a code for what is wrong and what to do. */
  open(): Promise<void>;
  /** Ends every connection of its own. Idempotent. */
  close(): Promise<void>;

  // ---- nodes ----------------------------------------------------------------------------------------------------------

  /**
   * Resolves when this process may run instances on this database: at once where several may, else when no other engine
   * process holds the file. `onWait` is called once if it has to wait. Rejects when `signal` aborts.
   */
  acquireEngine(signal: AbortSignal, onWait: (holder: string) => void): Promise<void>;
  /** Registers the incarnation with its lanes at sequence 0, as a client until it takes over. */
  join(node: NodeRegistration): Promise<void>;
  /** Prolongs the lease. `false`: the node was declared dead; it must drop everything and join as a new incarnation. */
  heartbeat(node: string, now: number, leaseUntil: number): Promise<boolean>;
  /**
   * Marks this node as one that runs instances, declares nodes dead and takes their work back, in one transaction: rows and lanes of the node go, its activities become
   * claimable with `crashes + 1`, runnable instances it owned get `crashes + 1`; where the node had marked a suspect, only
   * that one is counted (protocol 8). Unfinished instances whose activities it held without a row (`held` above 0, suspended
   * ones too) get a `continue` message. `nodes: 'all-others'` is every node but this one that could run instances.
   * @throws NodeDeclaredDeadError when another node took this one for dead.
   */
  takeOver(node: string, nodes: 'all-others' | readonly string[], now: number): Promise<TakeOver>;
  /** Graceful end: activities and instances released without counting a crash, node and lanes removed. */
  leave(node: string): Promise<void>;
  /** Tries again what engines suspended, unless this build is one that failed on it, with a `continue` message. Resolves with how many. */
  resumeForBuild(buildId: string, now: number): Promise<number>;

  // ---- the write path ---------------------------------------------------------------------------------------------------

  /**
   * One transaction. Called for one lane at a time, with rising `seq`; the same batch again after an error. `patienceMs`: how
   * long this call may hold up the event loop waiting for a lock; 0 almost always.
   * @throws NodeDeclaredDeadError when the lane is gone: nothing of the batch is in, nor will be.
   * @throws TypeError when `seq` does not follow: a bug of the caller.
   */
  commit(node: string, lane: number, batch: Batch, patienceMs: number): Promise<BatchResult>;

  // ---- reading --------------------------------------------------------------------------------------------------------

  /** Instances as their next turn needs them; unknown ids are left out. */
  load(instanceIds: readonly string[], limits: LoadLimits): Promise<LoadedInstance[]>;
  /** Messages after `afterSeq` in order; `limit` bounds how many. */
  messagesAfter(key: InstanceKey, afterSeq: number, limit: number): Promise<StoredMessage[]>;
  /** Buffered messages of one kind and name, the oldest first. */
  bufferedMessages(
    key: InstanceKey,
    kind: 'external-event' | 'queue-message',
    name: string,
    limit: number,
  ): Promise<StoredMessage[]>;
  /** Ids of instances with messages nobody has looked at, not suspended, without a living owner other than `node`; sorted by code point, after `afterId`. */
  runnable(node: string, afterId: string, limit: number): Promise<string[]>;
  /** Timers of open instances with `after < fireAt <= until` (ties broken by the rest of the key), in order of `fireAt`. */
  timers(after: TimerCursor | null, until: number, limit: number): Promise<StoredTimer[]>;
  /** When the next activity nobody holds becomes due; null if there is none for these names and tags. */
  nextActivityDueAt(names: readonly string[], tags: readonly string[]): Promise<number | null>;
  /** What `node` holds now, to find out about claims whose answer was lost. */
  claimedActivities(node: string): Promise<ClaimedActivity[]>;
  /** True if another connection committed since the last call (cheap; may be a false alarm). Always true where nothing tells. */
  changedElsewhere(): Promise<boolean>;

  /** One row, never the history. null: no such instance. */
  status(instanceId: string): Promise<InstanceRow | null>;
  /** The statuses of several; unknown ids are left out. */
  statuses(instanceIds: readonly string[]): Promise<InstanceRow[]>;
  list(filter: InstanceFilter, page: PageRequest): Promise<Page<InstanceRow>>;
  /** Events of an execution (default: the current one) in order. */
  history(instanceId: string, executionId: number | undefined, page: PageRequest): Promise<Page<HistoryEvent>>;
  kv(instanceId: string, key: string): Promise<Payload | null>;
  kvAll(instanceId: string): Promise<ReadonlyMap<string, Payload>>;
  /** Unfinished instances with names and versions, counted: what a node must be able to run. */
  openHandlers(): Promise<OpenHandlers>;
  /** Unfinished, unsuspended instances that nothing will ever wake: always empty (architecture 3, rule 0). Needs their histories; for tests and operators. */
  findStuck(): Promise<string[]>;
}

export interface NodeRegistration {
  /** `name#incarnation`, unique for ever. */
  readonly node: string;
  readonly lanes: number;
  readonly buildId: string;
  readonly now: number;
  readonly leaseUntil: number;
}

export interface TakeOver {
  readonly nodes: readonly string[];
  readonly activities: number;
  readonly instances: number;
}

export interface LoadLimits {
  /** Buffered messages (external events, queue) per instance; all other kinds are always loaded. */
  readonly bufferedMessages: number;
  /** Timers due until then are loaded. */
  readonly dueUntil: number;
}

export interface LoadedInstance extends InstanceKey {
  readonly status: InstanceStatus;
  readonly name: string;
  readonly version: string;
  readonly turn: number;
  readonly owner: string | null;
  readonly executionId: number;
  readonly nextEventId: number;
  readonly messagesIn: number;
  readonly messagesSeen: number;
  readonly crashes: number;
  readonly parent: ParentLink | undefined;
  readonly cancelRequested: boolean;
  /** Activities its owner holds without a row; for whoever loads it, they are lost and need one. */
  readonly held: number;
  /** The rows its activities have; read only where `held` is above 0, else empty. */
  readonly activityRows: readonly ScheduleKey[];
  /** History format the instance was written with. */
  readonly engineFormat: number;
  /** Of the current execution. Empty before its first turn. */
  readonly history: readonly HistoryEvent[];
  /** All messages but buffered ones beyond the limit, by `seq`. */
  readonly messages: readonly StoredMessage[];
  /** The limit cut buffered messages off. */
  readonly moreBuffered: boolean;
  readonly dueTimers: readonly ScheduleKey[];
  /** KV as it was at the beginning of the current execution: what a replay starts from. */
  readonly kvAtStart: ReadonlyMap<string, Payload>;
  /** A row of its history or messages cannot be parsed; why. */
  readonly unreadable: string | undefined;
}

export interface StoredTimer extends InstanceKey, ScheduleKey {
  readonly fireAt: number;
}

export interface TimerCursor extends ScheduleKey {
  readonly fireAt: number;
  readonly instanceId: string;
}

export interface InstanceRow extends InstanceKey {
  readonly name: string;
  readonly version: string;
  readonly status: InstanceStatus;
  readonly executionId: number;
  readonly parent: ParentLink | undefined;
  readonly customStatus: Payload | null;
  readonly output: Payload | null;
  readonly failure: Failure | null;
  readonly suspension: Suspension | null;
  readonly cancelRequested: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly endedAt: number | null;
}

export interface InstanceFilter {
  readonly status?: readonly InstanceStatus[];
  readonly name?: string;
  /** Ids that begin with this. */
  readonly idPrefix?: string;
  readonly createdAfter?: number;
  readonly createdBefore?: number;
}

export interface PageRequest {
  /** 1 to 1,000. */
  readonly limit: number;
  /** From the previous page. */
  readonly cursor?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Absent on the last page. Keyset, not offset: rows present throughout are neither skipped nor repeated. */
  readonly cursor?: string;
}

export interface OpenHandlers {
  readonly orchestrations: readonly { readonly name: string; readonly version: string; readonly count: number }[];
  readonly activities: readonly { readonly name: string; readonly tag: string | null; readonly count: number }[];
}
