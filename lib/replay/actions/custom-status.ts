import type { Execution } from '../execution.js';

/** What clients see of a running instance; the last value of a turn is the one that becomes visible. */
export function setCustomStatus(execution: Execution, value: unknown): void {
  if (!execution.mayAct('setCustomStatus()')) return;
  const status = execution.codec.encode(value, 'the custom status');
  if (execution.exceeds('custom status', status.length, execution.limits.maxCustomStatusBytes)) return;
  const decided = execution.decide({ id: execution.nextEventId, kind: 'CustomStatusSet', status });
  if (decided !== undefined) execution.draft.customStatus = decided.status;
}
