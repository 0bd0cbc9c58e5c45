import type { ResolvedActivityOptions } from '../core/activity-options.js';
import type { NewActivity } from '../provider/batch.js';
import type { ScheduledActivity, Turn, TurnDraft } from '../replay/index.js';
import type { HeldActivity } from './held-activities.js';
import type { LiveInstance } from './live-instance.js';

/** Does this node begin the activity at once? Asked for each as the turn is collected. */
export type Reserve = (name: string, tag: string | null) => boolean;

/** Where the activities of a turn go. */
export interface Placement {
  /** Into the store, for whoever claims them. */
  readonly rows: readonly NewActivity[];
  /** Run here without a row, as soon as the turn is committed. */
  readonly begun: readonly HeldActivity[];
  /** Held before this turn, and not after it. */
  readonly over: readonly number[];
  /** How many the instance holds after this turn. */
  readonly held: number;
}

const NONE: readonly never[] = Object.freeze([]);

export function placeActivities(
  live: LiveInstance,
  turn: Turn,
  draft: TurnDraft,
  reserve: Reserve,
  now: number,
): Placement {
  if (draft.ending !== undefined) return { rows: NONE, begun: NONE, over: NONE, held: 0 };
  const over = heldNoMore(live, turn, draft);
  const rows = live.owesRows ? rowsOwed(live, over, now) : [];
  const begun: HeldActivity[] = [];
  for (const activity of draft.activities) {
    const { name, tag = null } = activity.event;
    // What was caught in a crash runs from a row, which counts the next one (protocol 8).
    if (live.crashes === 0 && reserve(name, tag)) begun.push(heldActivity(live, activity, now));
    else rows.push(newRow(live, activity, now, now, 0));
  }
  return { rows, begun, over, held: live.held.size - over.length + begun.length };
}

function heldNoMore(live: LiveInstance, turn: Turn, draft: TurnDraft): number[] {
  const over: number[] = [];
  if (live.held.size === 0) return over;
  for (const { message, claim } of turn.volatile) {
    if (claim !== 0 || message.kind !== 'activity-completion') continue;
    const { executionId, scheduleId } = message;
    // Schedules of every execution are numbered from 1: a late result of one that is over has the number of another.
    if (executionId !== live.execution.executionId) continue;
    // A loser that was cancelled in this very turn is among the closed ones, too.
    if (live.held.has(scheduleId) && !draft.closed.some(({ id }) => id === scheduleId)) over.push(scheduleId);
  }
  for (const { id } of draft.closed) if (live.held.has(id)) over.push(id);
  return over;
}

/** Rows for failed attempts that are tried again, and for what a node that died held. Adds the former to `over`. */
function rowsOwed(live: LiveInstance, over: number[], now: number): NewActivity[] {
  const rows: NewActivity[] = [];
  for (const row of live.held.rowsNeeded()) {
    if (over.includes(row.scheduleId)) continue;
    rows.push(row);
    over.push(row.scheduleId);
  }
  for (const id of live.lost) {
    const activity = live.execution.open.get(id)?.activity;
    if (activity !== undefined) rows.push(newRow(live, activity, now, activity.at, 1));
  }
  return rows;
}

// Both are written out: on the hot path a spread costs as much as all the rest.
const heldActivity = (live: LiveInstance, { event, options }: ScheduledActivity, now: number): HeldActivity => ({
  instanceId: live.instanceId,
  generation: live.generation,
  executionId: live.execution.executionId,
  scheduleId: event.id,
  claim: 0,
  name: event.name,
  args: event.args,
  options: optionsText(options),
  tag: event.tag ?? null,
  attempt: 1,
  crashes: 0,
  scheduledAt: now,
});

const newRow = (
  live: LiveInstance,
  { event, options }: ScheduledActivity,
  dueAt: number,
  scheduledAt: number,
  crashes: number,
): NewActivity => ({
  executionId: live.execution.executionId,
  scheduleId: event.id,
  name: event.name,
  args: event.args,
  options: optionsText(options),
  tag: event.tag ?? null,
  attempt: 1,
  crashes,
  dueAt,
  scheduledAt,
  lastFailure: null,
  claimed: false,
});

const optionTexts = new WeakMap<ResolvedActivityOptions, string | null>();

/** The options of a decorator are the same object in every call. */
function optionsText(options: ResolvedActivityOptions): string | null {
  let text = optionTexts.get(options);
  if (text === undefined) {
    text = Object.keys(options).length === 0 ? null : JSON.stringify(options);
    optionTexts.set(options, text);
  }
  return text;
}
