import type { ActivityCompleted, ActivityFailed, ActivityScheduled } from '../../core/history-event.js';
import {
  resolveActivityOptions,
  type ActivityOptions,
  type ResolvedActivityOptions,
} from '../../core/activity-options.js';
import { ActivityError } from '../../core/errors.js';
import { dataOf, errorOf } from '../../core/failure.js';
import { checkName } from '../../core/identifiers.js';
import { never, rejected, rejectHandled, type DurableFuture } from '../durable-future.js';
import type { Execution } from '../execution.js';

const NO_OPTIONS: ResolvedActivityOptions = Object.freeze({});

export function scheduleActivity(
  execution: Execution,
  name: string,
  args: readonly unknown[],
  options?: ActivityOptions,
): DurableFuture<unknown> {
  if (!execution.mayAct(`scheduleActivity(${name})`)) return never();
  const refusal = execution.refusal();
  if (refusal !== undefined) return rejected(refusal);
  const merged = mergedOptions(execution, checkName(name, 'activity name'), options);
  const text = execution.encode(args, `the arguments of ${name}`);
  if (text === undefined) return never();
  const asked: ActivityScheduled = {
    id: execution.nextEventId,
    kind: 'ActivityScheduled',
    name,
    args: text,
    tag: merged.tag,
  };
  const decided = execution.decide(asked);
  if (decided === undefined) return never();
  const activity = { event: decided, options: merged, at: execution.now };
  if (decided === asked) {
    if (execution.lacksActivity(name, merged.tag)) return never();
    execution.draft.activities.push(activity);
  }
  return execution.openFuture(decided.id, 'activity', name, { activity }).promise;
}

function mergedOptions(
  execution: Execution,
  name: string,
  options: ActivityOptions | undefined,
): ResolvedActivityOptions {
  const declared = execution.handlers.activityOptions(name) ?? NO_OPTIONS;
  return options === undefined ? declared : { ...declared, ...resolveActivityOptions(options, `options of ${name}`) };
}

export function settleActivity(execution: Execution, event: ActivityCompleted | ActivityFailed): void {
  const future = execution.closeFuture(event, 'activity');
  if (future === undefined) return;
  if (event.kind === 'ActivityCompleted')
    future.resolve(execution.decode(event.result, `the result of ${future.name}`));
  else
    rejectHandled(
      future,
      new ActivityError(future.name, event.attempts, event.failure, errorOf(event.failure), dataOf(event.failure)),
    );
}
