import type { DetachedStartAnswered, DetachedStartScheduled } from '../../core/history-event.js';
import { InstanceAlreadyExistsError } from '../../core/errors.js';
import { checkInstanceId } from '../../core/identifiers.js';
import { automaticInstanceId } from '../chance.js';
import { never, rejected, rejectHandled, type DurableFuture } from '../durable-future.js';
import type { Execution } from '../execution.js';
import type { OrchestrationClass } from '../handlers.js';

export interface DetachedStartOptions {
  readonly instanceId?: string;
  readonly version?: string;
}

/** Starts an instance nobody waits for. The future resolves with its id, or rejects if the id was taken. */
export function scheduleOrchestration(
  execution: Execution,
  target: string | OrchestrationClass,
  input: unknown,
  options: DetachedStartOptions = {},
): DurableFuture<string> {
  if (!execution.mayAct('scheduleOrchestration()')) return never();
  const refusal = execution.refusal();
  if (refusal !== undefined) return rejected(refusal);
  const { name, version } = execution.handlers.resolveOrchestration(target, options.version);
  const text = execution.encode(input, `the input of ${name}`);
  if (text === undefined) return never();
  const id = execution.nextEventId;
  const instanceId =
    options.instanceId === undefined ? automaticInstanceId(execution, id) : checkInstanceId(options.instanceId);
  const asked: DetachedStartScheduled = { id, kind: 'DetachedStartScheduled', name, version, instanceId, input: text };
  const decided = execution.decide(asked);
  if (decided === undefined) return never();
  if (decided === asked) {
    if (execution.lacksOrchestration(name, version)) return never();
    execution.draft.detachedStarts.push(asked);
  }
  return execution.openFuture(decided.id, 'detached-start', decided.instanceId).promise as DurableFuture<string>;
}

export function settleDetachedStart(execution: Execution, event: DetachedStartAnswered): void {
  const future = execution.closeFuture(event, 'detached-start');
  if (future === undefined) return;
  if (event.failure === undefined) future.resolve(future.name);
  else rejectHandled(future, new InstanceAlreadyExistsError(future.name));
}
