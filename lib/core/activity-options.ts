import type { Duration } from './duration.js';
import { parseDuration } from './duration.js';
import { checkName } from './identifiers.js';
import { InvalidOptionError } from './errors.js';
import { resolveRetryPolicy, type ResolvedRetryPolicy, type RetryPolicy } from './retry-policy.js';

/** How an activity is tried: on the decorator, on the call, or both (the call wins, key by key). */
export interface ActivityOptions {
  /** Tried again by the engine without growing the history. Default: one attempt. */
  readonly retry?: RetryPolicy;
  /** Longest time one attempt may take; then it fails with `ActivityTimeoutError` and is retried like any failure. Default: none. */
  readonly startToCloseTimeout?: Duration;
  /** Longest time from schedule to result over all attempts; no new attempt starts after it. Default: none. */
  readonly scheduleToCloseTimeout?: Duration;
  /** Only nodes that serve this tag run the activity. Default: every node. */
  readonly tag?: string;
}

/** `ActivityOptions` parsed once; its JSON travels in the activity's row. */
export interface ResolvedActivityOptions {
  readonly retry?: ResolvedRetryPolicy;
  readonly startToCloseMs?: number;
  readonly scheduleToCloseMs?: number;
  readonly tag?: string;
}

const KEYS = ['retry', 'startToCloseTimeout', 'scheduleToCloseTimeout', 'tag'];

/** @throws InvalidOptionError naming the option, its value and what is accepted. */
export function resolveActivityOptions(options: ActivityOptions | undefined, what: string): ResolvedActivityOptions {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null)
    throw new InvalidOptionError(what, options, "an object such as { startToCloseTimeout: '30s' }");
  for (const key of Object.keys(options)) {
    if (!KEYS.includes(key))
      throw new InvalidOptionError(
        `${what}.${key}`,
        options[key as keyof ActivityOptions],
        `one of ${KEYS.join(', ')}`,
      );
  }
  return {
    ...(options.retry !== undefined && { retry: resolveRetryPolicy(options.retry, `${what}.retry`) }),
    ...(options.startToCloseTimeout !== undefined && {
      startToCloseMs: parseDuration(options.startToCloseTimeout, `${what}.startToCloseTimeout`),
    }),
    ...(options.scheduleToCloseTimeout !== undefined && {
      scheduleToCloseMs: parseDuration(options.scheduleToCloseTimeout, `${what}.scheduleToCloseTimeout`),
    }),
    ...(options.tag !== undefined && { tag: checkName(options.tag, `${what}.tag`) }),
  };
}
