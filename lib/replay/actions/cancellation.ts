import type { CancelRequested } from '../../core/history-event.js';
import { OrchestrationCancelledError } from '../../core/errors.js';
import type { Execution } from '../execution.js';

/** One delivered event rejects everything that is open and not shielded, in one run of the code (protocol 23). */
export function settleCancelRequest(execution: Execution, event: CancelRequested): void {
  execution.cancelOpen(new OrchestrationCancelledError(execution.instanceId, event.reason));
}
