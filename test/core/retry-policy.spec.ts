import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InvalidOptionError } from '../../lib/core/errors.js';
import type { Failure } from '../../lib/core/failure.js';
import {
  nextRetryDelayMs,
  resolveRetryPolicy,
  type RetryPolicy,
  type RetryQuestion,
} from '../../lib/core/retry-policy.js';

const failure: Failure = { name: 'Error', message: 'm', retryable: true };

function delayOf(
  policy: RetryPolicy | undefined,
  question: Partial<Omit<RetryQuestion, 'policy'>> = {},
): number | null {
  return nextRetryDelayMs({
    policy:
      policy === undefined ? undefined : resolveRetryPolicy({ maxAttempts: 100_000, jitter: 0, ...policy }, 'retry'),
    attempt: 1,
    failure,
    chance: 0,
    elapsedMs: 0,
    scheduleToCloseMs: undefined,
    ...question,
  });
}

describe('resolveRetryPolicy', () => {
  it('fills in the defaults', () => {
    expect(resolveRetryPolicy({}, 'retry')).toEqual({
      maxAttempts: 1,
      backoff: 'exponential',
      initialMs: 1_000,
      maxMs: 300_000,
      coefficient: 2,
      jitter: 0.2,
      nonRetryableErrors: [],
    });
  });

  it('keeps what is given, as frozen plain JSON', () => {
    const given = {
      maxAttempts: 5,
      backoff: 'linear',
      initialInterval: '2s',
      maxInterval: '1m',
      coefficient: 1.5,
      jitter: 1,
      nonRetryableErrors: ['A'],
    };
    const policy = resolveRetryPolicy(given, 'retry');
    expect(policy).toEqual({
      maxAttempts: 5,
      backoff: 'linear',
      initialMs: 2_000,
      maxMs: 60_000,
      coefficient: 1.5,
      jitter: 1,
      nonRetryableErrors: ['A'],
    });
    expect(JSON.parse(JSON.stringify(policy))).toEqual(policy);
    expect(Object.isFrozen(policy)).toBe(true);
  });

  it('does not change with the list it was made from', () => {
    const nonRetryableErrors = ['A'];
    const policy = resolveRetryPolicy({ nonRetryableErrors }, 'retry');
    nonRetryableErrors.push('B');
    expect(policy.nonRetryableErrors).toEqual(['A']);
    expect(Object.isFrozen(policy.nonRetryableErrors)).toBe(true);
  });

  it('takes undefined for not given', () => {
    expect(
      resolveRetryPolicy({ maxAttempts: undefined, jitter: undefined, initialInterval: undefined }, 'retry'),
    ).toEqual(resolveRetryPolicy({}, 'retry'));
  });

  it.each<[string, unknown]>([
    ['maxAttempts', 0],
    ['maxAttempts', -1],
    ['maxAttempts', 1.5],
    ['maxAttempts', Infinity],
    ['maxAttempts', NaN],
    ['maxAttempts', '5'],
    ['maxAttempts', null],
    ['backoff', 'quadratic'],
    ['backoff', null],
    ['backoff', 'Exponential'],
    ['initialInterval', '5 s'],
    ['initialInterval', -1],
    ['initialInterval', null],
    ['maxInterval', null],
    ['maxInterval', 'forever'],
    ['maxInterval', Infinity],
    ['coefficient', 0.5],
    ['coefficient', NaN],
    ['coefficient', Infinity],
    ['coefficient', '2'],
    ['jitter', -0.1],
    ['jitter', 1.1],
    ['jitter', NaN],
    ['jitter', '0.5'],
    ['jitter', null],
    ['jitter', true],
    ['nonRetryableErrors', 'TypeError'],
    ['nonRetryableErrors', [TypeError]],
    ['nonRetryableErrors', null],
  ])('refuses %s: %p and names it', (key, value) => {
    const resolve = (): unknown => resolveRetryPolicy({ [key]: value }, 'charge.retry');
    expect(resolve).toThrow(InvalidOptionError);
    expect(resolve).toThrow(new RegExp(`^charge\\.retry\\.${key} is .+: use `));
  });

  it.each([
    ['maxAttemps', 'maxAttempts'],
    ['attempts', 'maxAttempts'],
    ['maxattempts', 'maxAttempts'],
    ['backOff', 'backoff'],
    ['initialInterva', 'initialInterval'],
    ['maxIntervall', 'maxInterval'],
    ['coeficient', 'coefficient'],
    ['jiter', 'jitter'],
    ['nonRetryable', 'nonRetryableErrors'],
  ])('refuses the unknown key %s and names the nearest, %s', (key, nearest) => {
    expect(() => resolveRetryPolicy({ [key]: 3 }, 'retry')).toThrow(
      `retry.${key} is 3: use a known option: did you mean ${nearest}?.`,
    );
  });

  it.each<[unknown]>([[undefined], [null], [5], ['exponential'], [true], [[]], [() => ({})]])(
    'refuses %p as policy',
    (input) => {
      expect(() => resolveRetryPolicy(input, 'retry')).toThrow(
        /^retry is .+: use an object such as \{ maxAttempts: 5 \}\.$/,
      );
    },
  );
});

describe('the pause before the next attempt', () => {
  it.each<[RetryPolicy, number[]]>([
    [{ backoff: 'none', initialInterval: '10s' }, [0, 0, 0, 0]],
    [{ backoff: 'fixed', initialInterval: 100 }, [100, 100, 100, 100]],
    [{ backoff: 'linear', initialInterval: 100 }, [100, 200, 300, 400]],
    [{ backoff: 'exponential', initialInterval: 100 }, [100, 200, 400, 800]],
    [{ backoff: 'exponential', initialInterval: 100, coefficient: 1.5 }, [100, 150, 225, 338]],
    [{ backoff: 'exponential', initialInterval: 100, coefficient: 1 }, [100, 100, 100, 100]],
    [{ backoff: 'exponential', initialInterval: 100, maxInterval: 300 }, [100, 200, 300, 300]],
    [{ backoff: 'linear', initialInterval: 100, maxInterval: 250 }, [100, 200, 250, 250]],
    [{ backoff: 'fixed', initialInterval: '1h', maxInterval: '1m' }, [60_000, 60_000, 60_000, 60_000]],
    [{ backoff: 'exponential', initialInterval: 0 }, [0, 0, 0, 0]],
    [{}, [1_000, 2_000, 4_000, 8_000]],
  ])('with %j is %j', (policy, expected) => {
    expect(expected.map((_, index) => delayOf(policy, { attempt: index + 1 }))).toEqual(expected);
  });

  it.each<[number, number]>([
    [0, 0],
    [1_000, 300_000],
  ])('never overflows: an initial interval of %d ms gives %d ms after 50 000 attempts', (initialInterval, expected) => {
    expect(delayOf({ initialInterval, coefficient: 10 }, { attempt: 50_000 })).toBe(expected);
  });

  it.each<[number, number, number]>([
    [0, 0, 1_000],
    [0, 0.999, 1_000],
    [0.2, 0, 1_000],
    [0.2, 0.5, 900],
    [0.2, 0.999999, 800],
    [1, 0.5, 500],
    [1, 0.999999, 0],
  ])('with jitter %d and chance %d is %d ms of 1000', (jitter, chance, expected) => {
    expect(delayOf({ jitter, backoff: 'fixed' }, { chance })).toBe(expected);
  });

  it('stays whole and between (1 - jitter) of the pause and the pause', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('none', 'fixed', 'linear', 'exponential') as fc.Arbitrary<
          'none' | 'fixed' | 'linear' | 'exponential'
        >,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.nat(1_000_000),
        fc.nat(1_000_000),
        fc.integer({ min: 1, max: 5_000 }),
        (backoff, jitter, chance, initialInterval, maxInterval, attempt) => {
          const policy: RetryPolicy = { backoff, initialInterval, maxInterval };
          const pause = delayOf(policy, { attempt })!;
          const delay = delayOf({ ...policy, jitter }, { attempt, chance })!;
          expect(pause).toBeLessThanOrEqual(maxInterval);
          expect(Number.isSafeInteger(delay)).toBe(true);
          expect(delay).toBeLessThanOrEqual(pause);
          expect(delay).toBeGreaterThanOrEqual(Math.floor(pause * (1 - jitter)) - 1);
        },
      ),
    );
  });

  it('is what RetryAfterError said, whatever the policy says', () => {
    expect(
      delayOf({ maxInterval: 10, jitter: 1 }, { chance: 0.5, failure: { ...failure, retryAfterMs: 60_000 } }),
    ).toBe(60_000);
    expect(delayOf({}, { failure: { ...failure, retryAfterMs: 0 } })).toBe(0);
  });
});

describe('giving up', () => {
  it.each<[number, number, boolean]>([
    [1, 1, true],
    [2, 1, false],
    [2, 2, true],
    [2, 3, true],
    [5, 4, false],
    [5, 5, true],
  ])('with maxAttempts %d after attempt %d: %p', (maxAttempts, attempt, givesUp) => {
    expect(delayOf({ maxAttempts }, { attempt }) === null).toBe(givesUp);
  });

  it('happens at once without a policy', () => {
    expect(delayOf(undefined)).toBeNull();
  });

  it.each<[string, Failure, boolean]>([
    ['a name in the list', { ...failure, name: 'CardDeclined' }, true],
    ['a code in the list', { ...failure, code: 'E_DECLINED' }, true],
    ['another name and code', { ...failure, name: 'Other', code: 'E_OTHER' }, false],
    ['a message in the list', { ...failure, message: 'CardDeclined' }, false],
    ['a cause in the list', { ...failure, cause: { ...failure, name: 'CardDeclined' } }, false],
    ['a failure that is not retryable', { ...failure, retryable: false }, true],
    ['a failure that is not retryable but has a delay', { ...failure, retryable: false, retryAfterMs: 1 }, true],
    ['a name in the list with a delay', { ...failure, name: 'CardDeclined', retryAfterMs: 1 }, true],
  ])('on %s: %p', (_, thrown, givesUp) => {
    const nonRetryableErrors = ['CardDeclined', 'E_DECLINED'];
    expect(delayOf({ nonRetryableErrors }, { failure: thrown }) === null).toBe(givesUp);
  });

  it.each<[number, number | undefined, number | undefined, boolean]>([
    [0, 1_001, undefined, false],
    [0, 1_000, undefined, true],
    [500, 1_501, undefined, false],
    [500, 1_500, undefined, true],
    [9_999, 1_000, undefined, true],
    [9_999, undefined, undefined, false],
    [0, 5_000, 4_999, false],
    [0, 5_000, 5_000, true],
    [0, 0, undefined, true],
  ])(
    '%d ms after the schedule, with scheduleToClose %p and retryAfter %p: %p',
    (elapsedMs, scheduleToCloseMs, retryAfterMs, givesUp) => {
      const thrown = retryAfterMs === undefined ? failure : { ...failure, retryAfterMs };
      expect(delayOf({}, { elapsedMs, scheduleToCloseMs, failure: thrown }) === null).toBe(givesUp);
    },
  );
});
