import type { HistoryEvent } from '../core/history-event.js';
import { Execution, type ExecutionOptions, type Fault } from './execution.js';
import { MessageBuffer } from './message-buffer.js';
import { Stand, type Immediate } from './stand.js';
import { Turn } from './turn.js';

export interface ReplayResult {
  /** What the code decided after the last event of the history; empty for a whole history of unchanged code. */
  readonly decisions: readonly HistoryEvent[];
  readonly fault: Fault | undefined;
  readonly execution: Execution;
}

/** Runs an orchestration's code over a recorded history and says what it decides: events in, decisions out. */
export function replayHistory(options: ExecutionOptions, immediate: Immediate): Promise<ReplayResult> {
  const execution = new Execution(options);
  const turn = new Turn(execution, [], new MessageBuffer(), () => 0);
  return new Promise((resolve) => {
    const stand = new Stand(immediate, () =>
      resolve({ decisions: execution.takeDraft().events, fault: execution.fault, execution }),
    );
    stand.enter(turn);
  });
}
