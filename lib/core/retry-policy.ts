import { parseDuration, type Duration } from './duration.js';
import { distance, InvalidOptionError } from './errors.js';
import type { Failure } from './failure.js';

export type Backoff = 'none' | 'fixed' | 'linear' | 'exponential';

/** When a failed attempt is made again. A crash of the process is not an attempt. */
export interface RetryPolicy {
  /** Attempts in all, the first included. Default 1: no retry. */
  readonly maxAttempts?: number;
  /** How the pause grows: `fixed` stays `initialInterval`, `linear` adds it, `exponential` multiplies by `coefficient`. Default `exponential`. */
  readonly backoff?: Backoff;
  /** The first pause. Default 1 s. */
  readonly initialInterval?: Duration;
  /** No pause is longer. Default 5 min. */
  readonly maxInterval?: Duration;
  /** Factor of the exponential. Default 2. */
  readonly coefficient?: number;
  /** Share of the pause that is random, 0 to 1, so that what failed together does not come back together. Default 0.2. */
  readonly jitter?: number;
  /** Names or codes of errors that are never retried. */
  readonly nonRetryableErrors?: readonly string[];
}

/** Plain JSON: it travels in the activity's row. */
export interface ResolvedRetryPolicy {
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly initialMs: number;
  readonly maxMs: number;
  readonly coefficient: number;
  readonly jitter: number;
  readonly nonRetryableErrors: readonly string[];
}

const KEYS = [
  'maxAttempts',
  'backoff',
  'initialInterval',
  'maxInterval',
  'coefficient',
  'jitter',
  'nonRetryableErrors',
];
const BACKOFFS: readonly unknown[] = ['none', 'fixed', 'linear', 'exponential'];

/** @throws InvalidOptionError naming `what`, the key and its value. */
export function resolveRetryPolicy(input: unknown, what: string): ResolvedRetryPolicy {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new InvalidOptionError(what, input, 'an object such as { maxAttempts: 5 }');
  const policy = input as RetryPolicy & Record<string, unknown>;
  for (const key of Object.keys(policy)) {
    if (!KEYS.includes(key))
      throw new InvalidOptionError(`${what}.${key}`, policy[key], `a known option: did you mean ${nearest(key)}?`);
  }
  const check = <T>(key: string, value: T, valid: boolean, accepted: string): T => {
    if (!valid) throw new InvalidOptionError(`${what}.${key}`, value, accepted);
    return value;
  };
  const { maxAttempts = 1, backoff = 'exponential', coefficient = 2, jitter = 0.2, nonRetryableErrors = [] } = policy;
  const { initialInterval = 1_000, maxInterval = 300_000 } = policy;
  check(
    'nonRetryableErrors',
    nonRetryableErrors,
    Array.isArray(nonRetryableErrors) && nonRetryableErrors.every((name) => typeof name === 'string'),
    'a list of error names or codes',
  );
  return Object.freeze({
    maxAttempts: check(
      'maxAttempts',
      maxAttempts,
      Number.isSafeInteger(maxAttempts) && maxAttempts >= 1,
      'a whole number of at least 1',
    ),
    backoff: check('backoff', backoff, BACKOFFS.includes(backoff), "'none', 'fixed', 'linear' or 'exponential'"),
    initialMs: parseDuration(initialInterval, `${what}.initialInterval`),
    maxMs: parseDuration(maxInterval, `${what}.maxInterval`),
    coefficient: check(
      'coefficient',
      coefficient,
      Number.isFinite(coefficient) && coefficient >= 1,
      'a number of at least 1',
    ),
    jitter: check('jitter', jitter, typeof jitter === 'number' && jitter >= 0 && jitter <= 1, 'a number from 0 to 1'),
    nonRetryableErrors: Object.freeze([...nonRetryableErrors]),
  });
}

const nearest = (key: string): string => [...KEYS].sort((a, b) => distance(a, key) - distance(b, key))[0]!;

export interface RetryQuestion {
  readonly policy: ResolvedRetryPolicy | undefined;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly failure: Failure;
  /** 0 <= chance < 1, for the jitter. */
  readonly chance: number;
  /** Since the activity was scheduled. */
  readonly elapsedMs: number;
  readonly scheduleToCloseMs: number | undefined;
}

/** Milliseconds until the next attempt, or null: give up. */
export function nextRetryDelayMs({
  policy,
  attempt,
  failure,
  chance,
  elapsedMs,
  scheduleToCloseMs,
}: RetryQuestion): number | null {
  if (policy === undefined || attempt >= policy.maxAttempts || !failure.retryable) return null;
  if (policy.nonRetryableErrors.includes(failure.name) || policy.nonRetryableErrors.includes(failure.code ?? ''))
    return null;
  const delay = failure.retryAfterMs ?? pauseMs(policy, attempt, chance);
  return scheduleToCloseMs !== undefined && elapsedMs + delay >= scheduleToCloseMs ? null : delay;
}

function pauseMs(policy: ResolvedRetryPolicy, attempt: number, chance: number): number {
  const pause = Math.min(policy.maxMs, grown(policy, attempt));
  return Math.round(pause * (1 - policy.jitter * chance));
}

function grown({ backoff, initialMs, coefficient }: ResolvedRetryPolicy, attempt: number): number {
  switch (backoff) {
    case 'none':
      return 0;
    case 'fixed':
      return initialMs;
    case 'linear':
      return initialMs * attempt;
    case 'exponential':
      return initialMs * Math.min(coefficient ** (attempt - 1), Number.MAX_VALUE); // 0 * Infinity is NaN
  }
}
