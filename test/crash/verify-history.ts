import { isDelivered, isTerminal, type HistoryEvent } from '../../lib/core/history-event.js';
import type { OrchestrationStatus } from '../../lib/client/index.js';

const SCHEDULE_OF: Partial<Record<HistoryEvent['kind'], HistoryEvent['kind']>> = {
  ActivityCompleted: 'ActivityScheduled',
  ActivityFailed: 'ActivityScheduled',
  TimerFired: 'TimerCreated',
  EventReceived: 'WaitCreated',
  MessageDequeued: 'DequeueCreated',
  SubOrchestrationCompleted: 'SubOrchestrationScheduled',
  SubOrchestrationFailed: 'SubOrchestrationScheduled',
  DetachedStartAnswered: 'DetachedStartScheduled',
};

const ENDING: Partial<Record<OrchestrationStatus['status'], HistoryEvent['kind']>> = {
  Completed: 'OrchestrationCompleted',
  Failed: 'OrchestrationFailed',
  Cancelled: 'OrchestrationCancelled',
  Terminated: 'OrchestrationTerminated',
};

/** Invariants C1 and C2 (and timers never early) of one execution; `status` is given for the last one only. */
export function* problemsOfExecution(
  history: readonly HistoryEvent[],
  status: OrchestrationStatus['status'] | undefined,
): Generator<string> {
  const schedules = new Map<number, HistoryEvent>();
  const closed = new Map<number, string>();
  let at = 0;
  for (const [index, event] of history.entries()) {
    if (event.id !== index + 1) yield `event ${index + 1} has id ${event.id}`;
    if ((index === 0) !== (event.kind === 'OrchestrationStarted')) yield `event ${event.id} is ${event.kind}`;
    if (isTerminal(event) && index !== history.length - 1) yield `${event.kind} at ${event.id} is not last`;
    if (isDelivered(event)) {
      if (event.at < at) yield `time goes back at event ${event.id}`;
      at = event.at;
    }
    if (!('scheduleId' in event)) {
      schedules.set(event.id, event);
      continue;
    }
    const schedule = schedules.get(event.scheduleId);
    const expected = SCHEDULE_OF[event.kind];
    if (schedule === undefined)
      yield `${event.kind} at ${event.id} refers to ${event.scheduleId}, which is no earlier schedule`;
    else if (expected !== undefined && schedule.kind !== expected)
      yield `${event.kind} at ${event.id} refers to a ${schedule.kind}`;
    const before = closed.get(event.scheduleId);
    if (before !== undefined)
      yield `schedule ${event.scheduleId} is closed by ${before} and again by ${event.kind} at ${event.id}`;
    closed.set(event.scheduleId, `${event.kind} at ${event.id}`);
    if (event.kind === 'TimerFired' && schedule?.kind === 'TimerCreated' && event.at < schedule.fireAt)
      yield `the timer ${schedule.id} fired early`;
  }
  const last = history.at(-1);
  const ending = status === undefined ? 'ContinuedAsNew' : ENDING[status];
  if (last === undefined) yield 'the history is empty';
  else if (ending !== undefined && last.kind !== ending) yield `it ends with ${last.kind} instead of ${ending}`;
}

/** C6: KV as the history tells it. */
export function foldKv(
  executions: readonly (readonly HistoryEvent[])[],
  decode: (text: string) => unknown,
): Record<string, unknown> {
  const kv = new Map<string, unknown>();
  for (const event of executions.flat()) {
    if (event.kind === 'KvSet') kv.set(event.key, decode(event.value));
    else if (event.kind === 'KvDeleted') kv.delete(event.key);
    else if (event.kind === 'KvCleared') kv.clear();
  }
  return Object.fromEntries([...kv].sort(([a], [b]) => (a < b ? -1 : 1)));
}
