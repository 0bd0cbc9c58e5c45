import { types } from 'node:util';
import { defaultCodec, type Payload } from './payload.js';
import { parseDuration } from './duration.js';

/** The stored form of anything that was thrown. Plain JSON; another type than `Error` on purpose. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  /** The error's own stable code, if it has one. */
  readonly code?: string;
  readonly stack?: string;
  /** False stops retries. */
  readonly retryable: boolean;
  /** When the next attempt makes sense, as the thrower said (`RetryAfterError`). Milliseconds. */
  readonly retryAfterMs?: number;
  readonly cause?: Failure;
  /** Of an AggregateError. */
  readonly errors?: readonly Failure[];
  /** Own fields of the error, or the thrown value itself where it was no error. Encoded with the default codec. */
  readonly data?: Payload;
}

const MAX_CAUSES = 8;
const MAX_TEXT = 64 * 1024;
const MAX_DATA = 256 * 1024;

/** Records anything thrown, faithfully, and never throws itself: strings, undefined, frozen objects, cyclic causes, broken getters. */
export function failureOf(thrown: unknown, options: { readonly stack?: boolean } = {}): Failure {
  return describe(thrown, options.stack ?? true, new Set(), 0);
}

function describe(thrown: unknown, withStack: boolean, seen: Set<unknown>, depth: number): Failure {
  if (!isErrorLike(thrown)) {
    return { name: 'NonError', message: cut(`a thrown ${thrown === null ? 'null' : typeof thrown}: ${text(thrown)}`), retryable: true, data: encodeOrNote(thrown) };
  }
  seen.add(thrown);
  const code = read(thrown, 'code');
  const stack = withStack ? read(thrown, 'stack') : undefined;
  return {
    name: cut(text(read(thrown, 'name') ?? 'Error')),
    message: cut(text(read(thrown, 'message') ?? '')),
    ...((typeof code === 'string' || typeof code === 'number') && { code: cut(String(code)) }),
    ...(typeof stack === 'string' && { stack: cut(stack) }),
    retryable: read(thrown, 'retryable') !== false && code !== 'ERR_DURABLE_NON_RETRYABLE',
    ...retryAfter(thrown, code),
    ...nested(thrown, withStack, seen, depth),
    ...ownFields(thrown),
  };
}

function retryAfter(thrown: object, code: unknown): { retryAfterMs?: number } {
  if (code !== 'ERR_DURABLE_RETRY_AFTER') return {};
  try {
    return { retryAfterMs: parseDuration(read(thrown, 'delay'), 'RetryAfterError.delay') };
  } catch {
    return {};
  }
}

function nested(thrown: object, withStack: boolean, seen: Set<unknown>, depth: number): { cause?: Failure; errors?: Failure[] } {
  const inner = (value: unknown): Failure =>
    seen.has(value) || depth >= MAX_CAUSES
      ? { name: 'Cut', message: seen.has(value) ? 'it is recorded above: a cycle, or the same error twice' : `more than ${MAX_CAUSES} causes`, retryable: true }
      : describe(value, withStack, seen, depth + 1);
  const cause = read(thrown, 'cause');
  const errors = items(read(thrown, 'errors'), 32);
  return {
    ...(cause !== undefined && cause !== null && { cause: inner(cause) }),
    ...(errors.length > 0 && { errors: errors.map(inner) }),
  };
}

const STANDARD = new Set(['name', 'message', 'stack', 'cause', 'errors', 'code', 'retryable', 'status', 'statusCode', 'expose', 'failure']);

function ownFields(thrown: object): { data?: Payload } {
  const fields: Record<string, unknown> = {};
  const left: string[] = [];
  for (const key of keys(thrown)) {
    if (STANDARD.has(key)) continue;
    const value = read(thrown, key);
    try {
      if (key === '__proto__' || defaultCodec.encode(value, key).length > MAX_DATA) left.push(key);
      else fields[key] = value;
    } catch {
      left.push(key);
    }
  }
  if (left.length > 0) fields['(not carried)'] = left;
  return Object.keys(fields).length === 0 ? {} : { data: encodeOrNote(fields) };
}

function encodeOrNote(value: unknown): Payload {
  try {
    const encoded = defaultCodec.encode(value, 'a thrown value');
    if (encoded.length <= MAX_DATA) return encoded;
  } catch {
    // What cannot be carried is named instead.
  }
  return defaultCodec.encode(`(not carried: ${cut(text(value))})`, 'a note');
}

const isErrorLike = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && (types.isNativeError(value) || typeof read(value, 'message') === 'string');

function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function items(value: unknown, most: number): unknown[] {
  try {
    return Array.isArray(value) ? Array.from({ length: Math.min(value.length, most) }, (_, index) => (value as unknown[])[index]) : [];
  } catch {
    return [];
  }
}

function keys(value: object): string[] {
  try {
    return Object.keys(value);
  } catch {
    return [];
  }
}

function text(value: unknown): string {
  try {
    if (typeof value === 'string') return value;
    if (typeof value === 'object' && value !== null) return JSON.stringify(value) ?? 'an object';
    return String(value);
  } catch {
    return `a ${typeof value} that cannot be shown`;
  }
}

const cut = (value: string): string =>
  value.length <= MAX_TEXT ? value : `${value.slice(0, MAX_TEXT)} (cut: ${value.length} characters)`;

const FROM_FAILURE = new Set(['name', 'message', 'stack', 'cause', 'errors']);

/** The error a caller gets: name, message, code, cause, errors and own fields of what was thrown. */
export function errorOf(failure: Failure): Error {
  const error = new Error(failure.message, failure.cause === undefined ? undefined : { cause: errorOf(failure.cause) });
  Object.defineProperty(error, 'name', { value: failure.name, configurable: true, writable: true });
  if (failure.stack !== undefined) Object.defineProperty(error, 'stack', { value: failure.stack, configurable: true, writable: true });
  if (failure.errors !== undefined) {
    Object.defineProperty(error, 'errors', { value: failure.errors.map(errorOf), configurable: true, writable: true });
  }
  const data = dataOf(failure);
  const own = { ...(failure.code !== undefined && { code: failure.code }), ...(typeof data === 'object' && data) };
  for (const [key, value] of Object.entries(own)) {
    // A thrown value that was no error may have fields of these names; they stay in its data.
    if (FROM_FAILURE.has(key)) continue;
    Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: true });
  }
  return error;
}

/** Own fields of the thrown error, or the thrown value. */
export function dataOf(failure: Failure): unknown {
  if (failure.data === undefined) return undefined;
  try {
    return defaultCodec.decode(failure.data);
  } catch {
    return undefined;
  }
}
