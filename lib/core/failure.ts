import { types } from 'node:util';
import { defaultCodec, type Payload } from './payload.js';
import { parseDuration } from './duration.js';
import { isDurableError } from './errors.js';

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
/** Of all texts and data of one failure, its causes included: below the limit of a payload, and far below that of a batch. */
const MAX_TOTAL = 1024 * 1024;
/** What a nested error counts beside its texts, so that many small ones come to an end too. */
const RECORD = 512;

/** Records anything thrown, faithfully, and never throws itself: strings, undefined, frozen objects, cyclic causes, broken getters. */
export function failureOf(thrown: unknown, options: { readonly stack?: boolean } = {}): Failure {
  return describe(thrown, 0, { withStack: options.stack ?? true, seen: new Set(), left: MAX_TOTAL });
}

interface Walk {
  readonly withStack: boolean;
  readonly seen: Set<unknown>;
  /** Characters until MAX_TOTAL. */
  left: number;
}

function describe(thrown: unknown, depth: number, walk: Walk): Failure {
  if (!isErrorLike(thrown)) {
    const message = `a thrown ${thrown === null ? 'null' : typeof thrown}: ${text(thrown)}`;
    return { name: 'NonError', message: take(message, walk), retryable: true, data: encodeOrNote(thrown, walk) };
  }
  walk.seen.add(thrown);
  const code = read(thrown, 'code');
  const stack = walk.withStack ? read(thrown, 'stack') : undefined;
  return {
    name: take(text(read(thrown, 'name') ?? 'Error'), walk),
    message: take(text(read(thrown, 'message') ?? ''), walk),
    ...((typeof code === 'string' || typeof code === 'number') && { code: take(String(code), walk) }),
    ...(typeof stack === 'string' && { stack: take(stack, walk) }),
    retryable: read(thrown, 'retryable') !== false && code !== 'ERR_DURABLE_NON_RETRYABLE',
    ...retryAfter(thrown, code),
    ...ownFields(thrown, walk),
    ...nested(thrown, depth, walk),
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

function nested(thrown: object, depth: number, walk: Walk): { cause?: Failure; errors?: Failure[] } {
  const cause = read(thrown, 'cause');
  const inner = cause === undefined || cause === null ? undefined : recorded(cause, depth, walk);
  const errors: Failure[] = [];
  for (const value of items(read(thrown, 'errors'), 32)) {
    const full = isFull(walk);
    errors.push(recorded(value, depth, walk));
    if (full) break; // the last one says so
  }
  return { ...(inner !== undefined && { cause: inner }), ...(errors.length > 0 && { errors }) };
}

function recorded(value: unknown, depth: number, walk: Walk): Failure {
  const reason = whyCut(value, depth, walk);
  walk.left -= RECORD;
  return reason === undefined ? describe(value, depth + 1, walk) : { name: 'Cut', message: reason, retryable: true };
}

function whyCut(value: unknown, depth: number, walk: Walk): string | undefined {
  if (isFull(walk)) return `the record of the failure has reached ${MAX_TOTAL} characters`;
  if (walk.seen.has(value)) return 'it is recorded above: a cycle, or the same error twice';
  if (depth >= MAX_CAUSES) return `more than ${MAX_CAUSES} causes`;
  return undefined;
}

const isFull = (walk: Walk): boolean => walk.left < RECORD;

function ownFields(thrown: object, walk: Walk): { data?: Payload } {
  const fields: Record<string, unknown> = {};
  const left: string[] = [];
  let room = roomFor(walk);
  for (const key of keys(thrown)) {
    const value = read(thrown, key);
    if (isRecordedElsewhere(thrown, key, value)) continue;
    const length = key === '__proto__' ? Infinity : lengthOf(value, key) + key.length;
    if (length > room) {
      left.push(key);
    } else {
      fields[key] = value;
      room -= length;
    }
  }
  if (left.length > 0) fields['(not carried)'] = left.slice(0, 100);
  return Object.keys(fields).length === 0 ? {} : { data: encodeOrNote(fields, walk) };
}

/** Data is what the other fields of the failure do not tell: a numeric code is told as text, `errors` only as a list. */
function isRecordedElsewhere(thrown: object, key: string, value: unknown): boolean {
  switch (key) {
    case 'name':
    case 'message':
    case 'stack':
    case 'cause':
      return true;
    case 'code':
      return typeof value === 'string';
    case 'retryable':
      return typeof value === 'boolean';
    case 'errors':
      return isArray(value);
    // Of our own errors the first three follow from the class, and the failure is the cause.
    case 'status':
    case 'statusCode':
    case 'expose':
    case 'failure':
      return isDurableError(thrown);
    default:
      return false;
  }
}

const roomFor = (walk: Walk): number => Math.max(0, Math.min(MAX_DATA, walk.left));

/** Of the encoded value; Infinity for what cannot be carried. */
function lengthOf(value: unknown, key: string): number {
  try {
    return defaultCodec.encode(value, key).length;
  } catch {
    return Infinity;
  }
}

function encodeOrNote(value: unknown, walk: Walk): Payload {
  try {
    const encoded = defaultCodec.encode(value, 'a thrown value');
    if (encoded.length <= MAX_DATA) {
      walk.left -= encoded.length;
      return encoded;
    }
  } catch {
    // What cannot be carried is named instead.
  }
  return defaultCodec.encode(`(not carried: ${take(text(value), walk)})`, 'a note');
}

const isErrorLike = (value: unknown): value is object =>
  typeof value === 'object' &&
  value !== null &&
  (types.isNativeError(value) || typeof read(value, 'message') === 'string');

function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function items(value: unknown, most: number): unknown[] {
  try {
    return isArray(value) ? Array.from({ length: Math.min(value.length, most) }, (_, index) => value[index]) : [];
  } catch {
    return [];
  }
}

function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false; // a revoked proxy
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

/** The text, cut to what is left of the failure, which it uses up. */
function take(value: string, walk: Walk): string {
  const most = Math.max(0, Math.min(MAX_TEXT, walk.left));
  walk.left -= Math.min(value.length, most);
  return value.length <= most ? value : `${value.slice(0, most)} (cut: ${value.length} characters)`;
}

const FROM_FAILURE = new Set(['name', 'message', 'stack', 'cause']);

/** The error a caller gets: name, message, code, cause, errors and own fields of what was thrown. */
export function errorOf(failure: Failure): Error {
  const error = new Error(failure.message, failure.cause === undefined ? undefined : { cause: errorOf(failure.cause) });
  Object.defineProperty(error, 'name', { value: failure.name, configurable: true, writable: true });
  if (failure.stack !== undefined)
    Object.defineProperty(error, 'stack', { value: failure.stack, configurable: true, writable: true });
  if (failure.errors !== undefined) {
    Object.defineProperty(error, 'errors', { value: failure.errors.map(errorOf), configurable: true, writable: true });
  }
  const data = dataOf(failure);
  const own = { ...(failure.code !== undefined && { code: failure.code }), ...(typeof data === 'object' && data) };
  for (const [key, value] of Object.entries(own)) {
    // A thrown value that was no error may have fields of these names; they stay in its data.
    if (FROM_FAILURE.has(key) || (key === 'errors' && failure.errors !== undefined)) continue;
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
