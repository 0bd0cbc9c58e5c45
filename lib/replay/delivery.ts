import { assertNever } from '../core/exhaustive.js';
import type { DeliveredEvent } from '../core/history-event.js';
import type { DiscardReason, Message } from '../core/message.js';
import type { FutureKind } from './durable-future.js';
import type { Execution } from './execution.js';

/** What a turn takes in: a stored message, a completion that only this process knows yet, or a timer that came due. */
export type Input = MessageInput | TimerInput;

export interface MessageInput {
  readonly kind: 'message';
  readonly message: Message;
  /** Of a stored message. Without it the input is volatile: it exists nowhere else until its turn committed (protocol 3). */
  readonly seq?: number;
  /** Of a volatile activity completion: the claim that fences it. */
  readonly claim?: number;
}

export interface TimerInput {
  readonly kind: 'timer';
  readonly executionId: number;
  readonly scheduleId: number;
}

/** The event an input becomes, or why it is discarded instead. Buffered messages and `terminate` never come here. */
export function eventOf(execution: Execution, input: Input, clockNow: number): DeliveredEvent | DiscardReason {
  const id = execution.nextEventId;
  const at = execution.timeOf(clockNow);
  if (input.kind === 'timer') {
    return closedReason(execution, input, 'timer') ?? { id, at, kind: 'TimerFired', scheduleId: input.scheduleId };
  }
  const { message } = input;
  switch (message.kind) {
    case 'start':
      return execution.hasStarted
        ? 'duplicate'
        : {
            id,
            at,
            kind: 'OrchestrationStarted',
            name: message.name,
            version: message.version,
            input: message.input,
            generation: execution.generation,
            executionId: message.executionId,
            parent: message.parent,
          };
    case 'activity-completion': {
      const { scheduleId, attempts } = message;
      const closed = closedReason(execution, message, 'activity');
      if (closed !== undefined) return closed;
      return message.failure === undefined
        ? { id, at, kind: 'ActivityCompleted', scheduleId, result: message.result! }
        : { id, at, kind: 'ActivityFailed', scheduleId, failure: message.failure, attempts };
    }
    case 'child-completion': {
      const { scheduleId } = message;
      const closed = closedReason(execution, message, 'child');
      if (closed !== undefined) return closed;
      return message.failure === undefined
        ? { id, at, kind: 'SubOrchestrationCompleted', scheduleId, result: message.result! }
        : { id, at, kind: 'SubOrchestrationFailed', scheduleId, outcome: message.outcome!, failure: message.failure };
    }
    case 'detached-start':
      return (
        closedReason(execution, message, 'detached-start') ?? {
          id,
          at,
          kind: 'DetachedStartAnswered',
          scheduleId: message.scheduleId,
          failure: message.failure,
        }
      );
    case 'cancel':
      return execution.cancellation === undefined
        ? { id, at, kind: 'CancelRequested', reason: message.reason }
        : 'duplicate';
    case 'external-event':
    case 'queue-message':
    case 'terminate':
    case 'continue':
      throw new TypeError(`${message.kind} is not delivered from the inbox`);
    default:
      return assertNever(message);
  }
}

function closedReason(
  execution: Execution,
  completion: { readonly executionId: number; readonly scheduleId: number },
  kind: FutureKind,
): DiscardReason | undefined {
  if (completion.executionId !== execution.executionId) return 'execution over';
  return execution.open.get(completion.scheduleId)?.kind === kind ? undefined : 'schedule closed';
}
