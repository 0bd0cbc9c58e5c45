declare const brand: unique symbol;

/**
 * What an attempt of an activity knows about itself. Ask for it with a last parameter `@ActivityCtx() activity?: ActivityContext`,
 * or with `ActivityContext.current()` before the method's first `await`.
 */
export interface ActivityContext {
  /** Makes the type nominal, so that the typed proxy can drop a trailing `ActivityContext` parameter and nothing else. */
  readonly [brand]?: never;
  readonly instanceId: string;
  readonly executionId: number;
  /** The id of the schedule in the execution's history. */
  readonly activityId: number;
  readonly activityName: string;
  /** From 1; grows when a failure or time-out was recorded. A crash of the process repeats the same number. */
  readonly attempt: number;
  /** The same for all attempts of this activity and for no other activity ever: hand it to the system you call. */
  readonly idempotencyKey: string;
  /** Aborted when the activity is cancelled, its instance ends, its attempt times out or the process drains. */
  readonly signal: AbortSignal;
}
