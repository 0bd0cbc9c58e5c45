import { types } from 'node:util';
import { InvalidOptionError } from '../../core/errors.js';
import type { Execution } from '../execution.js';
import { refuseOffStand } from './off-stand.js';

/** Runs `fn` once and records what it returns; runs it again only if its turn was never committed. */
export function sideEffect<T>(execution: Execution, fn: () => T): T {
  refuseOffStand(execution, 'sideEffect()');
  const id = execution.nextEventId;
  const value = execution.replaying ? '' : runNow(execution, fn);
  const decided = execution.decide({ id, kind: 'SideEffectRecorded', value });
  if (decided === undefined) throw execution.fault!;
  return execution.codec.decode(decided.value) as T;
}

function runNow<T>(execution: Execution, fn: () => T): string {
  const result = fn();
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
