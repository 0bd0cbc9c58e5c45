import { StorageError } from '../../lib/core/errors.js';
import { chanceOf, type Random } from './chance.js';

/** Shares of calls that go wrong, by kind. */
export interface CallFaults {
  /** Not done, and the caller is told so. */
  readonly before: number;
  /** Done, and the caller is told that it was not. */
  readonly after: number;
  /** The request arrives twice. */
  readonly twice: number;
  /** It takes long. */
  readonly slow: number;
  readonly slowMs: number;
  /** Every read takes up to this long: much happens meanwhile. */
  readonly readMs: number;
}

export interface Fate {
  readonly before: boolean;
  readonly after: boolean;
  readonly twice: boolean;
  /** On the way to the store, and back. */
  readonly delays: readonly [number, number];
}

export function drawFaults(random: Random, calm: boolean): CallFaults {
  const share = (): number => (calm || random.next() < 0.4 ? 0 : 10 ** -(0.5 + random.next() * 2));
  return {
    before: share(),
    after: share(),
    twice: share(),
    slow: share(),
    slowMs: random.of([20, 500, 4_000]),
    readMs: random.next() < 0.3 ? random.of([10, 60, 250]) : 0,
  };
}

/** Decided by the name of the call alone: taking another fault away does not change it. */
export function fateOf(seed: number, faults: CallFaults, place: string, reads: boolean): Fate {
  const chance = (what: string): number => chanceOf(seed, `${place} ${what}`);
  const delay = (what: string): number => {
    if (chance(`${what} slow`) < faults.slow) return Math.ceil(chance(`${what} ms`) * faults.slowMs);
    if (reads && faults.readMs > 0) return Math.ceil(chance(`${what} ms`) * faults.readMs);
    return chance(what) < 0.6 ? 0 : Math.ceil(chance(`${what} ms`) * 3);
  };
  return {
    before: chance('before') < faults.before,
    after: chance('after') < faults.after,
    twice: chance('twice') < faults.twice,
    delays: [delay('there'), delay('back')],
  };
}

export const NO_FAULTS: CallFaults = { before: 0, after: 0, twice: 0, slow: 0, slowMs: 1, readMs: 0 };

export const trouble = (when: string): StorageError =>
  new StorageError(`simulated: failed ${when} it was done`, { retryable: true, code: 'ERR_SIMULATED' });
