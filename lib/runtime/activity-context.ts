import type { ActivityContext } from '../core/activity-context.js';
import type { ClaimedActivity } from '../provider/batch.js';
import { idempotencyKey } from '../replay/index.js';

let current: ActivityContext | undefined;

/** The context of the activity whose synchronous part is running; see `ActivityContext.current()`. */
export const currentActivityContext = (): ActivityContext | undefined => current;

/** The context of one attempt. Signal and key are made when they are asked for: most activities ask for neither. */
export class AttemptContext implements ActivityContext {
  private controller: AbortController | undefined;
  private aborted: Error | undefined;

  constructor(private readonly activity: ClaimedActivity) {}

  get instanceId(): string {
    return this.activity.instanceId;
  }
  get executionId(): number {
    return this.activity.executionId;
  }
  get activityId(): number {
    return this.activity.scheduleId;
  }
  get activityName(): string {
    return this.activity.name;
  }
  get attempt(): number {
    return this.activity.attempt;
  }
  get idempotencyKey(): string {
    return idempotencyKey(this.activity.generation, this.activity.executionId, this.activity.scheduleId);
  }
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.aborted !== undefined) this.controller.abort(this.aborted);
    return this.controller.signal;
  }

  abort(reason: Error): void {
    this.aborted ??= reason;
    this.controller?.abort(this.aborted);
  }

  /** Calls `start` with this as the current context, until it returns: up to the activity's first await. */
  enter<T>(start: () => T): T {
    const outer = current;
    current = this;
    try {
      return start();
    } finally {
      current = outer;
    }
  }
}
