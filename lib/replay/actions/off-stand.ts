import { ForeignAwaitError } from '../../core/errors.js';
import type { Execution } from '../execution.js';

/** The synchronous members of a context have no promise that could stay pending where they must not act: they throw. */
export function refuseOffStand(execution: Execution, call: string): void {
  if (!execution.mayAct(call))
    throw execution.fault ?? new ForeignAwaitError(execution.instanceId, execution.name, call);
}
