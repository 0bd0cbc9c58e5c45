import type { MessageDequeued } from '../../core/history-event.js';
import { checkName } from '../../core/identifiers.js';
import { never, rejected, type DurableFuture } from '../durable-future.js';
import type { Execution } from '../execution.js';

export function dequeueEvent(execution: Execution, queue: string): DurableFuture<unknown> {
  if (!execution.mayAct(`dequeueEvent(${queue})`)) return never();
  const refusal = execution.refusal();
  if (refusal !== undefined) return rejected(refusal);
  const decided = execution.decide({
    id: execution.nextEventId,
    kind: 'DequeueCreated',
    queue: checkName(queue, 'queue name'),
  });
  return decided === undefined ? never() : execution.openFuture(decided.id, 'dequeue', queue).promise;
}

export function settleDequeue(execution: Execution, event: MessageDequeued): void {
  const future = execution.closeFuture(event, 'dequeue');
  future?.resolve(execution.decode(event.data, `a message of the queue ${future.name}`));
}
