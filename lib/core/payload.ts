import { parse, stringify } from 'devalue';
import { types } from 'node:util';
import { PayloadError } from './errors.js';

/** An encoded value: text, opaque to everything but the codec. */
export type Payload = string;

/** Turns values into text and back. Replaceable, for encryption or compression. */
export interface PayloadCodec {
  /** @param what names the value in errors. @throws PayloadError with the path to what cannot be carried. */
  encode(value: unknown, what: string): Payload;
  /** @throws PayloadError for text this codec did not write. */
  decode(text: Payload): unknown;
}

/**
 * What `T` is after it travelled: methods are gone, data is the same (`Date` stays `Date`, `Map` stays `Map`). Class
 * instances come back as plain objects of their own enumerable data; getters of the class are data to this type, but do
 * not travel.
 */
export type Carried<T> = T extends Scalar | Function
  ? T
  : T extends Map<infer K, infer V>
    ? Map<Carried<K>, Carried<V>>
    : T extends Set<infer V>
      ? Set<Carried<V>>
      : T extends ReadonlyMap<infer K, infer V>
        ? ReadonlyMap<Carried<K>, Carried<V>>
        : T extends ReadonlySet<infer V>
          ? ReadonlySet<Carried<V>>
          : T extends readonly (infer V)[]
            ? CarriedArray<T, V>
            : T extends object
              ? { [K in keyof T as IsMethod<T[K]> extends true ? never : K]: Carried<T[K]> }
              : T;

/** Only tuples are mapped: a mapped array is resolved at once, and a recursive type such as JSON then never ends. */
type CarriedArray<T extends readonly unknown[], V> = V[] extends T
  ? T extends unknown[]
    ? Carried<V>[]
    : readonly Carried<V>[]
  : { [K in keyof T]: Carried<T[K]> };

/** Also of an optional method. `any` and `never` are data. */
type IsMethod<V> = 0 extends 1 & V
  ? false
  : [NonNullable<V>] extends [never]
    ? false
    : NonNullable<V> extends Function
      ? true
      : false;

type Scalar =
  string | number | boolean | bigint | null | undefined | Date | RegExp | URL | Error | ArrayBuffer | ArrayBufferView;

const MAX_DEPTH = 500;
/** Cannot begin JSON text. Alone it is `undefined`, followed by text it is a value plain JSON cannot carry. */
const RICH = '~';

/**
 * Plain JSON values are stored as their JSON text. The rest goes through devalue: against superjson, which stores a second
 * tree of types, it writes two thirds of the text in 40 % of the time (measured), and depends on nothing.
 */
export const defaultCodec: PayloadCodec = {
  encode(value, what) {
    if (value === undefined) return RICH;
    try {
      if (isPlain(value, 0)) return JSON.stringify(value);
      const copy = normalize(value, { what, steps: [], ancestors: new Set() });
      return isPlain(copy, 0) ? JSON.stringify(copy) : RICH + stringify(copy, REDUCERS);
    } catch (error) {
      if (error instanceof PayloadError) throw error;
      // A getter or a proxy threw, or devalue met an object that is not what it says.
      throw new PayloadError(what, 'cannot be read', 'pass plain data instead', {}, error);
    }
  },
  decode(text) {
    if (text === RICH) return undefined;
    try {
      return text.startsWith(RICH) ? parse(text.slice(1), REVIVERS) : (JSON.parse(text) as unknown);
    } catch (error) {
      throw undecodable(text, error);
    }
  },
};

/** Tells the size, not the text: payloads hold secrets. */
function undecodable(text: unknown, cause: unknown): PayloadError {
  const length = typeof text === 'string' ? text.length : undefined;
  return new PayloadError(
    length === undefined
      ? `A stored payload that is no text (${typeof text})`
      : `A stored payload of ${length} characters`,
    'cannot be decoded',
    'it was written by another codec, or damaged; decode it with the codec that wrote it',
    { length },
    cause,
  );
}

/**
 * Would `JSON.stringify` carry it exactly? Allocates nothing. An accessor that answers something else the second time is
 * stored as what JSON makes of that.
 */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !(value === 0 && 1 / value < 0);
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth === MAX_DEPTH || typeof (value as { toJSON?: unknown }).toJSON === 'function') return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) if (!isPlain(value[index], depth + 1)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    if (!isPlain((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

interface Walk {
  readonly what: string;
  /** Keys, indices and, where it is neither, text. Becomes a path only in an error. */
  readonly steps: (string | number | { readonly text: string })[];
  readonly ancestors: Set<object>;
}

/** A copy in which only what devalue and our reducers know is left; refuses the rest with its path. */
function normalize(value: unknown, walk: Walk): unknown {
  if (typeof value === 'function') return refuse(walk, 'is a function', 'leave it out, or pass data that describes it');
  if (typeof value === 'symbol') return refuse(walk, 'is a symbol', 'leave it out, or pass its description');
  if (typeof value !== 'object' || value === null) return value;
  if (walk.ancestors.has(value)) {
    return refuse(walk, 'refers back to an object that contains it', 'break the cycle, or pass ids');
  }
  if (walk.steps.length >= MAX_DEPTH)
    return refuse(walk, `is nested more than ${MAX_DEPTH} levels deep`, 'flatten the data');
  walk.ancestors.add(value);
  const copy = normalizeObject(value, walk);
  walk.ancestors.delete(value);
  return copy;
}

function normalizeObject(value: object, walk: Walk): unknown {
  if (Array.isArray(value)) return normalizeArray(value, walk);
  const tag = tagOf(value);
  return tag === '[object Object]' ? normalizeInstance(value, walk) : normalizeBuiltIn(value, tag, walk);
}

function normalizeArray(value: readonly unknown[], walk: Walk): unknown {
  // `byId[1_700_000_000] = ...` would take all memory when its holes are filled.
  if (value.length > 1_000 && Object.keys(value).length < value.length / 2) {
    return refuse(walk, 'is an array of mostly holes', 'pass a Map or an object');
  }
  return Array.from(value, (item, index) => at(walk, index, item));
}

/** By what an object is, not by the tag it gives itself; only what has no test of its own is known by both. */
function normalizeBuiltIn(value: object, tag: string, walk: Walk): unknown {
  if (types.isDate(value)) return new Date(Date.prototype.getTime.call(value));
  if (types.isRegExp(value)) return value;
  if (tag === '[object URL]' && URL.canParse((value as URL).href)) return new URL((value as URL).href);
  if (Buffer.isBuffer(value)) return new CarriedBuffer(value);
  if (types.isDataView(value)) return refuse(walk, 'is a DataView', 'pass its Uint8Array');
  if (types.isSharedArrayBuffer(value)) return refuse(walk, 'is shared memory', 'pass a copy of its bytes');
  if (types.isArrayBuffer(value)) return value;
  // A copy: devalue writes the whole buffer behind a view, which may hold what is no part of the value.
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).slice();
  if (types.isMap(value)) return normalizeMap(value, walk);
  if (types.isSet(value))
    return new Set(Array.from(value, (item, index) => at(walk, { text: `.values()[${index}]` }, item)));
  if (types.isNativeError(value) || tag === '[object Error]' || tag === '[object DOMException]') {
    return normalizeError(value, walk);
  }
  if (types.isWeakMap(value) || types.isWeakSet(value) || tag === '[object WeakRef]') {
    return refuse(walk, 'is a weak collection', 'pass a Map, a Set or an array');
  }
  if (types.isBoxedPrimitive(value)) return normalize((value as { valueOf(): unknown }).valueOf(), walk);
  refuseUnread(value, walk);
  // Blob, Headers, FormData, iterators, proxies of a Map: stored as {}, their content would be lost without a word.
  if (Object.keys(value).length === 0) {
    return refuse(
      walk,
      `is of type ${tag.slice('[object '.length, -1)}, whose content is not in its fields`,
      'pass the content as plain data',
    );
  }
  return normalizeFields(value, walk);
}

function normalizeMap(value: ReadonlyMap<unknown, unknown>, walk: Walk): Map<unknown, unknown> {
  const entries = Array.from(
    value,
    ([key, item], index) =>
      [at(walk, { text: `.keys()[${index}]` }, key), at(walk, { text: `.values()[${index}]` }, item)] as const,
  );
  return new Map(entries);
}

function normalizeInstance(value: object, walk: Walk): unknown {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return normalizeFields(value, walk);
  refuseUnread(value, walk);
  return isOldStyleError(value) ? normalizeError(value, walk) : normalizeFields(value, walk);
}

/** Made by a function that calls `Error.captureStackTrace`: the errors of better-sqlite3 and axios are no native errors. */
function isOldStyleError(value: object): boolean {
  const { message, stack } = value as { message?: unknown; stack?: unknown };
  return (
    typeof message === 'string' &&
    typeof stack === 'string' &&
    !Object.prototype.propertyIsEnumerable.call(value, 'stack')
  );
}

/** What has not been awaited or read yet. A query builder without its `await` is a thenable too. */
function refuseUnread(value: object, walk: Walk): void {
  const { then, pipe } = value as { then?: unknown; pipe?: unknown };
  if (typeof then === 'function') refuse(walk, 'is a promise', 'await it first');
  if (typeof pipe === 'function' || Symbol.asyncIterator in value) {
    refuse(walk, 'is a stream', 'read it in an activity and pass the data or a reference');
  }
}

/** Own enumerable data, without the prototype: what a class instance travels as. `toJSON` is not asked. */
function normalizeFields(value: object, walk: Walk): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return refuse(walk, `has a key named ${key}`, 'rename the key');
    copy[key] = at(walk, key, (value as Record<string, unknown>)[key]);
  }
  return copy;
}

function at(walk: Walk, step: Walk['steps'][number], value: unknown): unknown {
  walk.steps.push(step);
  const copy = normalize(value, walk);
  walk.steps.pop();
  return copy;
}

function refuse(walk: Walk, problem: string, remedy: string): never {
  const texts = walk.steps.map(textOf);
  const shortened = texts.length <= 20 ? texts : [...texts.slice(0, 10), '…', ...texts.slice(-10)];
  const path = shortened.join('').replace(/^\./, '');
  throw new PayloadError(path === '' ? walk.what : `${path} of ${walk.what}`, problem, remedy, { path });
}

function textOf(step: Walk['steps'][number]): string {
  if (typeof step === 'object') return step.text;
  if (typeof step === 'number') return `[${step}]`;
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}

// ---- what devalue does not know by itself ---------------------------------------------------------------------------

class CarriedBuffer {
  constructor(readonly buffer: Buffer) {}
}

class CarriedError {
  constructor(readonly fields: Record<string, unknown>) {}
}

function normalizeError(error: object, walk: Walk): CarriedError {
  const fields = normalizeFields(error, walk);
  for (const key of ['name', 'message', 'stack', 'cause', 'errors'] as const) {
    const value: unknown = (error as Record<string, unknown>)[key];
    if (value !== undefined && !(key in fields)) fields[key] = at(walk, key, value);
  }
  return new CarriedError(fields);
}

const REDUCERS = {
  /** In an array, because devalue takes '' (an empty buffer) for no answer. */
  Buffer: (value: unknown) => value instanceof CarriedBuffer && [value.buffer.toString('base64')],
  Error: (value: unknown) => value instanceof CarriedError && value.fields,
};

const REVIVERS = {
  Buffer: ([text]: [string]) => Buffer.from(text, 'base64'),
  Error: (fields: Record<string, unknown>) => {
    const { message, name, stack, cause, errors, ...own } = fields;
    const error = Array.isArray(errors)
      ? new AggregateError(errors, String(message ?? ''))
      : new Error(String(message ?? ''));
    const hidden = { ...(name !== undefined && { name }), stack, ...('cause' in fields && { cause }) };
    for (const [key, value] of Object.entries(hidden)) {
      Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: false });
    }
    return Object.assign(error, own, errors !== undefined && !Array.isArray(errors) && { errors });
  },
};

const tagOf = (value: object): string => Object.prototype.toString.call(value);
