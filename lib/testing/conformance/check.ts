import { strict as assert } from 'node:assert';
import { types } from 'node:util';

/**
 * Deeply equal as data: an absent field equals an undefined one, and it does not matter in which realm an array was made
 * (Jest runs files in one of their own, native drivers answer in another).
 */
export function same(actual: unknown, expected: unknown, message?: string): void {
  assert.deepEqual(plain(actual), plain(expected), message);
}

/** `actual` has these fields with these values, whatever else it has. */
export function has<T extends object>(actual: T | null | undefined, expected: Partial<T>): void {
  assert.ok(actual !== null && actual !== undefined, 'there is something');
  same(Object.fromEntries(Object.keys(expected).map((key) => [key, actual[key as keyof T]])), expected);
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, plain);
  if (types.isMap(value)) return new Map([...value].map(([key, inner]) => [key, plain(inner)]));
  if (types.isSet(value)) return new Set([...value].map(plain));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(fields.map(([key, inner]) => [key, plain(inner)]));
}
