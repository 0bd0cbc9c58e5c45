import { ForeignAwaitError } from '../../core/errors.js';
import type { Execution } from '../execution.js';

/**
 * The members of a context that give a value have no promise that could stay pending where they must not act: they throw.
 * Those that give nothing do nothing: in a helper nobody awaits, a throw off the stand would end the process.
 */
export function refuseOffStand(execution: Execution, call: string): void {
  if (!execution.mayAct(call))
    throw execution.fault ?? new ForeignAwaitError(execution.instanceId, execution.name, call);
}
