import { createHash } from 'node:crypto';
import { OrchestrationCancelledError, OrchestrationTerminatedError } from '../core/errors.js';
import { failureOf, type Failure } from '../core/failure.js';
import type { ContinuedAsNew, ParentLink, TerminalEvent } from '../core/history-event.js';
import type { Ending } from '../core/instance.js';
import type { Message, StartMessage } from '../core/message.js';
import type { AddressedMessage, NewChild, ScheduleKey, TurnItem } from '../provider/batch.js';
import type { FutureRecord, OpenSchedule, Turn, TurnDraft } from '../replay/index.js';
import type { Placement } from './activity-placement.js';
import type { LiveInstance } from './live-instance.js';

/** A live instance keeps its owner while something near will call it again; else any node may go on with it (protocol 12). */
const NEAR_MS = 5_000;

const NONE: readonly never[] = Object.freeze([]);

/** What a turn of running code adds to the store. */
export function turnItem(
  live: LiveInstance,
  turn: Turn,
  draft: TurnDraft,
  placement: Placement,
  now: number,
): TurnItem {
  const { execution } = live;
  const { executionId } = execution;
  const { ending } = draft;
  const next = ending?.kind === 'ContinuedAsNew' ? nextStart(live, ending) : undefined;
  const finished = ending !== undefined && next === undefined;
  // What stays in the inbox for the next turn is not seen, so that it wakes somebody if this process dies (protocol 2).
  const unseen = finished ? 0 : storedIn(live);
  // What the last run of the code left behind was never visible if this very turn scheduled it.
  const left = draft.left.filter((future) => future.id < draft.firstEventId);
  const over = left.length > 0 ? [...draft.closed, ...left] : draft.closed;
  const timers =
    ending !== undefined || draft.timers.length === 0
      ? NONE
      : draft.timers.map(({ id, fireAt }) => ({ executionId, scheduleId: id, fireAt }));
  const result = finished ? endingOf(ending, live) : undefined;
  return {
    kind: 'turn',
    instanceId: live.instanceId,
    generation: live.generation,
    expectedTurn: live.turn,
    keepOwnership: !finished && (next !== undefined || live.inbox.length > 0 || hasNearWork(live, timers, now)),
    messagesSeen: live.seenThrough - live.seenCommitted - unseen,
    consumed: turn.consumed,
    executionId: next?.executionId ?? executionId,
    nextEventId: next === undefined ? execution.nextEventId : 1,
    history: historyOf(executionId, draft),
    activities: placement.rows,
    held: placement.held,
    closedActivities: closedActivities(live, turn, over),
    timers,
    closedTimers: closedTimers(executionId, turn, over),
    children: newChildren(live, draft),
    messages: messagesOf(live, draft, left, result, ending),
    kv: draft.kv.size === 0 ? NONE : [...draft.kv].map(([key, value]) => ({ key, value })),
    customStatus: draft.customStatus,
    changes: changesOf(live, next),
    toItself: next ?? (unseen === 0 && turn.mustContinue ? { kind: 'continue' } : undefined),
    ending: result,
  };
}

function changesOf(live: LiveInstance, next: StartMessage | undefined): TurnItem['changes'] {
  const version = next?.version ?? live.version;
  const cancelRequested = live.cancelRequested || live.execution.cancellation !== undefined;
  return version === live.version && cancelRequested === live.cancelRequested
    ? undefined
    : { version, cancelRequested };
}

function storedIn(live: LiveInstance): number {
  let count = 0;
  for (const input of live.inbox) if (input.kind === 'message' && input.seq !== undefined) count++;
  return count;
}

function nextStart(live: LiveInstance, { input, version }: ContinuedAsNew): StartMessage {
  const { execution, parent } = live;
  return {
    kind: 'start',
    executionId: execution.executionId + 1,
    name: execution.name,
    version: version ?? execution.version,
    input,
    parent,
  };
}

/** Rows only: what was held without one leaves nothing to delete. */
function closedActivities(live: LiveInstance, turn: Turn, over: readonly FutureRecord[]): readonly ScheduleKey[] {
  if (turn.volatile.length === 0 && over.length === 0) return NONE;
  const keys: ScheduleKey[] = [];
  for (const { message, claim } of turn.volatile) {
    if (message.kind === 'activity-completion' && claim !== 0)
      keys.push({ executionId: message.executionId, scheduleId: message.scheduleId });
  }
  const { executionId } = live.execution;
  for (const { kind, id } of over)
    if (kind === 'activity' && !live.held.has(id)) keys.push({ executionId, scheduleId: id });
  return keys;
}

function closedTimers(executionId: number, turn: Turn, over: readonly FutureRecord[]): readonly ScheduleKey[] {
  if (turn.firedTimers.length === 0 && over.length === 0) return NONE;
  const keys: ScheduleKey[] = turn.firedTimers.map((scheduleId) => ({ executionId, scheduleId }));
  for (const { kind, id } of over) if (kind === 'timer') keys.push({ executionId, scheduleId: id });
  return keys;
}

function messagesOf(
  live: LiveInstance,
  draft: TurnDraft,
  left: readonly FutureRecord[],
  result: Ending | undefined,
  ending: TerminalEvent | undefined,
): readonly AddressedMessage[] {
  if (draft.closed.length === 0 && left.length === 0 && result === undefined) return NONE;
  const { executionId } = live.execution;
  return [
    ...draft.closed.flatMap((future) => toChild(live, executionId, future, 'cancel', 'its parent cancelled it')),
    ...left.flatMap((future) => closeChild(live, executionId, future)),
    ...(result === undefined ? [] : toParent(live.parent, result, ending!)),
  ];
}

/** `terminateInstance`: an end that runs no code, also of an instance whose code no longer fits. */
export function terminationItem(
  live: LiveInstance,
  reason: string,
  open: readonly OpenSchedule[],
  events: readonly TerminalEvent[],
  firstEventId: number,
  started: readonly object[],
): TurnItem {
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
    nextEventId: firstEventId + all.length,
    history: { executionId: execution.executionId, firstEventId, eventCount: all.length, events: JSON.stringify(all) },
    activities: [],
    held: 0,
    closedActivities: [],
    timers: [],
    closedTimers: [],
    children: [],
    messages: [
      ...open.flatMap((schedule) => closeChild(live, execution.executionId, schedule)),
      ...toParent(live.parent, ending, events.at(-1)!),
    ],
    kv: [],
    ending,
  };
}

function historyOf(executionId: number, draft: TurnDraft): TurnItem['history'] {
  if (draft.events.length === 0) return undefined;
  return {
    executionId,
    firstEventId: draft.events[0]!.id,
    eventCount: draft.events.length,
    events: JSON.stringify(draft.events),
  };
}

function hasNearWork(live: LiveInstance, timers: readonly { fireAt: number }[], now: number): boolean {
  if (timers.some(({ fireAt }) => fireAt - now < NEAR_MS)) return true;
  // The end of a child comes soon, too, often from another node: two that both have the parent in memory would both run it.
  for (const { kind } of live.execution.open.values()) if (kind === 'activity' || kind === 'child') return true;
  return false;
}

/** An ended execution starts only what shall outlive it: detached instances and abandoned children. */
function newChildren(live: LiveInstance, draft: TurnDraft): readonly NewChild[] {
  if (draft.children.length === 0 && draft.detachedStarts.length === 0) return NONE;
  const { executionId } = live.execution;
  const children =
    draft.ending === undefined
      ? draft.children
      : draft.children.filter(({ onParentClose }) => onParentClose === 'abandon');
  const child = (
    event: { id: number; instanceId: string; name: string; version?: string; input: string },
    relation: NewChild['relation'],
  ): NewChild => ({
    executionId,
    scheduleId: event.id,
    instanceId: event.instanceId,
    generation: childGeneration(live.generation, executionId, event.id),
    name: event.name,
    version: event.version!,
    input: event.input,
    relation,
  });
  return [
    ...children.map((event) => child(event, 'attached')),
    ...draft.detachedStarts.map((event) => child(event, 'detached')),
  ];
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

function toChild(
  live: LiveInstance,
  executionId: number,
  schedule: OpenSchedule,
  kind: 'cancel' | 'terminate',
  reason: string,
): AddressedMessage[] {
  if (schedule.child === undefined) return [];
  const { instanceId } = schedule.child;
  return [
    { instanceId, generation: childGeneration(live.generation, executionId, schedule.id), message: { kind, reason } },
  ];
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
