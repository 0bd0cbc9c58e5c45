import type { Failure } from '../core/failure.js';
import type { ParentLink } from '../core/history-event.js';
import type { Ending } from '../core/instance.js';
import type { ContinueMessage, Message, StartMessage } from '../core/message.js';
import type { Payload } from '../core/payload.js';

/**
 * One transaction of the journal. Its items are independent of each other: a refused one leaves no row at all and does not
 * disturb its neighbours (protocol 6). No instance has two turns in one batch.
 */
export interface Batch {
  /** The lane's next number: the first statement moves the lane from `seq - 1` to `seq`, once (protocol 1). */
  readonly seq: number;
  /** Epoch milliseconds of the node's clock, for `createdAt`, `updatedAt`, `endedAt` and due comparisons. */
  readonly now: number;
  readonly items: readonly BatchItem[];
}

export type BatchItem =
  | TurnItem
  | StartItem
  | SendItem
  | SuspendItem
  | ResumeItem
  | SuspectItem
  | SuspectActivityItem
  | CompleteActivityItem
  | RetryActivityItem
  | ReleaseActivityItem
  | KeepActivitiesItem
  | ClaimActivitiesItem;

/** An instance and the life of it that is meant: a deleted and recreated id is another generation (protocol 9). */
export interface InstanceKey {
  readonly instanceId: string;
  readonly generation: string;
}

/**
 * What one turn of an instance adds. Accepted only if the row has this generation, `turn` equal to `expectedTurn`, status
 * Pending or Running, and no owner, this node, or a node that no longer exists as its owner: check and write are one
 * statement. Accepting sets `turn + 1` and clears `crashes` and `suspect`.
 */
export interface TurnItem extends InstanceKey {
  readonly kind: 'turn';
  readonly expectedTurn: number;
  /** The instance stays with this node; otherwise its owner becomes null. */
  readonly keepOwnership: boolean;
  /** Added to `messages_seen`. */
  readonly messagesSeen: number;
  /** Rows of messages to delete: consumed or discarded. */
  readonly consumed: readonly number[];
  /** The execution after this turn. */
  readonly executionId: number;
  /** The number the next event of `executionId` gets. */
  readonly nextEventId: number;
  /** Events to append, as one row; absent if the turn appended none. */
  readonly history?: HistoryAppend;
  /** Activities that get a row. Those this node begins at once get none: they are `held`. */
  readonly activities: readonly NewActivity[];
  /**
   * How many open activities of the instance this node holds without a row, after this turn. Their record is the event in the
   * history; if the node dies, `takeOver` sends the instance a `continue` message and its next turn gives them rows.
   * Above 0 only with `keepOwnership`.
   */
  readonly held: number;
  /** Activity rows that are over: completed by a volatile input of this turn, cancelled, or left by an ended execution. */
  readonly closedActivities: readonly ScheduleKey[];
  readonly timers: readonly NewTimer[];
  readonly closedTimers: readonly ScheduleKey[];
  readonly children: readonly NewChild[];
  /** To other instances, delivered in this order; silently discarded (and counted) if the target is gone or finished. */
  readonly messages: readonly AddressedMessage[];
  /** null deletes the key. */
  readonly kv: readonly { readonly key: string; readonly value: Payload | null }[];
  readonly customStatus?: Payload;
  /** Absent: neither changed. */
  readonly changes?: { readonly version: string; readonly cancelRequested: boolean };
  /** Stored as a message of the instance itself: the start of the next execution, or that there is more to take. */
  readonly toItself?: StartMessage | ContinueMessage;
  /** The instance is finished: all its messages, activities and timers are deleted. */
  readonly ending?: Ending;
}

export interface HistoryAppend {
  readonly executionId: number;
  readonly firstEventId: number;
  readonly eventCount: number;
  /** JSON array of `HistoryEvent`. */
  readonly events: string;
}

export interface ScheduleKey {
  readonly executionId: number;
  readonly scheduleId: number;
}

/** A row of an activity. */
export interface NewActivity extends ScheduleKey {
  readonly name: string;
  readonly args: Payload;
  /** JSON of `ResolvedActivityOptions`; null for none. */
  readonly options: string | null;
  readonly tag: string | null;
  /** The attempt that comes next, from 1. */
  readonly attempt: number;
  /** Deaths of processes that held it. */
  readonly crashes: number;
  /** Claimable from then on. */
  readonly dueAt: number;
  readonly scheduledAt: number;
  /** Why the last attempt failed. */
  readonly lastFailure: Failure | null;
  /** It runs on this node now: the row is born claimed, with `claim` 1. Otherwise any node may claim it. */
  readonly claimed: boolean;
}

export interface NewTimer extends ScheduleKey {
  readonly fireAt: number;
}

/** A child or a detached start. An id that exists is no failure of the turn. */
export interface NewChild extends ScheduleKey {
  readonly instanceId: string;
  readonly generation: string;
  readonly name: string;
  readonly version: string;
  readonly input: Payload;
  /**
   * `attached`: the child gets a parent link; a clash sends `child-completion{already-exists}` to the parent.
   * `detached`: no link; started or clashed, the parent gets a `detached-start` message.
   */
  readonly relation: 'attached' | 'detached';
}

export interface AddressedMessage {
  readonly instanceId: string;
  /** Absent: whatever generation the id has. */
  readonly generation?: string;
  readonly message: Message;
}

/** A client's start. */
export interface StartItem extends InstanceKey {
  readonly kind: 'start';
  readonly name: string;
  readonly version: string;
  readonly input: Payload;
  /** `restart-if-finished` deletes everything of a finished instance of this id first. */
  readonly ifExists: 'reject' | 'restart-if-finished';
}

/** A client's message to an instance of any generation, or a completion that lost its turn. */
export interface SendItem extends AddressedMessage {
  readonly kind: 'send';
}

/**
 * Consumes nothing and moves nothing: status, code and reason are recorded (protocol 18). The owner becomes null, unless it
 * holds activities: it is told by the refusal of its next turn and gives them rows (`KeepActivitiesItem`).
 */
export interface SuspendItem {
  readonly kind: 'suspend';
  readonly instanceId: string;
  /** Absent (an operator): whatever generation and turn the instance has. */
  readonly generation?: string;
  readonly expectedTurn?: number;
  readonly by: 'operator' | 'engine';
  readonly code: string;
  readonly reason: string;
  /** The build that could not run it; remembered (at most 8) so that only another one tries by itself. */
  readonly buildId: string | null;
}

/**
 * Sends the instance a `continue` message: what came due while it was suspended is in no node's memory any more, and whoever
 * finds the message looks.
 */
export interface ResumeItem {
  readonly kind: 'resume';
  readonly instanceId: string;
}

/** Marks the one instance this node runs alone because it was caught in crashes: a crash from here on is its own (protocol 8). */
export interface SuspectItem extends InstanceKey {
  readonly kind: 'suspect';
  readonly expectedTurn: number;
}

/** The same for an activity: the one of those caught in crashes that runs now. */
export interface SuspectActivityItem extends ActivityClaim {
  readonly kind: 'suspect-activity';
}

/** The claim of an activity: whatever writes its outcome compares it (protocol 10). */
export interface ActivityClaim extends InstanceKey, ScheduleKey {
  readonly claim: number;
}

/** Deletes the row and sends the completion to the instance, both or neither. */
export interface CompleteActivityItem extends ActivityClaim {
  readonly kind: 'complete-activity';
  readonly message: Extract<Message, { kind: 'activity-completion' }>;
}

/** Records a failed attempt: `attempt + 1`, `crashes` 0, claimable again from `dueAt`. */
export interface RetryActivityItem extends ActivityClaim {
  readonly kind: 'retry-activity';
  readonly dueAt: number;
  readonly failure: Failure;
}

/** Hands an activity back unrun: no attempt is used. */
export interface ReleaseActivityItem extends ActivityClaim {
  readonly kind: 'release-activity';
}

/**
 * Gives rows to the activities this node holds without, outside a turn: the instance is suspended, or the node leaves.
 * Accepted only if the row has this generation, `turn` equal to `expectedTurn`, this node as its owner, is not finished and
 * `held` is above 0; suspended instances, too. Accepting sets `held` to 0 and `turn + 1`, so that nobody goes on from before it.
 * `activities` are all the instance holds.
 */
export interface KeepActivitiesItem extends InstanceKey {
  readonly kind: 'keep-activities';
  readonly expectedTurn: number;
  readonly activities: readonly NewActivity[];
}

/** Claims due activities nobody holds, the longest due first. */
export interface ClaimActivitiesItem {
  readonly kind: 'claim-activities';
  readonly limit: number;
  /** Only these names: a node never claims what it cannot run. */
  readonly names: readonly string[];
  /** Untagged ones and those with one of these tags. */
  readonly tags: readonly string[];
}

export interface ClaimedActivity extends ActivityClaim {
  readonly name: string;
  readonly args: Payload;
  readonly options: string | null;
  readonly tag: string | null;
  /** From 1; the attempt to be made now. */
  readonly attempt: number;
  /** Deaths of processes while they held this claim's activity since its last recorded failure. */
  readonly crashes: number;
  readonly scheduledAt: number;
}

/** The answer to each item, in the order of the batch. */
export type Verdict =
  /** `seq`: of `send`. Missing after an unknown outcome was resolved: read it from the store. */
  | { readonly kind: 'accepted'; readonly seq?: number }
  /** Fence or claim did not match: somebody else goes on, or already did. */
  | { readonly kind: 'refused' }
  /** `start`: the id is taken. */
  | { readonly kind: 'exists' }
  /** `send`, `suspend`, `resume`. */
  | { readonly kind: 'not-found' }
  | { readonly kind: 'finished' }
  /** `claim-activities`. Undefined after an unknown outcome was resolved: read them with `claimedActivities`. */
  | { readonly kind: 'claimed'; readonly activities: readonly ClaimedActivity[] | undefined };

/**
 * Messages that a batch stored for instances as a consequence of its items (answers of child starts, completions, cancels
 * to children): whom to wake.
 */
export interface Delivered {
  readonly instanceId: string;
  readonly generation: string;
  readonly seq: number;
  readonly message: Message;
}

export interface BatchResult {
  readonly verdicts: readonly Verdict[];
  /** Every message this batch stored (of `send`, turns, completions). Undefined after an unknown outcome was resolved. */
  readonly delivered: readonly Delivered[] | undefined;
  /** Instances that came into being, clients' and children. */
  readonly started: readonly string[];
  /** Messages that found no open instance, with nobody to tell. */
  readonly undeliverable: number;
  /** Milliseconds for which the commit held up the event loop waiting for the disk; absent where it does not. */
  readonly diskMs?: number;
}

export type { ParentLink };
