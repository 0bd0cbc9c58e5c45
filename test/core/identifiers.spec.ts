import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InvalidIdentifierError } from '../../lib/core/errors.js';
import { checkInstanceId, checkName, checkVersion, compareVersions } from '../../lib/core/identifiers.js';
import { thrownBy } from './thrown-by.js';

const CHECKS: [string, (value: unknown) => string][] = [
  ['an instance id', checkInstanceId],
  ['a name', (value) => checkName(value, 'event name')],
];

describe.each(CHECKS)('%s', (_, check) => {
  it.each([
    ['a'],
    ['order-4711'],
    ['a/b?c=d e'],
    ['\n'],
    ['Größe 日本 😀'],
    ['__proto__'],
    ['x'.repeat(256)],
    ['😀'.repeat(128)],
  ])('may be %p', (value) => {
    expect(check(value)).toBe(value);
  });

  it.each<[unknown, string]>([
    ['', 'must not be empty'],
    ['x'.repeat(257), 'must not be longer than 256 characters (it has 257)'],
    ['a\u0000b', 'must not contain U+0000'],
    ['\ud83d', 'lone surrogate'],
    ['a\ude00', 'lone surrogate'],
    [undefined, 'must be a string, not undefined'],
    [null, 'must be a string, not null'],
    [5, 'must be a string, not number'],
    [5n, 'must be a string, not bigint'],
    [true, 'must be a string, not boolean'],
    [Symbol('x'), 'must be a string, not symbol'],
    [() => 'x', 'must be a string, not function'],
    [['x'], 'must be a string, not object'],
    [new String('x'), 'must be a string, not object'],
  ])('may not be %p', (value, problem) => {
    const error = thrownBy(() => check(value));
    expect(error).toBeInstanceOf(InvalidIdentifierError);
    expect(error).toMatchObject({
      code: 'ERR_DURABLE_IDENTIFIER',
      status: 400,
      message: expect.stringContaining(problem),
    });
  });
});

describe('an identifier error', () => {
  it('names what was checked', () => {
    expect(() => checkInstanceId('')).toThrow('The instance id "" must not be empty.');
    expect(() => checkName('', 'queue name')).toThrow('The queue name "" must not be empty.');
  });
});

describe('checkVersion', () => {
  it.each([
    ['0.0.0'],
    ['1.0.0'],
    ['10.20.30'],
    ['2.1.0-beta.1'],
    ['1.0.0-alpha'],
    ['1.0.0-0'],
    ['1.0.0-0a'],
    ['1.0.0-x-y.7'],
  ])('takes %s', (version) => {
    expect(checkVersion(version)).toBe(version);
  });

  it.each<[unknown]>([
    [''],
    ['1'],
    ['1.0'],
    ['1.0.0.0'],
    ['v1.0.0'],
    ['01.0.0'],
    ['1.0.0-'],
    ['1.0.0-a..b'],
    ['1.0.0-01'],
    ['1.0.0-beta.00'],
    ['1.0.0 '],
    ['1.0.0\n'],
    ['-1.0.0'],
    ['1.x.0'],
    ['latest'],
    [`1.0.0-${'a'.repeat(251)}`],
    [1],
    [undefined],
    [null],
    [{ major: 1 }],
  ])('refuses %p', (version) => {
    expect(() => checkVersion(version)).toThrow(InvalidIdentifierError);
    expect(() => checkVersion(version)).toThrow("must be a semantic version such as '1.0.0' or '2.1.0-beta.1'");
  });
});

describe('compareVersions', () => {
  const ASCENDING = [
    '0.0.1',
    '0.1.0',
    '1.0.0-0',
    '1.0.0-2',
    '1.0.0-11',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.0.1',
    '1.2.0',
    '1.10.0',
    '2.0.0',
    '10.0.0',
    '9007199254740992.0.0',
    '9007199254740993.0.0',
  ];

  it.each(ASCENDING.slice(1).map((later, index): [string, string] => [ASCENDING[index]!, later]))(
    'puts %s before %s',
    (earlier, later) => {
      expect(compareVersions(earlier, later)).toBeLessThan(0);
      expect(compareVersions(later, earlier)).toBeGreaterThan(0);
    },
  );

  const number = fc.oneof(fc.nat(20).map(String), fc.bigInt({ min: 0n, max: 10n ** 25n }).map(String));
  const identifier = fc.oneof(number, fc.stringMatching(/^[0-9]{0,2}[A-Za-z-][0-9A-Za-z-]{0,3}$/));
  const version = fc
    .tuple(number, number, number, fc.array(identifier, { maxLength: 3 }))
    .map(([major, minor, patch, pre]) => `${major}.${minor}.${patch}${pre.length === 0 ? '' : `-${pre.join('.')}`}`);

  it('calls versions equal exactly when their text is', () => {
    fc.assert(fc.property(version, version, (a, b) => (compareVersions(a, b) === 0) === (a === b)));
    fc.assert(fc.property(version, (a) => compareVersions(checkVersion(a), a) === 0));
  });

  it('is antisymmetric', () => {
    fc.assert(
      fc.property(
        version,
        version,
        (a, b) => Math.sign(compareVersions(a, b)) === 0 - Math.sign(compareVersions(b, a)),
      ),
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(version, version, version, (...versions) => {
        const [a, b, c] = versions.sort(compareVersions) as [string, string, string];
        return compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0 && compareVersions(a, c) <= 0;
      }),
    );
  });

  it('sorts any shuffle of the table back into order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(ASCENDING, { minLength: ASCENDING.length }), (shuffled) => {
        expect(shuffled.sort(compareVersions)).toEqual(ASCENDING);
      }),
    );
  });
});
