import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InvalidOptionError, NonRetryableError, RetryAfterError } from '../../lib/core/errors.js';
import { dataOf, errorOf, failureOf, type Failure } from '../../lib/core/failure.js';

const cyclic = new Error('outer', { cause: new Error('inner') });
(cyclic.cause as Error).cause = cyclic;

function revokedProxy(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error('get');
    },
    has: () => {
      throw new Error('has');
    },
    ownKeys: () => {
      throw new Error('ownKeys');
    },
    getPrototypeOf: () => {
      throw new Error('getPrototypeOf');
    },
    getOwnPropertyDescriptor: () => {
      throw new Error('getOwnPropertyDescriptor');
    },
  },
);

const withGetter = (key: string): Error =>
  Object.defineProperty(new Error('m'), key, {
    enumerable: true,
    get: () => {
      throw new Error('getter');
    },
  });

const deep = (): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < 50_000; level++) value = [value];
  return value;
};

const THROWN: [string, unknown][] = [
  ['a string', 'text'],
  ['an empty string', ''],
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['NaN', NaN],
  ['a BigInt', 5n],
  ['a boolean', false],
  ['a symbol', Symbol('x')],
  ['a function', () => 1],
  ['a plain object', { reason: 'x' }],
  ['an object without prototype', Object.create(null)],
  ['an array', [1, 2]],
  ['a Map', new Map([[1, 2]])],
  ['a promise', Promise.resolve()],
  ['a frozen object', Object.freeze({ message: 'frozen' })],
  ['a frozen error', Object.freeze(new Error('frozen'))],
  ['a cyclic cause', cyclic],
  [
    'a cyclic object',
    (() => {
      const object: Record<string, unknown> = {};
      object['self'] = object;
      return object;
    })(),
  ],
  ['a getter of name that throws', withGetter('name')],
  ['a getter of message that throws', withGetter('message')],
  ['a getter of stack that throws', withGetter('stack')],
  ['a getter of code that throws', withGetter('code')],
  ['a getter of cause that throws', withGetter('cause')],
  ['a getter of errors that throws', withGetter('errors')],
  ['a getter of a field that throws', withGetter('field')],
  ['a proxy that throws', hostile],
  ['a revoked proxy', revokedProxy({})],
  ['a revoked proxy of a function', revokedProxy(() => 1)],
  ['a revoked proxy as cause', new Error('m', { cause: revokedProxy({}) })],
  ['a revoked proxy as errors', Object.assign(new Error('m'), { errors: revokedProxy([]) })],
  [
    'errors with a getter that throws',
    Object.assign(new Error('m'), {
      errors: Object.defineProperty([1], 0, {
        get: () => {
          throw new Error('x');
        },
      }),
    }),
  ],
  ['a name that is a symbol', Object.assign(new Error('m'), { name: Symbol('n') })],
  [
    'a message that is an object',
    Object.assign(new Error(), {
      message: {
        toString: () => {
          throw new Error('x');
        },
      },
    }),
  ],
  ['a message that is no text', { message: 5, name: 7, stack: {}, cause: 1 }],
  ['a huge message', new Error('x'.repeat(1_000_000))],
  ['a huge string', 'x'.repeat(1_000_000)],
  ['a huge field', Object.assign(new Error('m'), { body: 'x'.repeat(1_000_000) })],
  ['a deep field', Object.assign(new Error('m'), { deep: deep() })],
  ['a deep value', deep()],
  ['an AggregateError', new AggregateError([new Error('a'), 'b', undefined], 'all')],
  ['lone surrogates', new Error('\ud800\u0000')],
  ['a key __proto__', JSON.parse('{"__proto__":{"polluted":1}}')],
  [
    'an error with a key __proto__',
    Object.defineProperty(new Error('m'), '__proto__', { value: { polluted: 1 }, enumerable: true }),
  ],
];

describe('anything thrown', () => {
  it.each(THROWN)('is recorded as plain JSON of bounded size and revived: %s', (_, thrown) => {
    const failure = failureOf(thrown);
    const json = JSON.stringify(failure);
    expect(JSON.parse(json)).toEqual(failure);
    expect(json.length).toBeLessThan(1_000_000);
    expect(failure).toMatchObject({ name: expect.any(String), message: expect.any(String), retryable: true });

    const error = errorOf(failure);
    expect(error).toBeInstanceOf(Error);
    expect(Object.getPrototypeOf(error)).toBe(Error.prototype);
    expect(error.name).toBe(failure.name);
    expect(error.message).toBe(failure.message);
    expect('polluted' in error || 'polluted' in {}).toBe(false);
  });

  it('is recorded, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withNullPrototype: true,
          withSparseArray: true,
        }),
        (any) => {
          for (const thrown of [
            any,
            Object.assign(new Error('m'), { any }),
            new Error('m', { cause: any }),
            new AggregateError([any]),
          ]) {
            const failure = failureOf(thrown);
            expect(JSON.parse(JSON.stringify(failure))).toEqual(failure);
            expect(errorOf(failure)).toBeInstanceOf(Error);
          }
        },
      ),
    );
  });
});

describe('a thrown value that is no error', () => {
  it.each<[unknown, string]>([
    ['text', 'a thrown string: text'],
    [undefined, 'a thrown undefined: undefined'],
    [null, 'a thrown null: null'],
    [5, 'a thrown number: 5'],
    [5n, 'a thrown bigint: 5'],
    [{ reason: 'x' }, 'a thrown object: {"reason":"x"}'],
    [[1, undefined], 'a thrown object: [1,null]'],
  ])('is recorded with itself as data: %p', (thrown, message) => {
    const failure = failureOf(thrown);
    expect(failure).toEqual({ name: 'NonError', message, retryable: true, data: expect.any(String) });
    expect(dataOf(failure)).toStrictEqual(thrown);
  });

  it('is named where it cannot be carried', () => {
    expect(dataOf(failureOf(Symbol('x')))).toBe('(not carried: Symbol(x))');
    expect(dataOf(failureOf(hostile))).toBe('(not carried: a object that cannot be shown)');
  });

  it('counts as an error when it has a message', () => {
    expect(failureOf({ name: 'HttpError', message: 'no', code: 404, url: '/a' })).toEqual({
      name: 'HttpError',
      message: 'no',
      code: '404',
      retryable: true,
      data: '{"code":404,"url":"/a"}',
    });
  });

  it('leaves name, message and stack of the revived error alone', () => {
    const error = errorOf(failureOf({ message: 5, name: 7, stack: {}, reason: 'x' }));
    expect(error).toMatchObject({
      name: 'NonError',
      message: expect.stringContaining('a thrown object'),
      stack: expect.any(String),
      reason: 'x',
    });
  });
});

describe('a recorded error', () => {
  it('has name, message, code, stack and own fields', () => {
    const error = Object.assign(new TypeError('bad'), { code: 'E_BAD', at: new Date(5), list: [1n] });
    const failure = failureOf(error);
    expect(failure).toMatchObject({
      name: 'TypeError',
      message: 'bad',
      code: 'E_BAD',
      stack: error.stack,
      retryable: true,
    });
    expect(dataOf(failure)).toStrictEqual({ at: new Date(5), list: [1n] });
  });

  it('has no stack when none is wanted', () => {
    const failure = failureOf(new AggregateError([new Error('a')], 'm', { cause: new Error('c') }), { stack: false });
    expect(JSON.stringify(failure)).not.toContain('stack');
  });

  it('has no data, cause and errors when there are none', () => {
    expect(failureOf(new Error('m'), { stack: false })).toEqual({ name: 'Error', message: 'm', retryable: true });
    expect(failureOf(new AggregateError([], 'm'), { stack: false })).toEqual({
      name: 'AggregateError',
      message: 'm',
      retryable: true,
    });
  });

  it('has its causes', () => {
    const failure = failureOf(new Error('a', { cause: new TypeError('b', { cause: 'c' }) }), { stack: false });
    expect(failure.cause).toMatchObject({ name: 'TypeError', message: 'b', cause: { name: 'NonError', data: '"c"' } });
  });

  it('is cut where its causes come back to it', () => {
    expect(failureOf(cyclic, { stack: false })).toEqual({
      name: 'Error',
      message: 'outer',
      retryable: true,
      cause: {
        name: 'Error',
        message: 'inner',
        retryable: true,
        cause: { name: 'Cut', message: expect.stringContaining('cycle'), retryable: true },
      },
    });
  });

  it('is cut after 8 causes', () => {
    let error = new Error('0');
    for (let level = 1; level < 100_000; level++) error = new Error(String(level), { cause: error });
    let names = '';
    for (let at: Failure | undefined = failureOf(error); at !== undefined; at = at.cause) names += `${at.name} `;
    expect(names).toBe(`${'Error '.repeat(9)}Cut `);
  });

  it('has the errors of an AggregateError, 32 at most', () => {
    const failure = failureOf(
      new AggregateError(
        Array.from({ length: 100 }, (_, index) => new Error(`e${index}`)),
        'all',
      ),
    );
    expect(failure).toMatchObject({ name: 'AggregateError', message: 'all' });
    expect(failure.errors?.map(({ message }) => message)).toEqual(
      Array.from({ length: 32 }, (_, index) => `e${index}`),
    );
  });

  it('names own fields that cannot be carried and keeps the rest', () => {
    const error = Object.assign(new Error('m'), {
      request: { send: () => 1 },
      socket: Symbol('s'),
      huge: 'x'.repeat(300_000),
      status: 1,
      kept: 1,
    });
    const data = dataOf(failureOf(error));
    expect(data).toEqual({ status: 1, kept: 1, '(not carried)': ['request', 'socket', 'huge'] });
  });

  it.each<[string, object]>([
    ['the status of an HTTP error', { status: 404, statusCode: 404, expose: true }],
    ['a numeric code', { code: 5 }],
    ['a code that is an object', { code: { a: 1 } }],
    ['`errors` that are no list', { errors: { email: 'missing' } }],
    ['`failure` and `retryable` of another meaning', { failure: 'pump', retryable: 'later' }],
  ])('keeps %s, also when it is revived', (_, fields) => {
    const failure = failureOf(Object.assign(new Error('m'), fields));
    expect(dataOf(failure)).toEqual(fields);
    expect(errorOf(failure)).toMatchObject(fields);
    expect(failureOf(errorOf(failure))).toEqual(failure);
  });

  it('of this package leaves out what its class and cause tell', () => {
    expect(dataOf(failureOf(new InvalidOptionError('a', 1, 'b')))).toEqual({
      details: { option: 'a', value: 1, accepted: 'b' },
    });
  });

  it('keeps the own fields there is room for', () => {
    const fields = Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`k${index}`, 'x'.repeat(100_000)]));
    const data = dataOf(failureOf(Object.assign(new Error('m'), fields))) as Record<string, unknown>;
    expect(Object.keys(data)).toEqual(['k0', 'k1', '(not carried)']);
    expect(data['(not carried)']).toEqual(['k2', 'k3', 'k4']);
  });

  it('stays below 2 Mi characters, whatever is nested in it', () => {
    const tree = (levels: number): Error =>
      levels === 0
        ? Object.assign(new Error('x'.repeat(60_000)), { body: 'y'.repeat(200_000) })
        : new AggregateError(
            Array.from({ length: 8 }, () => tree(levels - 1)),
            'm'.repeat(60_000),
          );
    const failure = failureOf(tree(3));
    expect(JSON.stringify(failure).length).toBeLessThan(2 * 1024 * 1024);
    expect(failure.errors?.at(-1)).toMatchObject({ name: 'Cut', message: expect.stringContaining('has reached') });
  });

  it('comes to an end where every read makes new errors', () => {
    class Hydra extends Error {
      get errors(): Error[] {
        return Array.from({ length: 32 }, () => new Hydra('m'));
      }
    }
    expect(JSON.stringify(failureOf(new Hydra('m'), { stack: false })).length).toBeLessThan(2 * 1024 * 1024);
  });

  it('names a field __proto__ instead of following it', () => {
    const error = Object.defineProperty(new Error('m'), '__proto__', { value: { polluted: 1 }, enumerable: true });
    expect(dataOf(failureOf(error))).toEqual({ '(not carried)': ['__proto__'] });
  });

  it('has a message of at most 64 Ki characters and says how long it was', () => {
    const { message } = failureOf(new Error('x'.repeat(1_000_000)));
    expect(message.length).toBeLessThan(66_000);
    expect(message).toMatch(/^x+ \(cut: 1000000 characters\)$/);
  });

  it('keeps what its own getters still tell', () => {
    expect(failureOf(withGetter('message'), { stack: false })).toMatchObject({ name: 'Error', message: '' });
    expect(dataOf(failureOf(withGetter('field')))).toEqual({ field: undefined });
  });
});

describe('retries of a failure', () => {
  it.each<[string, unknown, boolean]>([
    ['any error', new Error('m'), true],
    ['a string', 'm', true],
    ['NonRetryableError', new NonRetryableError('m'), false],
    ['NonRetryableError of another copy of the package', { message: 'm', code: 'ERR_DURABLE_NON_RETRYABLE' }, false],
    ['RetryAfterError', new RetryAfterError('m', '5s'), true],
    ['an error with retryable: false', Object.assign(new Error('m'), { retryable: false }), false],
    ['an error with retryable: undefined', Object.assign(new Error('m'), { retryable: undefined }), true],
    ['an error of this package that repeating does not help', new InvalidOptionError('a', 1, 'b'), false],
  ])('after %s: %p', (_, thrown, retryable) => {
    expect(failureOf(thrown).retryable).toBe(retryable);
  });

  it.each<[string | number, number | undefined]>([
    [0, 0],
    [1_500, 1_500],
    ['30s', 30_000],
    ['soon', undefined],
    [-1, undefined],
    [NaN, undefined],
  ])('after RetryAfterError with the delay %p wait %p ms', (delay, ms) => {
    expect(failureOf(new RetryAfterError('busy', delay)).retryAfterMs).toBe(ms);
  });

  it('are still off when the revived error is thrown again', () => {
    expect(failureOf(errorOf(failureOf(new NonRetryableError('m')))).retryable).toBe(false);
    expect(failureOf(errorOf(failureOf(new RetryAfterError('m', '5s')))).retryAfterMs).toBe(5_000);
  });

  it('keep the cause of NonRetryableError and RetryAfterError', () => {
    expect(failureOf(new NonRetryableError('m', { cause: new Error('c') })).cause?.message).toBe('c');
    expect(failureOf(new RetryAfterError('m', 1, { cause: new Error('c') })).cause?.message).toBe('c');
  });
});

describe('errorOf', () => {
  it('revives name, message, code, stack, cause, errors and own fields', () => {
    const thrown = Object.assign(new AggregateError([new RangeError('a'), 'b'], 'all', { cause: new TypeError('c') }), {
      code: 'E_ALL',
      at: new Date(5),
    });
    const error = errorOf(failureOf(thrown)) as AggregateError & { code: string };
    expect(error).toMatchObject({
      name: 'AggregateError',
      message: 'all',
      code: 'E_ALL',
      at: new Date(5),
      stack: thrown.stack,
    });
    expect(error.cause).toMatchObject({ name: 'TypeError', message: 'c' });
    expect(error.errors).toMatchObject([{ name: 'RangeError', message: 'a' }, { name: 'NonError' }]);
    expect(Object.keys(error).sort()).toEqual(['at', 'code']);
  });

  it('has no cause, code and errors where there were none', () => {
    const error = errorOf({ name: 'Error', message: 'm', retryable: true });
    expect(Object.getOwnPropertyNames(error).sort()).toEqual(['message', 'name', 'stack']);
  });

  it('records to the same failure again', () => {
    const thrown = Object.assign(new RangeError('m', { cause: new Error('c') }), { code: 'E', a: 1n });
    const failure = failureOf(thrown);
    expect(failureOf(errorOf(failure))).toEqual(failure);
  });

  it('does without data that another codec wrote', () => {
    const failure: Failure = { name: 'Error', message: 'm', retryable: true, data: '\u0001damaged' };
    expect(dataOf(failure)).toBeUndefined();
    expect(errorOf(failure)).toMatchObject({ name: 'Error', message: 'm' });
  });
});
