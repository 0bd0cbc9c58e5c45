import type { DeliveredEvent } from '../core/history-event.js';
import { MAX_DELIVERIES_PER_TURN } from '../core/limits.js';
import type { DiscardReason } from '../core/message.js';
import { eventOf, type Input, type MessageInput } from './delivery.js';
import type { FutureRecord } from './durable-future.js';
import type { Execution } from './execution.js';
import type { BufferedKind, MessageBuffer } from './message-buffer.js';
import type { StandUnit } from './stand.js';

/**
 * One turn of an instance: replays if it must, then takes inputs one at a time, each followed by one run of the code, until
 * nothing is left or the turn is large enough. What came of it is a value; nothing here touches a store.
 */
export class Turn implements StandUnit {
  /** Sequence numbers of the stored messages this turn uses up. */
  readonly consumed: number[] = [];
  /** Inputs that exist nowhere else until the turn is committed. */
  readonly volatile: MessageInput[] = [];
  /** Timers that fired in this turn. */
  readonly firedTimers: number[] = [];
  readonly discarded: { readonly input: Input; readonly reason: DiscardReason }[] = [];
  /** Lanes of the buffer that ran dry in memory but perhaps not in the store; to be read after the commit. */
  readonly dryLanes: { readonly kind: BufferedKind; readonly name: string }[] = [];

  private deliveries = 0;
  private idle = false;

  constructor(
    readonly execution: Execution,
    private readonly inbox: Input[],
    private readonly buffer: MessageBuffer,
    private readonly now: () => number,
    /** Whose turn it is, for whoever collects it. */
    readonly owner?: unknown,
  ) {}

  step(): void {
    const { execution } = this;
    if (execution.over) return;
    if (execution.waitsForConditions && execution.resolveCondition()) return;
    if (execution.replaying) return execution.replayNext();
    if (execution.atEndOfReplay) execution.finishReplay();
    if (this.deliveries >= MAX_DELIVERIES_PER_TURN || !this.deliverNext()) this.idle = true;
  }

  atRest(): boolean {
    const { execution } = this;
    if (execution.over) return true;
    if (!this.idle && this.hasWork()) return false;
    execution.checkBlocked();
    if (!execution.over) this.noteDryLanes();
    return true;
  }

  /** Nothing was taken in and nothing decided: there is nothing to commit. */
  get isEmpty(): boolean {
    return this.deliveries === 0 && this.consumed.length === 0 && this.discarded.length === 0;
  }

  /** Stopped at its limit, or at the edge of what memory holds, with a wait that can go on: the next turn must come by itself. */
  get mustContinue(): boolean {
    return !this.execution.over && (this.dryLanes.length > 0 || this.nextBuffered() !== undefined);
  }

  private hasWork(): boolean {
    const { execution } = this;
    if (execution.replaying || execution.atEndOfReplay || execution.waitsForConditions) return true;
    return this.inbox.length > 0 || this.nextBuffered() !== undefined;
  }

  /** Buffered messages first, the oldest open wait before younger ones; then the inbox in order. */
  private deliverNext(): boolean {
    if (!this.execution.hasStarted) return this.deliverStart();
    return this.deliverBuffered() || this.deliverFromInbox();
  }

  /** The first event of a history is its start, whatever else came before it. */
  private deliverStart(): boolean {
    const index = this.inbox.findIndex((input) => input.kind === 'message' && input.message.kind === 'start');
    if (index < 0) return false;
    const start = this.inbox.splice(index, 1)[0] as MessageInput;
    const event = eventOf(this.execution, start, this.now());
    if (typeof event === 'string') return this.discard(start, event);
    this.deliver({ ...event, ...this.takeEarlyCancellation() } as DeliveredEvent, start);
    return true;
  }

  private takeEarlyCancellation(): { cancelledWith?: string } {
    const index = this.inbox.findIndex((input) => input.kind === 'message' && input.message.kind === 'cancel');
    if (index < 0) return {};
    const cancel = this.inbox.splice(index, 1)[0] as MessageInput;
    this.use(cancel);
    return { cancelledWith: cancel.message.kind === 'cancel' ? cancel.message.reason : '' };
  }

  private deliverBuffered(): boolean {
    const wait = this.nextBuffered();
    if (wait === undefined) return false;
    const { seq, message } = this.buffer.take(bufferedKind(wait)!, wait.name)!;
    this.consumed.push(seq);
    const { execution } = this;
    const at = execution.timeOf(this.now());
    this.deliveries++;
    execution.deliver({
      id: execution.nextEventId,
      at,
      kind: wait.kind === 'wait' ? 'EventReceived' : 'MessageDequeued',
      scheduleId: wait.id,
      seq,
      data: message.data,
    });
    return true;
  }

  private nextBuffered(): FutureRecord | undefined {
    if (this.buffer.size === 0) return undefined;
    for (const future of this.execution.open.values()) {
      const kind = bufferedKind(future);
      if (kind !== undefined && this.buffer.has(kind, future.name)) return future;
    }
    return undefined;
  }

  private deliverFromInbox(): boolean {
    // A termination that came while the code runs is for whoever begins the next turn: it delivers nothing.
    if (isTermination(this.inbox[0])) return false;
    const input = this.inbox.shift();
    if (input === undefined) return false;
    if (input.kind === 'message' && input.message.kind === 'continue') {
      this.use(input);
      return true;
    }
    const event = eventOf(this.execution, input, this.now());
    if (typeof event === 'string') return this.discard(input, event);
    this.deliver(event, input);
    return true;
  }

  private deliver(event: DeliveredEvent, input: Input): void {
    this.use(input);
    this.deliveries++;
    this.execution.deliver(event);
  }

  private discard(input: Input, reason: DiscardReason): true {
    this.use(input);
    this.discarded.push({ input, reason });
    return true;
  }

  private use(input: Input): void {
    if (input.kind === 'timer') this.firedTimers.push(input.scheduleId);
    else if (input.seq !== undefined) this.consumed.push(input.seq);
    else this.volatile.push(input);
  }

  private noteDryLanes(): void {
    for (const future of this.execution.open.values()) {
      const kind = bufferedKind(future);
      if (kind !== undefined && this.buffer.mustRead(kind, future.name))
        this.dryLanes.push({ kind, name: future.name });
    }
  }
}

const isTermination = (input: Input | undefined): boolean =>
  input?.kind === 'message' && input.message.kind === 'terminate';

function bufferedKind(future: FutureRecord): BufferedKind | undefined {
  if (future.kind === 'wait') return 'external-event';
  return future.kind === 'dequeue' ? 'queue-message' : undefined;
}
