import type { HistoryEvent, ParentClosePolicy } from '../core/history-event.js';
import type { FutureKind } from './durable-future.js';

/** Work of an execution that is still outstanding, as its history tells, without running code. */
export interface OpenSchedule {
  readonly id: number;
  readonly kind: FutureKind;
  readonly child?: { readonly instanceId: string; readonly onParentClose: ParentClosePolicy };
}

/** For an end that must not run code: `terminateInstance`, also of an instance whose code no longer fits. */
export function openSchedules(history: readonly HistoryEvent[]): OpenSchedule[] {
  const open = new Map<number, OpenSchedule>();
  for (const event of history) {
    switch (event.kind) {
      case 'ActivityScheduled':
        open.set(event.id, { id: event.id, kind: 'activity' });
        break;
      case 'TimerCreated':
        open.set(event.id, { id: event.id, kind: 'timer' });
        break;
      case 'SubOrchestrationScheduled':
        open.set(event.id, { id: event.id, kind: 'child', child: event });
        break;
      default:
        if ('scheduleId' in event) open.delete(event.scheduleId);
    }
  }
  return [...open.values()];
}
