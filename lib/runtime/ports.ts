import { randomFillSync } from 'node:crypto';
import {
  clearTimeout as clearSystemTimeout,
  setImmediate as systemImmediate,
  setTimeout as setSystemTimeout,
} from 'node:timers';
import type { Immediate } from '../replay/index.js';

export interface Clock {
  /** Epoch milliseconds of the node, whole: near the host's time, never going back while the process lives. */
  now(): number;
  /** Milliseconds with fractions, from anywhere: only for durations. */
  mono(): number;
}

/** A one-shot timer; the result cancels it. `ms` may be any size. */
export type SetTimer = (callback: () => void, ms: number, options?: { readonly unref?: boolean }) => () => void;

/** Everything the engine takes from outside, so that a test can be the outside. */
export interface Ports {
  readonly clock: Clock;
  readonly setTimer: SetTimer;
  readonly immediate: Immediate;
  /** 0 <= chance < 1. */
  readonly chance: () => number;
  /** 128 random bits, in hexadecimal. */
  readonly generation: () => string;
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const startedAt = Date.now() - performance.now();

/** The host's own. The functions are captured at load, so that fake timers of a test do not reach the engine. */
export const systemPorts: Ports = {
  clock: { now: () => Math.floor(startedAt + performance.now() + clockOffset()), mono: () => performance.now() },
  setTimer(callback, ms, options) {
    const wait = Math.min(ms, MAX_TIMEOUT_MS);
    const rest = ms - wait;
    let cancel = (): void => clearSystemTimeout(timer);
    const timer = setSystemTimeout(() => {
      if (rest > 0) cancel = systemPorts.setTimer(callback, rest, options);
      else callback();
    }, wait);
    if (options?.unref) timer.unref();
    return () => cancel();
  },
  immediate: (callback) => void systemImmediate(callback),
  chance: Math.random,
  generation: randomGeneration,
};

const GENERATION_BYTES = 16;
const pool = Buffer.alloc(256 * GENERATION_BYTES);
let poolUsed = pool.length;

/** Random bytes are drawn for many at once: a draw costs as much as the rest of a start. */
function randomGeneration(): string {
  if (poolUsed === pool.length) {
    randomFillSync(pool);
    poolUsed = 0;
  }
  poolUsed += GENERATION_BYTES;
  return pool.toString('hex', poolUsed - GENERATION_BYTES, poolUsed);
}

let offset = 0;
let checkedAt = 0;

/**
 * Monotonic time runs apart from the host's clock when the host sleeps or its clock is set. Once a second the node follows
 * forward; it never goes back, because events may not (protocol 13).
 */
function clockOffset(): number {
  const elapsed = performance.now();
  if (elapsed - checkedAt >= 1_000) {
    checkedAt = elapsed;
    offset = Math.max(offset, Date.now() - (startedAt + elapsed));
  }
  return offset;
}
