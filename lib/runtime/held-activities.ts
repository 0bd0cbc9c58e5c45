import type { Failure } from '../core/failure.js';
import type { ClaimedActivity, NewActivity } from '../provider/batch.js';

/** An activity this node runs without a row. Its `claim` is 0 until it gets one. */
export interface HeldActivity extends ClaimedActivity {
  claim: number;
}

interface Entry {
  readonly activity: HeldActivity;
  /** It does not run any more: the row it needs. */
  row?: NewActivity;
}

/**
 * The open activities of one live instance that have no row: their record is the event in the history. Results and failed
 * attempts enter through the owner's own turn, which is why an instance that holds some never leaves the cache.
 */
export class HeldActivities {
  private readonly entries = new Map<number, Entry>();
  private waiting = 0;

  get size(): number {
    return this.entries.size;
  }

  /** Some need a row, which the next turn gives them. */
  get needRows(): boolean {
    return this.waiting > 0;
  }

  has(scheduleId: number): boolean {
    return this.entries.has(scheduleId);
  }

  add(activity: HeldActivity): void {
    this.entries.set(activity.scheduleId, { activity });
  }

  /** Its outcome is recorded, it was cancelled, or it has a row now. */
  remove(scheduleId: number): void {
    const entry = this.entries.get(scheduleId);
    if (entry === undefined) return;
    if (entry.row !== undefined) this.waiting--;
    this.entries.delete(scheduleId);
  }

  clear(): void {
    this.entries.clear();
    this.waiting = 0;
  }

  /** A failed attempt, to be tried again from `dueAt` on. False: it is held no more. */
  retry(activity: HeldActivity, dueAt: number, failure: Failure): boolean {
    return this.lay(activity, {
      ...rowOf(activity, dueAt),
      attempt: activity.attempt + 1,
      crashes: 0,
      lastFailure: failure,
    });
  }

  /** Handed back unrun. */
  release(activity: HeldActivity, now: number): boolean {
    return this.lay(activity, rowOf(activity, now));
  }

  private lay(activity: HeldActivity, row: NewActivity): boolean {
    const entry = this.entries.get(activity.scheduleId);
    if (entry?.activity !== activity) return false;
    if (entry.row === undefined) this.waiting++;
    entry.row = row;
    return true;
  }

  *rowsNeeded(): Iterable<NewActivity> {
    for (const { row } of this.entries.values()) if (row !== undefined) yield row;
  }

  /** Rows for all of them, those that run claimed by this node; from here on they are activities like any other. */
  giveRows(now: number): NewActivity[] {
    const rows = [...this.entries.values()].map(({ activity, row }) => {
      if (row !== undefined) return row;
      activity.claim = 1;
      return { ...rowOf(activity, now), claimed: true };
    });
    this.clear();
    return rows;
  }
}

const rowOf = (activity: HeldActivity, dueAt: number): NewActivity => ({
  executionId: activity.executionId,
  scheduleId: activity.scheduleId,
  name: activity.name,
  args: activity.args,
  options: activity.options,
  tag: activity.tag,
  attempt: activity.attempt,
  crashes: activity.crashes,
  dueAt,
  scheduledAt: activity.scheduledAt,
  lastFailure: null,
  claimed: false,
});
