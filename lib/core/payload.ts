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
 * instances come back as plain objects of their own enumerable data.
 */
export type Carried<T> = T extends Scalar | Function
  ? T
  : T extends Map<infer K, infer V>
    ? Map<Carried<K>, Carried<V>>
    : T extends Set<infer V>
      ? Set<Carried<V>>
      : T extends readonly unknown[]
        ? { [K in keyof T]: Carried<T[K]> }
        : T extends object
          ? { [K in keyof T as T[K] extends Function ? never : K]: Carried<T[K]> }
          : T;

type Scalar =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Date
  | RegExp
  | URL
  | Error
  | ArrayBuffer
  | ArrayBufferView;

const MAX_DEPTH = 500;
/** Cannot begin JSON text. Alone it is `undefined`, followed by text it is a value plain JSON cannot carry. */
const RICH = '~';

/**
 * Plain JSON values are stored as their JSON text. The rest goes through devalue: of the maintained libraries that keep
 * Date, Map, Set, BigInt, typed arrays, URL, RegExp, undefined and -0 it is the smallest and the fastest (superjson walks
 * twice and stores a second tree of types beside the data).
 */
export const defaultCodec: PayloadCodec = {
  encode(value, what) {
    if (value === undefined) return RICH;
    try {
      if (isPlain(value, 0)) return JSON.stringify(value);
      const copy = normalize(value, { what, path: [], ancestors: new Set() });
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
      throw new PayloadError(
        `A stored payload of ${text.length} characters`,
        'cannot be decoded',
        'it was written by another codec, or damaged; decode it with the codec that wrote it',
        { length: text.length },
        error,
      );
    }
  },
};

/** Would `JSON.stringify` carry it exactly? Allocates nothing. */
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
  readonly path: string[];
  readonly ancestors: Set<object>;
}

/** A copy in which only what devalue and our reducers know is left; refuses the rest with its path. */
function normalize(value: unknown, walk: Walk): unknown {
  if (typeof value === 'function') return refuse(walk, 'is a function', 'leave it out, or pass data that describes it');
  if (typeof value === 'symbol') return refuse(walk, 'is a symbol', 'leave it out, or pass its description');
  if (typeof value !== 'object' || value === null) return value;
  if (types.isProxy(value) && types.isPromise(value)) return refusePromise(walk);
  if (walk.ancestors.has(value)) return refuse(walk, 'refers back to an object that contains it', 'break the cycle, or pass ids');
  if (walk.path.length >= MAX_DEPTH) return refuse(walk, `is nested more than ${MAX_DEPTH} levels deep`, 'flatten the data');
  walk.ancestors.add(value);
  const copy = normalizeObject(value, walk);
  walk.ancestors.delete(value);
  return copy;
}

function normalizeObject(value: object, walk: Walk): unknown {
  if (Array.isArray(value)) return Array.from(value as unknown[], (item, index) => at(walk, `[${index}]`, item));
  if (types.isDate(value)) return new Date(Date.prototype.getTime.call(value));
  if (types.isRegExp(value)) return value;
  if (isUrl(value)) return new URL((value as URL).href);
  if (types.isPromise(value)) return refusePromise(walk);
  if (Buffer.isBuffer(value)) return new CarriedBuffer(value);
  if (types.isDataView(value)) return refuse(walk, 'is a DataView', 'pass its Uint8Array');
  if (types.isSharedArrayBuffer(value)) return refuse(walk, 'is shared memory', 'pass a copy of its bytes');
  if (types.isArrayBuffer(value)) return value;
  // A copy: devalue writes the whole buffer behind a view, which may hold what is no part of the value.
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).slice();
  if (types.isMap(value)) {
    return new Map(Array.from(value as Map<unknown, unknown>, ([key, item], index) => [at(walk, `.keys()[${index}]`, key), at(walk, `.values()[${index}]`, item)]));
  }
  if (types.isSet(value)) return new Set(Array.from(value as Set<unknown>, (item, index) => at(walk, `.values()[${index}]`, item)));
  if (isError(value)) return normalizeError(value as Error, walk);
  if (types.isWeakMap(value) || types.isWeakSet(value) || isWeakRef(value)) return refuse(walk, 'is a weak collection', 'pass a Map, a Set or an array');
  if (types.isBoxedPrimitive(value)) return normalize((value as { valueOf(): unknown }).valueOf(), walk);
  if (typeof (value as { pipe?: unknown }).pipe === 'function' || Symbol.asyncIterator in value) {
    return refuse(walk, 'is a stream', 'read it in an activity and pass the data or a reference');
  }
  return normalizeFields(value, walk);
}

/** Own enumerable data, without the prototype: what a class instance travels as. `toJSON` is not asked. */
function normalizeFields(value: object, walk: Walk): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const path = /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
    if (key === '__proto__') return refuse(walk, `has a key named ${key}`, 'rename the key');
    copy[key] = at(walk, path, (value as Record<string, unknown>)[key]);
  }
  return copy;
}

function at(walk: Walk, step: string, value: unknown): unknown {
  walk.path.push(step);
  const copy = normalize(value, walk);
  walk.path.pop();
  return copy;
}

function refuse(walk: Walk, problem: string, remedy: string): never {
  const steps = walk.path.length <= 20 ? walk.path : [...walk.path.slice(0, 10), '…', ...walk.path.slice(-10)];
  const path = steps.join('').replace(/^\./, '');
  throw new PayloadError(path === '' ? walk.what : `${path} of ${walk.what}`, problem, remedy, { path });
}

const refusePromise = (walk: Walk): never => refuse(walk, 'is a promise', 'await it first');

// ---- what devalue does not know by itself ---------------------------------------------------------------------------

class CarriedBuffer {
  constructor(readonly buffer: Buffer) {}
}

class CarriedError {
  constructor(readonly fields: Record<string, unknown>) {}
}

function normalizeError(error: Error, walk: Walk): CarriedError {
  const fields = normalizeFields(error, walk);
  for (const key of ['name', 'message', 'stack', 'cause', 'errors'] as const) {
    const value: unknown = (error as unknown as Record<string, unknown>)[key];
    if (value !== undefined && !(key in fields)) fields[key] = at(walk, `.${key}`, value);
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
    const error = Array.isArray(errors) ? new AggregateError(errors, String(message ?? '')) : new Error(String(message ?? ''));
    const hidden = { ...(name !== undefined && { name }), stack, ...('cause' in fields && { cause }) };
    for (const [key, value] of Object.entries(hidden)) {
      Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: false });
    }
    return Object.assign(error, own, errors !== undefined && !Array.isArray(errors) && { errors });
  },
};

const tagOf = (value: object): string => Object.prototype.toString.call(value);
const isError = (value: object): boolean => types.isNativeError(value) || tagOf(value) === '[object Error]' || tagOf(value) === '[object DOMException]';
const isUrl = (value: object): boolean => tagOf(value) === '[object URL]' && URL.canParse((value as URL).href);
const isWeakRef = (value: object): boolean => tagOf(value) === '[object WeakRef]';
