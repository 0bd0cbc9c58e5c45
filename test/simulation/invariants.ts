import type { HistoryEvent } from '../../lib/core/history-event.js';
import { problemsOfExecution, foldKv } from '../crash/verify-history.js';
import type { ActivityCells, InstanceCells, MessageCells, Rows, TimerCells, TurnCells } from './store.js';

const FINAL: ReadonlySet<string> = new Set(['Completed', 'Failed', 'Cancelled', 'Terminated']);
export const isFinal = (status: string): boolean => FINAL.has(status);

/** An instance and all its rows. */
export interface InstanceView {
  readonly row: InstanceCells;
  /** One history an execution, from the first. */
  readonly executions: readonly (readonly HistoryEvent[])[];
  readonly turns: readonly TurnCells[];
  readonly messages: readonly MessageCells[];
  readonly activities: readonly ActivityCells[];
  readonly timers: readonly TimerCells[];
  readonly kv: ReadonlyMap<
    string,
    { readonly value: string | null; readonly base: string | null; readonly executionId: number }
  >;
}

export function viewsOf(rows: Rows): Map<string, InstanceView> {
  const views = new Map<string, InstanceView>();
  const turns = groupBy(rows.turns);
  const messages = groupBy(rows.messages);
  const activities = groupBy(rows.activities);
  const timers = groupBy(rows.timers);
  const kv = groupBy(rows.kv);
  for (const [id, row] of rows.instances) {
    const own = turns.get(id) ?? [];
    const executions: HistoryEvent[][] = [];
    for (const turn of own) (executions[turn.executionId - 1] ??= []).push(...turn.events);
    views.set(id, {
      row,
      executions,
      turns: own,
      messages: messages.get(id) ?? [],
      activities: activities.get(id) ?? [],
      timers: timers.get(id) ?? [],
      kv: new Map((kv.get(id) ?? []).map((one) => [one.key, one])),
    });
  }
  return views;
}

function groupBy<R extends { readonly instanceId: string }>(rows: readonly R[]): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const row of rows) {
    const group = groups.get(row.instanceId);
    if (group === undefined) groups.set(row.instanceId, [row]);
    else group.push(row);
  }
  return groups;
}

/** What must hold after every commit, of one instance and its neighbours. */
export function* problemsOfState(view: InstanceView, all: ReadonlyMap<string, InstanceView>): Generator<string> {
  const { row, executions } = view;
  yield* problemsOfHistories(view);
  yield* problemsOfProjection(view);
  yield* problemsOfKv(view);
  yield* problemsOfCounters(view);
  const open = new Map<number, HistoryEvent>();
  for (const event of executions[row.executionId - 1] ?? []) {
    if (SCHEDULES.has(event.kind)) open.set(event.id, event);
    else if (event.kind === 'CancelRequested')
      open.clear(); // the programs shield only what comes after it
    else if ('scheduleId' in event) open.delete(event.scheduleId);
  }
  if (isFinal(row.status)) return yield* problemsOfEnd(view);
  yield* problemsOfActivities(view, open);
  yield* problemsOfTimers(view, open);
  yield* problemsOfChildren(view, open, all);
}

const SCHEDULES: ReadonlySet<string> = new Set(['ActivityScheduled', 'TimerCreated', 'SubOrchestrationScheduled']);

function* problemsOfHistories({ row, executions, turns }: InstanceView): Generator<string> {
  for (let index = 0; index < executions.length; index++) {
    const history = executions[index];
    if (history === undefined) {
      yield `I-01 execution ${index + 1} has no history`;
      continue;
    }
    const last = index === row.executionId - 1;
    for (const problem of problemsOfExecution(history, last ? (row.status as never) : undefined))
      yield `C1/C2 execution ${index + 1}: ${problem}`;
    const first = history[0];
    if (
      first?.kind === 'OrchestrationStarted' &&
      (first.generation !== row.generation || first.executionId !== index + 1)
    )
      yield `I-03 execution ${index + 1} begins as execution ${first.executionId} of ${first.generation}`;
  }
  if (executions.length > row.executionId)
    yield `I-01 it has ${executions.length} executions and is at ${row.executionId}`;
  const current = executions[row.executionId - 1]?.length ?? 0;
  if (row.nextEventId !== current + 1) yield `I-22 its next event is ${row.nextEventId}, its history has ${current}`;
  for (const turn of turns)
    if (turn.events.length !== turn.eventCount || turn.events[0]?.id !== turn.firstEventId)
      yield `I-22 a turn at ${turn.firstEventId} says ${turn.eventCount} events and holds ${turn.events.length}`;
}

/** C6. */
function* problemsOfProjection({ row, executions }: InstanceView): Generator<string> {
  const status = executions.flat().findLast((event) => event.kind === 'CustomStatusSet');
  const expected = status?.kind === 'CustomStatusSet' ? status.status : null;
  if (row.customStatus !== expected) yield `C6 its custom status is ${row.customStatus}, its history says ${expected}`;
  const last = executions[row.executionId - 1]?.at(-1);
  if (last?.kind === 'OrchestrationCompleted' && row.output !== last.output)
    yield `C6 its output is ${row.output}, its history says ${last.output}`;
}

const text = (value: unknown): string => value as string;

function* problemsOfKv({ row, executions, kv }: InstanceView): Generator<string> {
  const folded = new Map(Object.entries(foldKv(executions, text)));
  const before = new Map(Object.entries(foldKv(executions.slice(0, row.executionId - 1), text)));
  for (const key of new Set([...kv.keys(), ...folded.keys()])) {
    const cell = kv.get(key);
    const value = cell?.value ?? null;
    if (value !== (folded.get(key) ?? null))
      yield `C6 KV ${key} is ${value}, its history says ${String(folded.get(key))}`;
    const base = cell === undefined ? null : cell.executionId === row.executionId ? cell.base : cell.value;
    if (base !== (before.get(key) ?? null))
      yield `I-21 KV ${key} began this execution as ${base}, its history says ${String(before.get(key))}`;
  }
}

/** Runnable is decided by the counters: nothing may wait unseen behind them, and nothing unseen may be gone. */
function* problemsOfCounters({ row, messages }: InstanceView): Generator<string> {
  const unseen = row.messagesIn - row.messagesSeen;
  const calling = messages.filter(
    ({ message }) => message.kind !== 'external-event' && message.kind !== 'queue-message',
  );
  if (unseen < 0) yield `P2 it has seen ${row.messagesSeen} of ${row.messagesIn} messages`;
  if (isFinal(row.status)) return;
  if (calling.length > unseen)
    yield `P2 ${calling.length} messages wait (${calling.map(({ message }) => message.kind).join(', ')}), ${unseen} count as unseen`;
  if (unseen > messages.length) yield `I-12 ${unseen} messages count as unseen, ${messages.length} are there`;
  for (const { seq } of messages) if (seq > row.messagesIn) yield `I-12 message ${seq} is beyond ${row.messagesIn}`;
}

function* problemsOfEnd({ messages, activities, timers, row }: InstanceView): Generator<string> {
  const left = messages.length + activities.length + timers.length;
  if (left > 0)
    yield `I-24 it is ${row.status} and ${messages.length} messages, ${activities.length} activities, ${timers.length} timers are left`;
}

/** I-09: of every open activity exactly one row, one completion that waits, or one that its owner holds. */
function* problemsOfActivities(
  { row, activities, messages }: InstanceView,
  open: ReadonlyMap<number, HistoryEvent>,
): Generator<string> {
  const outstanding = new Set<number>();
  for (const activity of activities) {
    if (activity.executionId !== row.executionId || open.get(activity.scheduleId)?.kind !== 'ActivityScheduled')
      yield `I-09 the activity row ${activity.executionId}/${activity.scheduleId} belongs to nothing open`;
    else outstanding.add(activity.scheduleId);
    if (activity.generation !== row.generation) yield `I-09 the activity row ${activity.scheduleId} is of another life`;
  }
  for (const { message } of messages) {
    if (message.kind !== 'activity-completion' || message.executionId !== row.executionId) continue;
    if (open.get(message.scheduleId)?.kind !== 'ActivityScheduled') continue;
    if (outstanding.has(message.scheduleId)) yield `I-09 activity ${message.scheduleId} is outstanding twice`;
    outstanding.add(message.scheduleId);
  }
  let count = 0;
  for (const event of open.values()) if (event.kind === 'ActivityScheduled') count++;
  if (count - outstanding.size !== row.held)
    yield `I-09 of ${count} open activities ${outstanding.size} have a row or an outcome and ${row.held} are held`;
}

/** I-10. */
function* problemsOfTimers({ row, timers }: InstanceView, open: ReadonlyMap<number, HistoryEvent>): Generator<string> {
  const armed = new Set<number>();
  for (const timer of timers) {
    armed.add(timer.scheduleId);
    const event = open.get(timer.scheduleId);
    if (timer.executionId !== row.executionId || event?.kind !== 'TimerCreated')
      yield `I-10 the timer ${timer.executionId}/${timer.scheduleId} belongs to nothing open`;
    else if (event.fireAt !== timer.fireAt) yield `I-10 the timer ${timer.scheduleId} is armed for another time`;
  }
  for (const event of open.values())
    if (event.kind === 'TimerCreated' && !armed.has(event.id)) yield `I-10 the open timer ${event.id} is not armed`;
}

/** I-11: of every open child exactly a living one that knows its parent, or an answer that waits. */
function* problemsOfChildren(
  { row, messages }: InstanceView,
  open: ReadonlyMap<number, HistoryEvent>,
  all: ReadonlyMap<string, InstanceView>,
): Generator<string> {
  for (const event of open.values()) {
    if (event.kind !== 'SubOrchestrationScheduled') continue;
    const answers = messages.filter(
      ({ message }) =>
        message.kind === 'child-completion' &&
        message.scheduleId === event.id &&
        message.executionId === row.executionId,
    ).length;
    const child = all.get(event.instanceId)?.row;
    const lives = child !== undefined && !isFinal(child.status) && child.parent === row.instanceId;
    if (answers > 1) yield `I-11 the child ${event.instanceId} has answered ${answers} times`;
    if (answers === 0 && !lives)
      yield `I-11 the child ${event.instanceId} is ${child?.status ?? 'missing'} and has not answered`;
  }
}

/** What may come between two looks at one instance. */
export function* problemsOfChange(before: InstanceView, after: InstanceView): Generator<string> {
  if (before.row.generation !== after.row.generation) {
    if (!isFinal(before.row.status)) yield `A1 a ${before.row.status} instance was replaced`;
    return;
  }
  if (isFinal(before.row.status) && (before.row.status !== after.row.status || before.row.output !== after.row.output))
    yield `I-05 it was ${before.row.status} and is ${after.row.status}`;
  if (before.row.executionId > after.row.executionId) yield `I-05 its execution went back`;
  for (const counter of ['turn', 'messagesIn', 'messagesSeen'] as const)
    if (after.row[counter] < before.row[counter])
      yield `P2 ${counter} went from ${before.row[counter]} to ${after.row[counter]}`;
  for (const [index, history] of before.executions.entries()) {
    const now = after.executions[index] ?? [];
    if (!history.every((event, at) => now[at] === event || JSON.stringify(now[at]) === JSON.stringify(event)))
      yield `I-02 the history of execution ${index + 1} changed`;
  }
  yield* problemsOfGone(before, after);
  for (const activity of before.activities) {
    const now = after.activities.find(
      (one) => one.executionId === activity.executionId && one.scheduleId === activity.scheduleId,
    );
    if (now === undefined) continue;
    if (now.attempt < activity.attempt || now.claim < activity.claim)
      yield `I-19 activity ${now.scheduleId} went from attempt ${activity.attempt}, claim ${activity.claim} to ${now.attempt}, ${now.claim}`;
  }
}

/** C3: an event or queue message that is gone was consumed, in this order, by the instance. */
function* problemsOfGone(before: InstanceView, after: InstanceView): Generator<string> {
  if (isFinal(after.row.status)) return;
  const there = new Set(after.messages.map(({ seq }) => seq));
  const gone = before.messages.filter(
    ({ seq, message }) => !there.has(seq) && (message.kind === 'external-event' || message.kind === 'queue-message'),
  );
  if (gone.length === 0) return;
  const consumed = new Set(
    after.executions
      .flat()
      .flatMap((event) => (event.kind === 'EventReceived' || event.kind === 'MessageDequeued' ? [event.seq] : [])),
  );
  for (const { seq, message } of gone)
    if (!consumed.has(seq)) yield `C3 message ${seq} (${message.kind}) is gone and was not consumed`;
}
