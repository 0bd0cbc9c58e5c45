import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import * as errors from '../../lib/core/errors.js';
import { DurableError, distance, isDurableError, shown } from '../../lib/core/errors.js';
import { failureOf, type Failure } from '../../lib/core/failure.js';

const failure: Failure = { name: 'CardError', message: 'declined', retryable: true };
const cause = new Error('cause');

/** Every error class: its code, verdict, HTTP status and what its message says. */
const ERRORS: [DurableError, string, boolean, number | undefined, string][] = [
  [
    new errors.InvalidOptionError('a.b', 'x', 'a number'),
    'ERR_DURABLE_OPTION',
    false,
    400,
    'a.b is "x": use a number.',
  ],
  [
    new errors.InvalidIdentifierError('name', 5, 'must be a string'),
    'ERR_DURABLE_IDENTIFIER',
    false,
    400,
    'The name 5 must be a string.',
  ],
  [
    new errors.PayloadError('a of b', 'is a function', 'leave it out', {}, cause),
    'ERR_DURABLE_PAYLOAD',
    false,
    400,
    'a of b is a function: leave it out.',
  ],
  [
    new errors.PayloadTooLargeError('The input', 11, 10),
    'ERR_DURABLE_PAYLOAD_TOO_LARGE',
    false,
    413,
    'The input takes 11 characters, the limit is 10',
  ],
  [
    new errors.InstanceNotFoundError('i"1'),
    'ERR_DURABLE_INSTANCE_NOT_FOUND',
    false,
    404,
    'There is no instance "i\\"1"',
  ],
  [new errors.InstanceAlreadyExistsError('i'), 'ERR_DURABLE_INSTANCE_EXISTS', false, 409, '"i" exists already'],
  [new errors.InstanceFinishedError('i'), 'ERR_DURABLE_INSTANCE_FINISHED', false, 409, '"i" has finished'],
  [
    new errors.UnknownOrchestrationError('a', undefined, []),
    'ERR_DURABLE_UNKNOWN_ORCHESTRATION',
    false,
    400,
    'No orchestration "a" is registered (none is)',
  ],
  [
    new errors.UnknownActivityError('a', 'a is no activity'),
    'ERR_DURABLE_UNKNOWN_ACTIVITY',
    false,
    undefined,
    'a is no activity.',
  ],
  [
    new errors.OrchestrationFailedError('i', failure, cause),
    'ERR_DURABLE_ORCHESTRATION_FAILED',
    false,
    undefined,
    '"i" failed with CardError: declined',
  ],
  [
    new errors.OrchestrationCancelledError('i', 'why'),
    'ERR_DURABLE_CANCELLED',
    false,
    undefined,
    '"i" was cancelled: why',
  ],
  [
    new errors.OrchestrationTerminatedError('i', 'why'),
    'ERR_DURABLE_TERMINATED',
    false,
    undefined,
    '"i" was terminated: why',
  ],
  [new errors.WaitTimeoutError('i', 'result', 5), 'ERR_DURABLE_WAIT_TIMEOUT', true, 504, 'did not come within 5 ms'],
  [
    new errors.RuntimeStoppedError('start'),
    'ERR_DURABLE_RUNTIME_STOPPED',
    true,
    503,
    'start: the runtime of this process is not running',
  ],
  [
    new errors.ActivityError('charge', 1, failure),
    'ERR_DURABLE_ACTIVITY_FAILED',
    false,
    undefined,
    'The activity charge failed with CardError: declined',
  ],
  [
    new errors.ActivityError('charge', 3, failure),
    'ERR_DURABLE_ACTIVITY_FAILED',
    false,
    undefined,
    'charge failed after 3 attempts with',
  ],
  [
    new errors.ActivityTimeoutError('charge', 'startToCloseTimeout', 5),
    'ERR_DURABLE_ACTIVITY_TIMEOUT',
    true,
    undefined,
    'its startToCloseTimeout of 5 ms',
  ],
  [new errors.NonRetryableError('no'), 'ERR_DURABLE_NON_RETRYABLE', false, undefined, 'no'],
  [new errors.RetryAfterError('busy', '5s'), 'ERR_DURABLE_RETRY_AFTER', true, undefined, 'busy'],
  [
    new errors.SubOrchestrationError('o', 'i', 'failed', failure),
    'ERR_DURABLE_SUB_ORCHESTRATION_FAILED',
    false,
    undefined,
    'o ("i") failed: declined',
  ],
  [
    new errors.DurableFutureCancelledError('timer', undefined),
    'ERR_DURABLE_FUTURE_CANCELLED',
    false,
    undefined,
    'The timer was cancelled.',
  ],
  [
    new errors.DurableFutureCancelledError('timer', 'why'),
    'ERR_DURABLE_FUTURE_CANCELLED',
    false,
    undefined,
    'The timer was cancelled: why.',
  ],
  [
    new errors.NondeterminismError({
      instanceId: 'i',
      orchestrationName: 'o',
      orchestrationVersion: '1.0.0',
      eventId: 4,
      recorded: 'x',
      asked: 'y',
    }),
    'ERR_DURABLE_NONDETERMINISM',
    false,
    undefined,
    'o@1.0.0 of instance "i" does not fit its history at event 4: history holds x, the code asked for y.',
  ],
  [new errors.ForeignAwaitError('i', 'o', 'fetch'), 'ERR_DURABLE_FOREIGN_AWAIT', false, undefined, 'at fetch.'],
  [
    new errors.LimitExceededError('maxHistory', 11, 10, 'i'),
    'ERR_DURABLE_LIMIT',
    false,
    undefined,
    'maxHistory is 11, the limit 10.',
  ],
  [
    new errors.HandlerMissingError('activity', 'a', 'i'),
    'ERR_DURABLE_HANDLER_MISSING',
    false,
    undefined,
    'needs the activity "a"',
  ],
  [
    new errors.HandlerMissingError('orchestration', 'o', 'i'),
    'ERR_DURABLE_HANDLER_MISSING',
    false,
    undefined,
    'needs the orchestration "o"',
  ],
  [
    new errors.HistoryCorruptError('i', 'event 3 is missing'),
    'ERR_DURABLE_HISTORY_CORRUPT',
    false,
    undefined,
    'event 3 is missing',
  ],
  [new errors.PoisonedError('The activity a', 3), 'ERR_DURABLE_POISONED', false, undefined, 'running in 3 crashes'],
  [new errors.StorageError('m', { retryable: true }), 'ERR_DURABLE_STORAGE', true, undefined, 'm'],
  [new errors.NodeDeclaredDeadError('n'), 'ERR_DURABLE_NODE_DEAD', false, undefined, 'The node "n" was declared dead'],
  [
    new errors.NotADatabaseError('a.db'),
    'ERR_DURABLE_NOT_A_DATABASE',
    false,
    undefined,
    '"a.db" is not a SQLite database',
  ],
  [new errors.ReadOnlyDatabaseError('a.db'), 'ERR_DURABLE_READ_ONLY', true, undefined, '"a.db" is read-only'],
  [
    new errors.SchemaVersionError('a.db', 3, 2),
    'ERR_DURABLE_SCHEMA_NEWER',
    false,
    undefined,
    'has schema version 3, this version of nest-durable knows up to 2',
  ],
  [new errors.DatabaseFullError('a.db', cause), 'ERR_DURABLE_DATABASE_FULL', true, undefined, '"a.db" is full'],
  [
    new errors.RegistrationError('OrderFlow', 'has no run method', 'add one'),
    'ERR_DURABLE_REGISTRATION',
    false,
    undefined,
    'OrderFlow has no run method: add one.',
  ],
];

const CLASSES = new Map<string, unknown>(Object.entries(errors));

describe.each(ERRORS.map((row) => [row[0].name, ...row] as const))(
  '%s',
  (name, error, code, retryable, status, message) => {
    it('has a code, a verdict, details and a message', () => {
      expect(error).toBeInstanceOf(Error);
      expect(error).toBeInstanceOf(DurableError);
      expect(error).toBeInstanceOf(CLASSES.get(name));
      expect(isDurableError(error)).toBe(true);
      expect(error).toMatchObject({ code, retryable, details: expect.any(Object) });
      expect(error.message).toContain(message);
      expect(String(error)).toBe(`${name}: ${error.message}`);
    });

    it('has the shape Nest answers with exactly when it has a status', () => {
      expect([error.status, error.statusCode, error.expose]).toEqual(
        status === undefined ? [undefined, undefined, undefined] : [status, status, true],
      );
      expect('status' in error).toBe(status !== undefined);
    });

    it('has an own cause only if there is one', () => {
      expect(Object.hasOwn(error, 'cause')).toBe(error.cause !== undefined);
    });

    it('is recorded as a failure with its code and verdict', () => {
      expect(failureOf(error)).toMatchObject({ name, code, retryable, message: error.message });
    });
  },
);

describe('the table above', () => {
  it('has every exported error class', () => {
    const classes = Object.keys(errors).filter(
      (name) => name.endsWith('Error') && !['DurableError', 'isDurableError'].includes(name),
    );
    expect([...new Set(ERRORS.map(([error]) => error.name))].sort()).toEqual(classes.sort());
  });
});

describe('isDurableError', () => {
  it.each<[unknown]>([
    [new Error('m')],
    [{ code: 'ERR_DURABLE_OPTION' }],
    [null],
    [undefined],
    ['ERR_DURABLE_OPTION'],
    [5],
    [() => 1],
  ])('is false for %p', (value) => {
    expect(isDurableError(value)).toBe(false);
  });

  it('is false for a proxy that throws', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(isDurableError(proxy)).toBe(false);
  });

  it('is true for errors of another copy of the package', () => {
    expect(isDurableError(Object.assign(new Error('m'), { [Symbol.for('nest-durable:error')]: true }))).toBe(true);
  });
});

describe('fields of the errors orchestrations catch', () => {
  it('tell what failed', () => {
    expect(new errors.ActivityError('charge', 3, failure, cause, { amount: 5 })).toMatchObject({
      activityName: 'charge',
      attempts: 3,
      failure,
      cause,
      data: { amount: 5 },
    });
    expect(new errors.SubOrchestrationError('o', 'i', 'failed', failure, cause)).toMatchObject({
      orchestrationName: 'o',
      instanceId: 'i',
      outcome: 'failed',
      failure,
      cause,
    });
    expect(new errors.OrchestrationFailedError('i', failure, cause)).toMatchObject({ instanceId: 'i', failure, cause });
    expect(new errors.RetryAfterError('m', '5s', { cause })).toMatchObject({ delay: '5s', cause });
  });

  it.each([
    ['failed', 'failed: declined'],
    ['cancelled', 'was cancelled: declined'],
    ['terminated', 'was terminated: declined'],
    ['already-exists', 'was not started: declined'],
  ] as const)('say how a sub-orchestration ended: %s', (outcome, message) => {
    expect(new errors.SubOrchestrationError('o', 'i', outcome, failure).message).toContain(message);
  });
});

describe('UnknownOrchestrationError', () => {
  it('names the version that was asked for', () => {
    expect(new errors.UnknownOrchestrationError('a', '2.0.0', ['b']).message).toContain(
      '"a@2.0.0" is registered (registered: b)',
    );
  });

  it('lists the five nearest names and counts the rest', () => {
    const registered = ['zzzzzzzz', 'yyyyyyyy', 'order', 'orderFlows', 'OrderFlow', 'ordrFlow', 'orderFlow2'];
    const { message } = new errors.UnknownOrchestrationError('orderFlow', undefined, registered);
    expect(message).toContain('(registered: OrderFlow, orderFlow2, orderFlows, ordrFlow, order, and 2 more)');
  });
});

describe('shown', () => {
  it.each<[unknown, string]>([
    ['a', '"a"'],
    ['a\nb', '"a\\nb"'],
    [5, '5'],
    [NaN, 'NaN'],
    [5n, '5n'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [Symbol('a\r\nb'), 'Symbol(a b)'],
    [{ a: [1] }, '{"a":[1]}'],
    [{ a: 1n }, 'a object'],
    [function named() {}, 'function named'],
    [
      (
        () => () =>
          1
      )(),
      'function (anonymous)',
    ],
    [{ toJSON: () => undefined }, '[object Object]'],
  ])('shows %p as %s', (value, text) => {
    expect(shown(value)).toBe(text);
  });

  it('does not throw for what throws', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(shown(proxy)).toBe('a object');
    expect(
      shown({
        toJSON: () => {
          throw new Error('x');
        },
      }),
    ).toBe('a object');
    expect(
      shown({
        toJSON: () => undefined,
        toString: () => {
          throw new Error('x');
        },
      }),
    ).toBe('a object');
  });

  it.each<[string, unknown]>([
    ['a string', 'x'.repeat(1_000)],
    ['a BigInt', 10n ** 1_000n],
    ['a symbol', Symbol('x'.repeat(1_000))],
    ['an object', { a: 'x'.repeat(1_000) }],
    ['a function', Object.defineProperty(() => 1, 'name', { value: 'x'.repeat(1_000) })],
  ])('cuts %s to 120 characters', (_, value) => {
    expect(shown(value)).toHaveLength(120);
    expect(shown(value)).toMatch(/\.\.\.$/);
  });

  it('is short and on one line for anything', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => {
        expect(shown(value)).toMatch(/^[^\r\n]{0,120}$/);
      }),
    );
  });
});

describe('distance', () => {
  it.each([
    ['', '', 0],
    ['a', '', 1],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['backOff', 'backoff', 1],
    ['same', 'same', 0],
  ])('of %p and %p is %d', (left, right, expected) => {
    expect(distance(left, right)).toBe(expected);
    expect(distance(right, left)).toBe(expected);
  });
});
