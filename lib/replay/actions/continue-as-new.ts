import { checkVersion } from '../../core/identifiers.js';
import { never, rejected } from '../durable-future.js';
import type { Execution } from '../execution.js';

/** Ends this execution and begins the next one with a fresh history. The promise never settles: no `finally` runs. */
export function continueAsNew(
  execution: Execution,
  input: unknown,
  options: { readonly version?: string } = {},
): Promise<never> {
  if (!execution.mayAct('continueAsNew()')) return never();
  const refusal = execution.refusal();
  if (refusal !== undefined) return rejected(refusal);
  const version = options.version === undefined ? undefined : checkVersion(options.version);
  const text = execution.encode(input, 'the input of continueAsNew()');
  if (text !== undefined) execution.end({ id: execution.nextEventId, kind: 'ContinuedAsNew', input: text, version });
  return never();
}
