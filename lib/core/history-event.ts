import type { Failure } from './failure.js';
import type { Payload } from './payload.js';

/**
 * The history of one execution: events with ids 1..n, in this shape for ever.
 *
 * A history alternates: one *delivered* event (something that happened to the orchestration), followed by the *action*
 * events its code decided on while it ran until it blocked again. Replaying is delivering the first kind and comparing
 * the second.
 */
export type HistoryEvent = DeliveredEvent | ActionEvent;

/** Who is told when an instance ends: the schedule in the parent's execution that started it. */
export interface ParentLink {
  readonly instanceId: string;
  readonly generation: string;
  readonly executionId: number;
  readonly scheduleId: number;
}

/** What happens to a child when its parent's execution ends before it. */
export type ParentClosePolicy = 'cancel' | 'terminate' | 'abandon';

/** How a sub-orchestration that did not complete came to its end. */
export type ChildOutcome = 'failed' | 'cancelled' | 'terminated' | 'already-exists' | 'deleted';

interface Recorded {
  /** Position in the history of the execution, from 1, without a gap. The id of a schedule is the id of its event. */
  readonly id: number;
}

interface Delivered extends Recorded {
  /** Epoch milliseconds chosen when the event was appended; never decreases. `ctx.utcNow()` of the code it wakes. */
  readonly at: number;
}

interface Completion extends Delivered {
  readonly scheduleId: number;
}

export interface OrchestrationStarted extends Delivered {
  readonly kind: 'OrchestrationStarted';
  readonly name: string;
  readonly version: string;
  readonly input: Payload;
  readonly generation: string;
  readonly executionId: number;
  readonly parent?: ParentLink;
  /** A cancellation came before the first turn: the code never runs and the execution ends as cancelled. */
  readonly cancelledWith?: string;
}
export interface ActivityCompleted extends Completion {
  readonly kind: 'ActivityCompleted';
  readonly result: Payload;
}
export interface ActivityFailed extends Completion {
  readonly kind: 'ActivityFailed';
  readonly failure: Failure;
  readonly attempts: number;
}
export interface TimerFired extends Completion {
  readonly kind: 'TimerFired';
}
export interface EventReceived extends Completion {
  readonly kind: 'EventReceived';
  /** The sequence number of the message in the instance, from the sender's commit. */
  readonly seq: number;
  readonly data: Payload;
}
export interface MessageDequeued extends Completion {
  readonly kind: 'MessageDequeued';
  readonly seq: number;
  readonly data: Payload;
}
export interface SubOrchestrationCompleted extends Completion {
  readonly kind: 'SubOrchestrationCompleted';
  readonly result: Payload;
}
export interface SubOrchestrationFailed extends Completion {
  readonly kind: 'SubOrchestrationFailed';
  readonly outcome: ChildOutcome;
  readonly failure: Failure;
}
export interface DetachedStartAnswered extends Completion {
  readonly kind: 'DetachedStartAnswered';
  /** Absent: the instance was started. Present: why it was not. */
  readonly failure?: Failure;
}
export interface CancelRequested extends Delivered {
  readonly kind: 'CancelRequested';
  readonly reason: string;
}

/** What happened to the orchestration. Every delivered event is followed by one run of its code. */
export type DeliveredEvent =
  | OrchestrationStarted
  | ActivityCompleted
  | ActivityFailed
  | TimerFired
  | EventReceived
  | MessageDequeued
  | SubOrchestrationCompleted
  | SubOrchestrationFailed
  | DetachedStartAnswered
  | CancelRequested;

export interface ActivityScheduled extends Recorded {
  readonly kind: 'ActivityScheduled';
  readonly name: string;
  readonly args: Payload;
  readonly tag?: string;
}
export interface TimerCreated extends Recorded {
  readonly kind: 'TimerCreated';
  /** Epoch milliseconds, computed once from the time of the event that ran the code. */
  readonly fireAt: number;
}
export interface WaitCreated extends Recorded {
  readonly kind: 'WaitCreated';
  readonly name: string;
}
export interface DequeueCreated extends Recorded {
  readonly kind: 'DequeueCreated';
  readonly queue: string;
}
export interface SubOrchestrationScheduled extends Recorded {
  readonly kind: 'SubOrchestrationScheduled';
  readonly name: string;
  readonly version?: string;
  readonly instanceId: string;
  readonly input: Payload;
  readonly onParentClose: ParentClosePolicy;
}
export interface DetachedStartScheduled extends Recorded {
  readonly kind: 'DetachedStartScheduled';
  readonly name: string;
  readonly version?: string;
  readonly instanceId: string;
  readonly input: Payload;
}
export interface FutureCancelled extends Recorded {
  readonly kind: 'FutureCancelled';
  readonly scheduleId: number;
}
export interface KvSet extends Recorded {
  readonly kind: 'KvSet';
  readonly key: string;
  readonly value: Payload;
}
export interface KvDeleted extends Recorded {
  readonly kind: 'KvDeleted';
  readonly key: string;
}
export interface KvCleared extends Recorded {
  readonly kind: 'KvCleared';
}
export interface CustomStatusSet extends Recorded {
  readonly kind: 'CustomStatusSet';
  readonly status: Payload;
}
export interface SideEffectRecorded extends Recorded {
  readonly kind: 'SideEffectRecorded';
  readonly value?: Payload;
  /** It threw: that is replayed too. */
  readonly failure?: Failure;
}

export interface OrchestrationCompleted extends Recorded {
  readonly kind: 'OrchestrationCompleted';
  readonly output: Payload;
}
export interface OrchestrationFailed extends Recorded {
  readonly kind: 'OrchestrationFailed';
  readonly failure: Failure;
}
export interface OrchestrationCancelled extends Recorded {
  readonly kind: 'OrchestrationCancelled';
  readonly reason: string;
}
export interface OrchestrationTerminated extends Recorded {
  readonly kind: 'OrchestrationTerminated';
  readonly reason: string;
}
export interface ContinuedAsNew extends Recorded {
  readonly kind: 'ContinuedAsNew';
  readonly input: Payload;
  readonly version?: string;
}

/** The last event of an execution; there is at most one and nothing follows it. */
export type TerminalEvent =
  OrchestrationCompleted | OrchestrationFailed | OrchestrationCancelled | OrchestrationTerminated | ContinuedAsNew;

/** What the code decided. */
export type ActionEvent =
  | ActivityScheduled
  | TimerCreated
  | WaitCreated
  | DequeueCreated
  | SubOrchestrationScheduled
  | DetachedStartScheduled
  | FutureCancelled
  | KvSet
  | KvDeleted
  | KvCleared
  | CustomStatusSet
  | SideEffectRecorded
  | TerminalEvent;

/** An event before it has its place in the history. */
export type Unrecorded<E extends { readonly id: number }> = E extends unknown ? Omit<E, 'id'> : never;

const DELIVERED: ReadonlySet<HistoryEvent['kind']> = new Set<DeliveredEvent['kind']>([
  'OrchestrationStarted',
  'ActivityCompleted',
  'ActivityFailed',
  'TimerFired',
  'EventReceived',
  'MessageDequeued',
  'SubOrchestrationCompleted',
  'SubOrchestrationFailed',
  'DetachedStartAnswered',
  'CancelRequested',
]);

const TERMINAL: ReadonlySet<HistoryEvent['kind']> = new Set<TerminalEvent['kind']>([
  'OrchestrationCompleted',
  'OrchestrationFailed',
  'OrchestrationCancelled',
  'OrchestrationTerminated',
  'ContinuedAsNew',
]);

export const isDelivered = (event: HistoryEvent): event is DeliveredEvent => DELIVERED.has(event.kind);
export const isTerminal = (event: HistoryEvent): event is TerminalEvent => TERMINAL.has(event.kind);
