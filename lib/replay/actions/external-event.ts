import type { EventReceived } from '../../core/history-event.js';
import { checkName } from '../../core/identifiers.js';
import { never, rejected, type DurableFuture } from '../durable-future.js';
import type { Execution } from '../execution.js';

export function scheduleWait(execution: Execution, name: string): DurableFuture<unknown> {
  if (!execution.mayAct(`scheduleWait(${name})`)) return never();
  const refusal = execution.refusal();
  if (refusal !== undefined) return rejected(refusal);
  const decided = execution.decide({
    id: execution.nextEventId,
    kind: 'WaitCreated',
    name: checkName(name, 'event name'),
  });
  return decided === undefined ? never() : execution.openFuture(decided.id, 'wait', name).promise;
}

export function settleWait(execution: Execution, event: EventReceived): void {
  const future = execution.closeFuture(event, 'wait');
  future?.resolve(execution.decode(event.data, `the data of the event ${future.name}`));
}
