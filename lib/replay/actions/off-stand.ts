import { ForeignAwaitError } from '../../core/errors.js';
import { executionOnStand } from '../stand.js';
import type { Execution } from '../execution.js';

/**
 * The members of a context that give a value have no promise that could stay pending where they must not act. Off every
 * stand they give one of no consequence: the instance is suspended, nothing its code still does is recorded, and a throw
 * would end the process where nobody awaits that code. On a stand, where the engine watches rejections, they throw: after
 * the end of the execution, and to the code of another one, which would record what it was given.
 */
export function mayRecord(execution: Execution, call: string): boolean {
  if (execution.mayAct(call)) return true;
  if (executionOnStand() === undefined) return false;
  throw execution.fault ?? new ForeignAwaitError(execution.instanceId, execution.name, call);
}
