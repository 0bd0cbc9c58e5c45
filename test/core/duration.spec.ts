import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseDuration } from '../../lib/core/duration.js';
import { InvalidOptionError } from '../../lib/core/errors.js';
import { thrownBy } from './thrown-by.js';

const DAY = 86_400_000;

describe('parseDuration', () => {
  it.each<[unknown, number]>([
    [0, 0],
    [1, 1],
    [1.4, 1],
    [1.5, 2],
    [100 * 366 * DAY, 100 * 366 * DAY],
    ['0ms', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['30d', 30 * DAY],
    ['1w', 7 * DAY],
    ['1h30m', 5_400_000],
    ['1d2h3m4s5ms', DAY + 7_200_000 + 180_000 + 4_000 + 5],
    ['1m1ms', 60_001],
    ['1.5h', 5_400_000],
    ['0.5ms', 1],
    ['  10s ', 10_000],
    ['36600d', 36_600 * DAY],
  ])('reads %p as %d ms', (value, ms) => {
    expect(parseDuration(value, 'delay')).toBe(ms);
  });

  it('reads -0 as 0', () => {
    expect(Object.is(parseDuration(-0, 'delay'), 0)).toBe(true);
  });

  it.each<[unknown]>([
    [-1],
    [NaN],
    [Infinity],
    [-Infinity],
    [100 * 366 * DAY + 1],
    [''],
    [' '],
    ['5'],
    ['s'],
    ['-5s'],
    ['+5s'],
    ['.5s'],
    ['5.s'],
    ['1e3s'],
    ['5 s'],
    ['1h 30m'],
    ['5S'],
    ['5y'],
    ['5s!'],
    ['Infinity'],
    ['36601d'],
    ['9'.repeat(400) + 's'],
    [undefined],
    [null],
    [true],
    [10n],
    [{}],
    [[5]],
    [new Date(0)],
    [Symbol('5s')],
    [() => 5],
  ])('refuses %p', (value) => {
    const error = thrownBy(() => parseDuration(value, 'retry.initialInterval'));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({
      code: 'ERR_DURABLE_OPTION',
      status: 400,
      details: { option: 'retry.initialInterval' },
    });
  });

  it('names the option, its value and what is accepted', () => {
    expect(() => parseDuration('5 minutes', 'pollInterval')).toThrow(
      'pollInterval is "5 minutes": use milliseconds or text such as \'500ms\'',
    );
  });

  it('adds up the parts of any text', () => {
    const unit = fc.constantFrom(['ms', 1], ['s', 1_000], ['m', 60_000], ['h', 3_600_000], ['d', DAY]) as fc.Arbitrary<
      [string, number]
    >;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1_000), unit), { minLength: 1, maxLength: 6 }), (parts) => {
        const text = parts.map(([amount, [name]]) => `${amount}${name}`).join('');
        expect(parseDuration(text, 'delay')).toBe(parts.reduce((sum, [amount, [, ms]]) => sum + amount * ms, 0));
      }),
    );
  });
});
