import { DurableFutureCancelledError } from '../core/errors.js';
import type { ParentClosePolicy } from '../core/history-event.js';
import type { Execution } from './execution.js';
import type { ScheduledActivity } from './turn-draft.js';

/**
 * A native promise of a durable result, with `cancel`. Never a subclass: awaiting a subclass takes more microtask ticks,
 * and the order of ticks is part of what a replay must repeat.
 *
 * It is eager (the work is scheduled when the future is made) and its rejection is never "unhandled".
 */
export type DurableFuture<T> = Promise<T> & {
  /**
   * Gives the result up: the activity is removed or aborted, the timer deleted, the wait freed, the child cancelled. The
   * future rejects with `DurableFutureCancelledError`. Does nothing to a settled future.
   */
  cancel(reason?: string): void;
};

export type FutureKind = 'activity' | 'timer' | 'wait' | 'dequeue' | 'child' | 'detached-start';

/** The engine's side of a future: open while it is in its execution's `open` map. */
export interface FutureRecord {
  /** The id of the schedule event. */
  readonly id: number;
  readonly kind: FutureKind;
  /** Activity, event, queue or orchestration name: for messages and for matching buffered messages. */
  readonly name: string;
  readonly execution: Execution;
  /** Scheduled inside `shield`: the delivery of a cancellation does not reject it. */
  readonly shielded: boolean;
  /** Of a child: whom to tell when the future is cancelled or the parent ends. */
  readonly child?: { readonly instanceId: string; readonly onParentClose: ParentClosePolicy };
  /** Of an activity: what a row of it says. */
  readonly activity?: ScheduledActivity;
  readonly promise: DurableFuture<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
  /** Order of settlement in the execution; undefined while open. */
  settledOrder?: number;
  /** Where the future was cancelled, for the message of a second use. */
  cancelledBy?: string;
}

const RECORD = Symbol.for('nest-durable:future');

type Marked = { [RECORD]?: FutureRecord };

const ignore = (): void => undefined;

function cancelFuture(this: DurableFuture<unknown>, reason?: string): void {
  const record = recordOf(this);
  record?.execution.cancelFuture(record, reason);
}

/** The record behind a durable future; undefined for every other value. */
export function recordOf(value: unknown): FutureRecord | undefined {
  return typeof value === 'object' && value !== null ? (value as Marked)[RECORD] : undefined;
}

export function createFuture(
  execution: Execution,
  id: number,
  kind: FutureKind,
  name: string,
  shielded: boolean,
  { child, activity }: Pick<FutureRecord, 'child' | 'activity'>,
): FutureRecord {
  let resolve!: (value: unknown) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  }) as DurableFuture<unknown>;
  promise.cancel = cancelFuture;
  const record: FutureRecord = { id, kind, name, execution, shielded, child, activity, promise, resolve, reject };
  (promise as Marked)[RECORD] = record;
  return record;
}

/** Rejects a future nobody may be awaiting yet: the handler goes on first, so that it never counts as unhandled. */
export function rejectHandled(record: FutureRecord, error: unknown): void {
  record.promise.catch(ignore);
  record.reject(error);
}

/** A future that never settles: what code gets that runs where it must not. */
export function never<T>(): DurableFuture<T> {
  const promise = new Promise(ignore) as DurableFuture<T>;
  promise.cancel = ignore;
  return promise;
}

/** A future that was refused at once. */
export function rejected<T>(error: unknown): DurableFuture<T> {
  const promise = Promise.reject(error) as DurableFuture<T>;
  promise.cancel = ignore;
  promise.catch(ignore);
  return promise;
}

export const cancelledError = (record: FutureRecord, reason: string | undefined): DurableFutureCancelledError =>
  new DurableFutureCancelledError(`${record.kind} ${JSON.stringify(record.name)} (event ${record.id})`, reason);
