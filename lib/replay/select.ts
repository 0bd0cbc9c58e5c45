import { InvalidOptionError } from '../core/errors.js';
import { types } from 'node:util';
import { recordOf, type FutureRecord } from './durable-future.js';
import type { Execution } from './execution.js';

/** A future that survives losing a `select`. */
export class Kept<T> {
  constructor(readonly future: Promise<T>) {}
}

type Settled<F> = F extends Kept<infer T> ? T : Awaited<F>;

export type Joined<F extends readonly unknown[]> = { -readonly [K in keyof F]: Awaited<F[K]> };
/** `{ index, value }` of the winner, discriminated by index for tuples. */
export type Selected<F extends readonly unknown[]> = {
  [K in keyof F & `${number}`]: {
    readonly index: K extends `${infer N extends number}` ? N : number;
    readonly value: Settled<F[K]>;
  };
}[keyof F & `${number}`] extends infer U
  ? [U] extends [never]
    ? { readonly index: number; readonly value: Settled<F[number]> }
    : U
  : never;
/** `{ winner, value }`, discriminated by name. */
export type SelectedOf<F> = { [K in keyof F]: { readonly winner: K; readonly value: Settled<F[K]> } }[keyof F];

type Candidate = Promise<unknown> | Kept<unknown>;

export function selectIndex(
  execution: Execution,
  candidates: readonly Candidate[],
): Promise<{ index: number; value: unknown }> {
  return select(
    execution,
    candidates,
    candidates.map((_, index) => `[${index}]`),
    (index, value) => ({ index, value }),
  );
}

export function selectNamed(
  execution: Execution,
  candidates: Readonly<Record<string, Candidate>>,
): Promise<{ winner: string; value: unknown }> {
  const names = Object.keys(candidates);
  return select(
    execution,
    names.map((name) => candidates[name]!),
    names,
    (index, value) => ({ winner: names[index]!, value }),
  );
}

function select<R>(
  execution: Execution,
  candidates: readonly Candidate[],
  names: readonly string[],
  result: (index: number, value: unknown) => R,
): Promise<R> {
  if (candidates.length === 0)
    throw new InvalidOptionError('the futures of select()', '[]', 'at least one future, or it would never settle');
  const futures = candidates.map((candidate) => (isKept(candidate) ? candidate.future : candidate));
  refuseForeign(execution, futures, names);
  return new Promise<R>((resolve, reject) => {
    let decided = false;
    const win = (index: number): boolean => {
      if (decided) return false;
      decided = true;
      cancelLosers(execution, candidates, names, index);
      return true;
    };
    const enter = (index: number): void => {
      futures[index]!.then(
        (value) => win(index) && resolve(result(index, value)),
        (error: unknown) => win(index) && reject(error as Error),
      );
    };
    const settled = firstSettled(futures);
    if (settled >= 0) enter(settled);
    else futures.forEach((_, index) => enter(index));
  });
}

/** A future may be used where it was made. One that lost an earlier `select` says where it was cancelled. */
function refuseForeign(execution: Execution, futures: readonly unknown[], names: readonly string[]): void {
  futures.forEach((future, index) => {
    if (!types.isPromise(future))
      throw new InvalidOptionError(`${names[index]} of select()`, future, 'a future, a promise or keep(future)');
    const record = recordOf(future);
    if (record === undefined) return;
    if (record.execution !== execution) {
      throw new InvalidOptionError(
        `${names[index]} of select()`,
        `a future of ${record.execution.instanceId}`,
        'futures of this execution only',
      );
    }
    if (record.cancelledBy?.startsWith('select')) {
      throw new InvalidOptionError(
        `${names[index]} of select()`,
        `the ${record.kind} ${JSON.stringify(record.name)}, which an earlier ${record.cancelledBy} cancelled`,
        'a fresh future, or ctx.keep(future) in the earlier select',
      );
    }
  });
}

/** Of several durable futures that have settled already, the one that settled first in history. */
function firstSettled(futures: readonly unknown[]): number {
  let first = -1;
  let order = Infinity;
  futures.forEach((future, index) => {
    const settled = recordOf(future)?.settledOrder ?? Infinity;
    if (settled < order) [first, order] = [index, settled];
  });
  return first;
}

function cancelLosers(
  execution: Execution,
  candidates: readonly Candidate[],
  names: readonly string[],
  winner: number,
): void {
  candidates.forEach((candidate, index) => {
    const loser: FutureRecord | undefined = index === winner || isKept(candidate) ? undefined : recordOf(candidate);
    if (loser !== undefined) execution.cancelFuture(loser, 'lost a select', `select (won by ${names[winner]})`);
  });
}

const isKept = (candidate: Candidate): candidate is Kept<unknown> => candidate instanceof Kept;
