import type { ParentLink } from '../core/history-event.js';
import type { Execution, Input, MessageBuffer, MessageInput, OpenSchedule, Turn } from '../replay/index.js';
import { HeldActivities } from './held-activities.js';

/**
 * `idle`: may begin a turn. `on-stand`: its code runs. `sealed`: its turn is collected and not yet acknowledged; deliveries
 * wait (protocol 4). `gone`: dropped; nothing it still does counts.
 */
export type LiveState = 'idle' | 'on-stand' | 'sealed' | 'gone';

/** An instance in memory: its execution where it stands, and what has arrived for it since. */
export class LiveInstance {
  state: LiveState = 'idle';
  readonly inbox: Input[] = [];
  currentTurn: Turn | undefined;
  /** Lanes of the buffer that are being read from the store. */
  readonly refilling = new Set<string>();
  /** The highest sequence number taken into inbox or buffer. */
  seenThrough = 0;
  /** The highest one the row knows to be looked at. */
  seenCommitted = 0;
  /** Its activities that run here without a row. */
  readonly held = new HeldActivities();
  /** Schedules whose activities had no row when the node that held them died; the next turn gives them one. */
  lost: readonly number[] = [];
  lastUsedAt = 0;
  warnedAboutHistory = false;
  /** Of a loaded history that was not replayed yet, for an end without running code. */
  openBeforeReplay: readonly OpenSchedule[] = [];
  /** The number after the last event of the loaded history. */
  nextEventIdBeforeReplay = 1;

  constructor(
    readonly instanceId: string,
    readonly generation: string,
    /** Committed turns; the next one expects this number in the row. */
    public turn: number,
    public execution: Execution,
    public buffer: MessageBuffer,
    public name: string,
    public version: string,
    public parent: ParentLink | undefined,
    public crashes: number,
    public cancelRequested: boolean,
  ) {}

  get hasWork(): boolean {
    return this.inbox.length > 0 || this.seenThrough > this.seenCommitted || this.buffer.size > 0 || this.owesRows;
  }

  /** Activities need rows that only a turn can write. */
  get owesRows(): boolean {
    return this.held.needRows || this.lost.length > 0;
  }

  volatileInputs(): MessageInput[] {
    const waiting = this.inbox.filter(
      (input): input is MessageInput => input.kind === 'message' && input.seq === undefined,
    );
    return [...(this.currentTurn?.volatile ?? []), ...waiting];
  }
}
