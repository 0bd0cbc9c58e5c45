import { describe, expect, it } from '@jest/globals';
import { resolveActivityOptions, type ActivityOptions } from '../../lib/core/activity-options.js';
import { InvalidIdentifierError, InvalidOptionError } from '../../lib/core/errors.js';
import { resolveRetryPolicy } from '../../lib/core/retry-policy.js';

const resolve = (options: unknown): unknown => resolveActivityOptions(options as ActivityOptions, 'charge');

describe('resolveActivityOptions', () => {
  it.each<[unknown, unknown]>([
    [undefined, {}],
    [{}, {}],
    [{ retry: undefined, startToCloseTimeout: undefined, scheduleToCloseTimeout: undefined, tag: undefined }, {}],
    [{ startToCloseTimeout: '30s' }, { startToCloseMs: 30_000 }],
    [{ scheduleToCloseTimeout: 5 }, { scheduleToCloseMs: 5 }],
    [{ tag: 'gpu' }, { tag: 'gpu' }],
    [{ retry: { maxAttempts: 3 } }, { retry: resolveRetryPolicy({ maxAttempts: 3 }, 'retry') }],
    [
      { retry: {}, startToCloseTimeout: '1m', scheduleToCloseTimeout: '1h', tag: 'a' },
      { retry: resolveRetryPolicy({}, 'retry'), startToCloseMs: 60_000, scheduleToCloseMs: 3_600_000, tag: 'a' },
    ],
  ])('resolves %j', (options, resolved) => {
    expect(resolve(options)).toStrictEqual(resolved);
    expect(JSON.parse(JSON.stringify(resolve(options)))).toEqual(resolved);
  });

  it.each<[unknown, string]>([
    [{ retries: 3 }, 'charge.retries is 3: use one of retry, startToCloseTimeout, scheduleToCloseTimeout, tag.'],
    [{ timeout: undefined }, 'charge.timeout is undefined: use one of'],
    [{ startToCloseTimeout: 'soon' }, 'charge.startToCloseTimeout is "soon": use milliseconds'],
    [{ scheduleToCloseTimeout: -1 }, 'charge.scheduleToCloseTimeout is -1: use milliseconds'],
    [{ scheduleToCloseTimeout: null }, 'charge.scheduleToCloseTimeout is null: use milliseconds'],
    [{ retry: 3 }, 'charge.retry is 3: use an object'],
    [{ retry: null }, 'charge.retry is null: use an object'],
    [{ retry: { maxAttempts: 0 } }, 'charge.retry.maxAttempts is 0: use a whole number'],
    [{ retry: { maxAttemps: 2 } }, 'did you mean maxAttempts?'],
    [null, 'charge is null: use an object'],
    [5, 'charge is 5: use an object'],
    ['30s', 'charge is "30s": use an object'],
  ])('refuses %j and says why', (options, message) => {
    expect(() => resolve(options)).toThrow(InvalidOptionError);
    expect(() => resolve(options)).toThrow(message);
  });

  it.each<[unknown]>([[''], [5], [null], ['x'.repeat(257)], ['a\u0000']])('refuses the tag %p', (tag) => {
    expect(() => resolve({ tag })).toThrow(InvalidIdentifierError);
    expect(() => resolve({ tag })).toThrow(/^The charge\.tag /);
  });
});
