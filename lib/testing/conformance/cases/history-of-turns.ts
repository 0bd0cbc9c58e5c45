import type { HistoryAppend } from '../../../provider/batch.js';
import * as is from '../items.js';

/** One event, of a turn that does something else of interest. */
export const rangeOfEvent = (executionId: number, id: number): HistoryAppend =>
  is.events(executionId, id, { kind: 'KvCleared' });
