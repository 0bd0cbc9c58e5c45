import type { Failure } from './failure.js';
import type { ChildOutcome, ParentLink } from './history-event.js';
import type { Payload } from './payload.js';

/**
 * What can be sent to an instance. A message is a row until a committed turn consumed or discarded it.
 *
 * `external-event` and `queue-message` stay rows until a wait or a dequeue takes them; every other kind is delivered, or
 * discarded and counted, by the first turn that sees it.
 */
export type Message =
  | StartMessage
  | ExternalEventMessage
  | QueueMessage
  | ActivityCompletionMessage
  | ChildCompletionMessage
  | DetachedStartMessage
  | CancelMessage
  | TerminateMessage
  | ContinueMessage;

/** Begins an execution: the first of an instance, or the next one after continue-as-new. */
export interface StartMessage {
  readonly kind: 'start';
  readonly executionId: number;
  readonly name: string;
  readonly version: string;
  readonly input: Payload;
  readonly parent?: ParentLink;
}
export interface ExternalEventMessage {
  readonly kind: 'external-event';
  readonly name: string;
  readonly data: Payload;
}
export interface QueueMessage {
  readonly kind: 'queue-message';
  readonly name: string;
  readonly data: Payload;
}
export interface ActivityCompletionMessage {
  readonly kind: 'activity-completion';
  readonly executionId: number;
  readonly scheduleId: number;
  readonly attempts: number;
  readonly result?: Payload;
  readonly failure?: Failure;
}
export interface ChildCompletionMessage {
  readonly kind: 'child-completion';
  readonly executionId: number;
  readonly scheduleId: number;
  readonly result?: Payload;
  readonly outcome?: ChildOutcome;
  readonly failure?: Failure;
}
export interface DetachedStartMessage {
  readonly kind: 'detached-start';
  readonly executionId: number;
  readonly scheduleId: number;
  readonly failure?: Failure;
}
export interface CancelMessage {
  readonly kind: 'cancel';
  readonly reason: string;
}
export interface TerminateMessage {
  readonly kind: 'terminate';
  readonly reason: string;
}

/** From an instance to itself: its last turn stopped at its limit and there is more to take. Leaves no event. */
export interface ContinueMessage {
  readonly kind: 'continue';
}

/** A message with its place in the instance's order of delivery. */
export interface StoredMessage {
  /** Gap-free per instance and generation, from 1, given by the sender's commit: the order of delivery. */
  readonly seq: number;
  readonly message: Message;
}

/** Why a message was consumed without becoming an event. Each is counted, never silent. */
export type DiscardReason = 'execution over' | 'schedule closed' | 'duplicate' | 'instance finished';

export const isBuffered = (message: Message): message is ExternalEventMessage | QueueMessage =>
  message.kind === 'external-event' || message.kind === 'queue-message';
