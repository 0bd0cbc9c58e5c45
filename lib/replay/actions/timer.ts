import type { TimerCreated, TimerFired } from '../../core/history-event.js';
import { parseDuration, type Duration } from '../../core/duration.js';
import { InvalidOptionError } from '../../core/errors.js';
import { types } from 'node:util';
import { never, rejected, type DurableFuture } from '../durable-future.js';
import type { Execution } from '../execution.js';

export function scheduleTimer(execution: Execution, due: Duration | Date): DurableFuture<void> {
  if (!execution.mayAct('scheduleTimer()')) return never();
  const refusal = execution.refusal();
  if (refusal !== undefined) return rejected(refusal);
  const asked: TimerCreated = { id: execution.nextEventId, kind: 'TimerCreated', fireAt: dueTime(execution, due) };
  const decided = execution.decide(asked);
  if (decided === undefined) return never();
  if (decided === asked) execution.draft.timers.push(asked);
  return execution.openFuture(decided.id, 'timer', 'timer').promise as DurableFuture<void>;
}

function dueTime(execution: Execution, due: Duration | Date): number {
  if (!types.isDate(due)) return execution.now + parseDuration(due, 'the duration of scheduleTimer()');
  const at = due.getTime();
  if (Number.isNaN(at)) throw new InvalidOptionError('the due time of scheduleTimer()', due, 'a valid Date');
  return at;
}

export function settleTimer(execution: Execution, event: TimerFired): void {
  execution.closeFuture(event, 'timer')?.resolve(undefined);
}
