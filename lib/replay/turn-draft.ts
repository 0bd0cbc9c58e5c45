import type { ResolvedActivityOptions } from '../core/activity-options.js';
import type {
  ActivityScheduled,
  DetachedStartScheduled,
  HistoryEvent,
  SubOrchestrationScheduled,
  TerminalEvent,
  TimerCreated,
} from '../core/history-event.js';
import type { Payload } from '../core/payload.js';
import type { FutureRecord } from './durable-future.js';

/** A line of `ctx.log`, written out after the turn that produced it committed. */
export interface LogLine {
  readonly level: 'debug' | 'log' | 'warn' | 'error';
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface ScheduledActivity {
  readonly event: ActivityScheduled;
  readonly options: ResolvedActivityOptions;
  /** Time of the orchestration when it was scheduled. Epoch milliseconds. */
  readonly at: number;
}

const NO_KV: ReadonlyMap<string, Payload | null> = new Map();

/** What one turn adds, before it is committed. Nothing in it is visible outside until then. */
export class TurnDraft {
  readonly events: HistoryEvent[] = [];
  readonly activities: ScheduledActivity[] = [];
  readonly timers: TimerCreated[] = [];
  readonly children: SubOrchestrationScheduled[] = [];
  readonly detachedStarts: DetachedStartScheduled[] = [];
  /** Futures of earlier turns that were cancelled in this one. */
  readonly closed: FutureRecord[] = [];
  private kvChanges: Map<string, Payload | null> | undefined;
  readonly logs: LogLine[] = [];
  customStatus: Payload | undefined;
  ending: TerminalEvent | undefined;
  /** Futures still open when the execution ended. */
  left: readonly FutureRecord[] = [];

  constructor(readonly firstEventId: number) {}

  /** Keys to their new value; null is a deletion. */
  get kv(): ReadonlyMap<string, Payload | null> {
    return this.kvChanges ?? NO_KV;
  }

  changeKv(key: string, value: Payload | null): void {
    (this.kvChanges ??= new Map()).set(key, value);
  }

  /** Removes what this very turn scheduled: it was never visible, so there is nothing to cancel. */
  forget(scheduleId: number): boolean {
    if (scheduleId < this.firstEventId) return false;
    return (
      removeWhere(this.activities, ({ event }) => event.id === scheduleId) ||
      removeWhere(this.timers, ({ id }) => id === scheduleId) ||
      removeWhere(this.children, ({ id }) => id === scheduleId) ||
      true
    );
  }
}

export const emptyDraft = (firstEventId: number): TurnDraft => new TurnDraft(firstEventId);

function removeWhere<T>(list: T[], matches: (item: T) => boolean): boolean {
  const index = list.findIndex(matches);
  if (index < 0) return false;
  list.splice(index, 1);
  return true;
}
