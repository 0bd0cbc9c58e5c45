import type { Failure } from '../core/failure.js';
import type { ClaimedActivity, NewActivity } from '../provider/batch.js';

/** An activity this node runs without a row. Its `claim` is 0 until it gets one. */
export interface HeldActivity extends ClaimedActivity {
  claim: number;
}

/**
 * The open activities of one live instance that have no row: their record is the event in the history. Results and failed
 * attempts enter through the owner's own turn, which is why an instance that holds some never leaves the cache.
 */
export class HeldActivities {
  private readonly running = new Map<number, HeldActivity>();
  /** Those that do not run any more: the rows they need. */
  private rows: Map<number, NewActivity> | undefined;

  get size(): number {
    return this.running.size;
  }

  /** Some need a row, which the next turn gives them. */
  get needRows(): boolean {
    return this.rows !== undefined && this.rows.size > 0;
  }

  has(scheduleId: number): boolean {
    return this.running.has(scheduleId);
  }

  add(activity: HeldActivity): void {
    this.running.set(activity.scheduleId, activity);
  }

  /** Its outcome is recorded, it was cancelled, or it has a row now. */
  remove(scheduleId: number): void {
    this.running.delete(scheduleId);
    this.rows?.delete(scheduleId);
  }

  clear(): void {
    this.running.clear();
    this.rows = undefined;
  }

  /** A failed attempt, to be tried again from `dueAt` on. False: it is held no more. */
  retry(activity: HeldActivity, dueAt: number, failure: Failure): boolean {
    const row = rowOf(activity, dueAt);
    return this.lay(activity, { ...row, attempt: activity.attempt + 1, crashes: 0, lastFailure: failure });
  }

  /** Handed back unrun. */
  release(activity: HeldActivity, now: number): boolean {
    return this.lay(activity, rowOf(activity, now));
  }

  private lay(activity: HeldActivity, row: NewActivity): boolean {
    if (this.running.get(activity.scheduleId) !== activity) return false;
    (this.rows ??= new Map()).set(activity.scheduleId, row);
    return true;
  }

  rowsNeeded(): Iterable<NewActivity> {
    return this.rows?.values() ?? [];
  }

  /** Rows for all of them, those that run claimed by this node; from here on they are activities like any other. */
  giveRows(now: number): NewActivity[] {
    const rows = [...this.running.values()].map((activity) => {
      const row = this.rows?.get(activity.scheduleId);
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
