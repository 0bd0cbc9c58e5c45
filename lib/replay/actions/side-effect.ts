import { types } from 'node:util';
import { InvalidOptionError } from '../../core/errors.js';
import { errorOf, failureOf } from '../../core/failure.js';
import type { SideEffectRecorded } from '../../core/history-event.js';
import type { Execution } from '../execution.js';
import { mayRecord } from './off-stand.js';

type Outcome = Pick<SideEffectRecorded, 'value' | 'failure'>;

/** Runs `fn` once and records what it returns or throws; runs it again only if its turn was never committed. */
export function sideEffect<T>(execution: Execution, fn: () => T): T {
  if (!mayRecord(execution, 'sideEffect()')) return fn();
  const outcome = execution.boundByHistory ? {} : runNow(execution, fn);
  const decided = execution.decide({ id: execution.nextEventId, kind: 'SideEffectRecorded', ...outcome });
  if (decided === undefined) throw execution.fault!;
  if (decided.failure !== undefined) throw errorOf(decided.failure);
  return execution.decode(decided.value!, 'the result of sideEffect()') as T;
}

function runNow<T>(execution: Execution, fn: () => T): Outcome {
  try {
    return { value: encoded(execution, alone(execution, fn)) };
  } catch (error) {
    if (execution.fault !== undefined) throw execution.fault;
    return { failure: failureOf(error) };
  }
}

function alone<T>(execution: Execution, fn: () => T): T {
  execution.inSideEffect = true;
  try {
    return fn();
  } finally {
    execution.inSideEffect = false;
  }
}

function encoded(execution: Execution, result: unknown): string {
  if (types.isPromise(result)) {
    result.catch(() => undefined);
    throw new InvalidOptionError(
      'the result of sideEffect()',
      'a promise',
      'a plain value (what takes time belongs in an activity)',
    );
  }
  const text = execution.encode(result, 'the result of sideEffect()');
  if (text === undefined) throw execution.fault!;
  return text;
}
