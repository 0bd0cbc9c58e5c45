import { assertNever } from '../../core/exhaustive.js';
import type { DeliveredEvent, OrchestrationStarted } from '../../core/history-event.js';
import type { Execution } from '../execution.js';
import { settleActivity } from './activity.js';
import { settleCancelRequest } from './cancellation.js';
import { settleDetachedStart } from './detached-start.js';
import { settleDequeue } from './event-queue.js';
import { settleWait } from './external-event.js';
import { settleChild } from './sub-orchestration.js';
import { settleTimer } from './timer.js';

/** Hands a delivered event to the action it completes. */
export function settle(execution: Execution, event: Exclude<DeliveredEvent, OrchestrationStarted>): void {
  switch (event.kind) {
    case 'ActivityCompleted':
    case 'ActivityFailed':
      return settleActivity(execution, event);
    case 'TimerFired':
      return settleTimer(execution, event);
    case 'EventReceived':
      return settleWait(execution, event);
    case 'MessageDequeued':
      return settleDequeue(execution, event);
    case 'SubOrchestrationCompleted':
    case 'SubOrchestrationFailed':
      return settleChild(execution, event);
    case 'DetachedStartAnswered':
      return settleDetachedStart(execution, event);
    case 'CancelRequested':
      return settleCancelRequest(execution, event);
    default:
      return assertNever(event);
  }
}
