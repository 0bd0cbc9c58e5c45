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
  readonly over: ReadonlySet<number>;
  /** How many the instance holds after this turn. */
  readonly held: number;
}

const NOTHING: ReadonlySet<number> = new Set();

export function placeActivities(
  live: LiveInstance,
  turn: Turn,
  draft: TurnDraft,
  reserve: Reserve,
  now: number,
): Placement {
  if (draft.ending !== undefined) return { rows: [], begun: [], over: NOTHING, held: 0 };
  const over = heldNoMore(live, turn, draft);
  const rows = rowsOwed(live, over, now);
  const begun: HeldActivity[] = [];
  for (const activity of draft.activities) {
    const { name, tag = null } = activity.event;
    // What was caught in a crash runs from a row, which counts the next one (protocol 8).
    if (live.crashes === 0 && reserve(name, tag)) begun.push({ ...fields(live, activity), claim: 0, scheduledAt: now });
    else rows.push({ ...fields(live, activity), dueAt: now, scheduledAt: now, lastFailure: null, claimed: false });
  }
  return { rows, begun, over, held: live.held.size - over.size + begun.length };
}

function heldNoMore(live: LiveInstance, turn: Turn, draft: TurnDraft): Set<number> {
  const over = new Set<number>();
  for (const { message, claim } of turn.volatile) {
    if (claim === 0 && message.kind === 'activity-completion' && live.held.has(message.scheduleId))
      over.add(message.scheduleId);
  }
  for (const { id } of draft.closed) if (live.held.has(id)) over.add(id);
  return over;
}

/** Rows for failed attempts that are tried again, and for what a node that died held. Adds the former to `over`. */
function rowsOwed(live: LiveInstance, over: Set<number>, now: number): NewActivity[] {
  const rows: NewActivity[] = [];
  if (live.held.needRows) {
    for (const row of live.held.rowsNeeded()) {
      if (over.has(row.scheduleId)) continue;
      rows.push(row);
      over.add(row.scheduleId);
    }
  }
  for (const id of live.lost) {
    const activity = live.execution.open.get(id)?.activity;
    if (activity === undefined) continue;
    const { at } = activity;
    rows.push({
      ...fields(live, activity),
      crashes: 1,
      dueAt: now,
      scheduledAt: at,
      lastFailure: null,
      claimed: false,
    });
  }
  return rows;
}

const fields = (live: LiveInstance, { event, options }: ScheduledActivity) => ({
  instanceId: live.instanceId,
  generation: live.generation,
  executionId: live.execution.executionId,
  scheduleId: event.id,
  name: event.name,
  args: event.args,
  options: optionsText(options),
  tag: event.tag ?? null,
  attempt: 1,
  crashes: 0,
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
