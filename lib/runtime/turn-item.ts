import { createHash } from 'node:crypto';
import { OrchestrationCancelledError, OrchestrationTerminatedError } from '../core/errors.js';
import { failureOf, type Failure } from '../core/failure.js';
import type { ParentLink, TerminalEvent } from '../core/history-event.js';
import type { Ending } from '../core/instance.js';
import type { Message } from '../core/message.js';
import type { AddressedMessage, NewActivity, NewChild, ScheduleKey, TurnItem } from '../provider/batch.js';
import type { OpenSchedule, Turn, TurnDraft } from '../replay/index.js';
import type { LiveInstance } from './live-instance.js';

/** Does this node take the activity at once? Asked for each as the item is made. */
export type Reserve = (name: string, tag: string | null) => boolean;

/** A live instance keeps its owner while something near will call it again; else any node may go on with it (protocol 12). */
const NEAR_MS = 5_000;

/** What a turn of running code adds to the store. */
export function turnItem(live: LiveInstance, turn: Turn, draft: TurnDraft, reserve: Reserve, now: number): TurnItem {
  const { execution } = live;
  const { executionId } = execution;
  const { ending } = draft;
  const key = (scheduleId: number): ScheduleKey => ({ executionId, scheduleId });
  const finished = ending !== undefined && ending.kind !== 'ContinuedAsNew';
  const continued = ending?.kind === 'ContinuedAsNew' ? ending : undefined;
  // What the last run of the code left behind was never visible if this very turn scheduled it.
  const left = draft.left.filter((future) => future.id < draft.firstEventId);
  const over = [...draft.closed, ...left];
  const next = continued && {
    kind: 'start' as const,
    executionId: executionId + 1,
    name: execution.name,
    version: continued.version ?? execution.version,
    input: continued.input,
    parent: live.parent,
  };
  // What stays in the inbox for the next turn is not seen, so that it wakes somebody if this process dies (protocol 2).
  const unseen = live.inbox.filter((input) => input.kind === 'message' && input.seq !== undefined).length;
  const messagesSeen = live.seenThrough - live.seenCommitted - (finished ? 0 : unseen);
  const activities: NewActivity[] =
    ending !== undefined
      ? []
      : draft.activities.map(({ event, options }) => {
          const tag = event.tag ?? null;
          return {
            ...key(event.id),
            name: event.name,
            args: event.args,
            options: Object.keys(options).length === 0 ? null : JSON.stringify(options),
            tag,
            claimed: reserve(event.name, tag),
          };
        });
  const timers = ending !== undefined ? [] : draft.timers.map((event) => ({ ...key(event.id), fireAt: event.fireAt }));
  return {
    kind: 'turn',
    instanceId: live.instanceId,
    generation: live.generation,
    expectedTurn: live.turn,
    keepOwnership: !finished && (continued !== undefined || live.inbox.length > 0 || hasNearWork(live, timers, now)),
    messagesSeen,
    consumed: turn.consumed,
    executionId: next?.executionId ?? executionId,
    name: execution.name || live.name,
    version: next?.version ?? (execution.version || live.version),
    nextEventId: next === undefined ? execution.nextEventId : 1,
    history: historyOf(executionId, draft),
    activities,
    closedActivities: [
      ...turn.volatile.flatMap(({ message }) => (message.kind === 'activity-completion' ? [message] : [])).map(({ executionId: of, scheduleId }) => ({ executionId: of, scheduleId })),
      ...over.filter(({ kind }) => kind === 'activity').map(({ id }) => key(id)),
    ],
    timers,
    closedTimers: [...turn.firedTimers.map(key), ...over.filter(({ kind }) => kind === 'timer').map(({ id }) => key(id))],
    children: newChildren(live, draft),
    messages: [
      ...draft.closed.flatMap((future) => toChild(live, executionId, future, 'cancel', 'its parent cancelled it')),
      ...left.flatMap((future) => closeChild(live, executionId, future)),
      ...(finished ? toParent(live.parent, endingOf(ending, live), ending) : []),
    ],
    kv: [...draft.kv].map(([name, value]) => ({ key: name, value })),
    customStatus: draft.customStatus,
    cancelRequested: live.cancelRequested || execution.cancellation !== undefined,
    toItself: next ?? (unseen === 0 && turn.mustContinue ? { kind: 'continue' } : undefined),
    ending: finished ? endingOf(ending, live) : undefined,
  };
}

/** `terminateInstance`: an end that runs no code, also of an instance whose code no longer fits. */
export function terminationItem(live: LiveInstance, reason: string, open: readonly OpenSchedule[], events: readonly TerminalEvent[], firstEventId: number, started: readonly object[]): TurnItem {
  const { execution } = live;
  const all = [...started, ...events];
  const ending: Ending = {
    status: 'Terminated',
    failure: failureOf(new OrchestrationTerminatedError(live.instanceId, reason), { stack: false }),
  };
  return {
    kind: 'turn',
    instanceId: live.instanceId,
    generation: live.generation,
    expectedTurn: live.turn,
    keepOwnership: false,
    messagesSeen: live.seenThrough - live.seenCommitted,
    consumed: [],
    executionId: execution.executionId,
    name: live.name,
    version: live.version,
    nextEventId: firstEventId + all.length,
    history: { executionId: execution.executionId, firstEventId, eventCount: all.length, events: JSON.stringify(all) },
    activities: [],
    closedActivities: [],
    timers: [],
    closedTimers: [],
    children: [],
    messages: [...open.flatMap((schedule) => closeChild(live, execution.executionId, schedule)), ...toParent(live.parent, ending, events.at(-1)!)],
    kv: [],
    cancelRequested: live.cancelRequested,
    ending,
  };
}

function historyOf(executionId: number, draft: TurnDraft): TurnItem['history'] {
  if (draft.events.length === 0) return undefined;
  return { executionId, firstEventId: draft.events[0]!.id, eventCount: draft.events.length, events: JSON.stringify(draft.events) };
}

function hasNearWork(live: LiveInstance, timers: readonly { fireAt: number }[], now: number): boolean {
  if (timers.some(({ fireAt }) => fireAt - now < NEAR_MS)) return true;
  for (const future of live.execution.open.values()) if (future.kind === 'activity') return true;
  return false;
}

/** An ended execution starts only what shall outlive it: detached instances and abandoned children. */
function newChildren(live: LiveInstance, draft: TurnDraft): NewChild[] {
  const { executionId } = live.execution;
  const children = draft.ending === undefined ? draft.children : draft.children.filter(({ onParentClose }) => onParentClose === 'abandon');
  const child = (event: { id: number; instanceId: string; name: string; version?: string; input: string }, relation: NewChild['relation']): NewChild => ({
    executionId,
    scheduleId: event.id,
    instanceId: event.instanceId,
    generation: childGeneration(live.generation, executionId, event.id),
    name: event.name,
    version: event.version!,
    input: event.input,
    relation,
  });
  return [...children.map((event) => child(event, 'attached')), ...draft.detachedStarts.map((event) => child(event, 'detached'))];
}

/** Known to the parent without asking, so that a cancellation never reaches a stranger that has the child's id. */
function childGeneration(generation: string, executionId: number, scheduleId: number): string {
  return createHash('sha256').update(`${generation}/${executionId}/child/${scheduleId}`).digest('hex').slice(0, 32);
}

function closeChild(live: LiveInstance, executionId: number, schedule: OpenSchedule): AddressedMessage[] {
  const policy = schedule.child?.onParentClose;
  if (policy === undefined || policy === 'abandon') return [];
  return toChild(live, executionId, schedule, policy, 'its parent has ended');
}

function toChild(live: LiveInstance, executionId: number, schedule: OpenSchedule, kind: 'cancel' | 'terminate', reason: string): AddressedMessage[] {
  if (schedule.child === undefined) return [];
  const { instanceId } = schedule.child;
  return [{ instanceId, generation: childGeneration(live.generation, executionId, schedule.id), message: { kind, reason } }];
}

function toParent(parent: ParentLink | undefined, ending: Ending, event: TerminalEvent): AddressedMessage[] {
  if (parent === undefined) return [];
  const { executionId, scheduleId } = parent;
  const message: Message =
    ending.status === 'Completed'
      ? { kind: 'child-completion', executionId, scheduleId, result: ending.output }
      : { kind: 'child-completion', executionId, scheduleId, outcome: outcomeOf(event), failure: ending.failure };
  return [{ instanceId: parent.instanceId, generation: parent.generation, message }];
}

function outcomeOf(event: TerminalEvent): 'failed' | 'cancelled' | 'terminated' {
  if (event.kind === 'OrchestrationCancelled') return 'cancelled';
  return event.kind === 'OrchestrationTerminated' ? 'terminated' : 'failed';
}

function endingOf(event: TerminalEvent, live: LiveInstance): Ending {
  const failed = (error: Error): Failure => failureOf(error, { stack: false });
  switch (event.kind) {
    case 'OrchestrationCompleted':
      return { status: 'Completed', output: event.output };
    case 'OrchestrationFailed':
      return { status: 'Failed', failure: event.failure };
    case 'OrchestrationCancelled':
      return { status: 'Cancelled', failure: failed(new OrchestrationCancelledError(live.instanceId, event.reason)) };
    case 'OrchestrationTerminated':
      return { status: 'Terminated', failure: failed(new OrchestrationTerminatedError(live.instanceId, event.reason)) };
    case 'ContinuedAsNew':
      throw new TypeError('continue-as-new is no ending of the instance');
  }
}
