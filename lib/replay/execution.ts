import type { PayloadCodec, Payload } from '../core/payload.js';
import {
  ForeignAwaitError,
  HandlerMissingError,
  HistoryCorruptError,
  InvalidOptionError,
  LimitExceededError,
  NondeterminismError,
  OrchestrationCancelledError,
} from '../core/errors.js';
import { failureOf } from '../core/failure.js';
import {
  isDelivered,
  type ActionEvent,
  type DeliveredEvent,
  type HistoryEvent,
  type OrchestrationStarted,
  type ParentLink,
  type TerminalEvent,
} from '../core/history-event.js';
import type { Limits } from '../core/limits.js';
import { settle } from './actions/settle.js';
import { cancelledError, createFuture, rejectHandled, type FutureKind, type FutureRecord } from './durable-future.js';
import { describe, difference } from './history-matcher.js';
import type { OrchestrationContext } from './orchestration-context.js';
import { executionOnStand } from './stand.js';
import { emptyDraft, type LogLine, type TurnDraft } from './turn-draft.js';
import type { Handlers } from './handlers.js';
import { createContext } from './context.js';

/** Why an execution cannot go on: the instance is suspended, and its messages wait for the mended code. */
export type Fault =
  NondeterminismError | ForeignAwaitError | LimitExceededError | HistoryCorruptError | HandlerMissingError;

export interface ExecutionOptions {
  readonly instanceId: string;
  readonly generation: string;
  readonly executionId: number;
  readonly handlers: Handlers;
  readonly codec: PayloadCodec;
  readonly limits: Limits;
  /** The committed history; its code runs again and must decide the same. */
  readonly history?: readonly HistoryEvent[];
  /** The history may stop in the middle of a run of the code (a prefix, in tests): more decisions at its end are new ones. */
  readonly openEnded?: boolean;
  /** KV at the beginning of this execution. */
  readonly kv?: ReadonlyMap<string, Payload>;
  /** The code did something while it was not on the stand: it awaited what is not durable. Called once. */
  readonly onForeignCall?: (fault: ForeignAwaitError) => void;
}

const NO_DETAILS = Object.freeze({});

interface Condition {
  readonly holds: () => boolean;
  readonly promise: Promise<true>;
  readonly shielded: boolean;
  readonly resolve: (value: true) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One execution of an orchestration: events in, decisions out. Its code is ordinary `async` TypeScript, suspended at an
 * await; delivering an event lets it run until it blocks again, and what it decided gathers in the draft of the turn.
 *
 * While it replays, the same deliveries come from history and each decision is compared with the recorded one.
 */
export class Execution {
  readonly instanceId: string;
  readonly generation: string;
  readonly executionId: number;
  readonly codec: PayloadCodec;
  readonly handlers: Handlers;
  readonly limits: Limits;
  readonly context: OrchestrationContext;
  /** Open futures by schedule id, in schedule order. */
  readonly open = new Map<number, FutureRecord>();
  readonly kv: Map<string, Payload>;

  name = '';
  version = '';
  parent: ParentLink | undefined;
  /** Epoch milliseconds of the event being delivered. */
  now = 0;
  nextEventId = 1;
  draft: TurnDraft;
  fault: Fault | undefined;
  ending: TerminalEvent | undefined;
  /** Set once the cancellation was delivered. */
  cancellation: OrchestrationCancelledError | undefined;
  shieldDepth = 0;
  /** While the function of a `sideEffect` runs, which no replay runs again. */
  inSideEffect = false;
  /** Calls of `newGuid`, `random` so far: what makes the next one different. */
  chanceCounter = 0;

  private readonly history: readonly HistoryEvent[];
  private cursor = 0;
  private readonly conditions: Condition[] = [];
  private conditionsChecked = true;
  private settledCounter = 0;
  private replayed: boolean;
  private dropped = false;
  private started = false;

  constructor(private readonly options: ExecutionOptions) {
    this.instanceId = options.instanceId;
    this.generation = options.generation;
    this.executionId = options.executionId;
    this.codec = options.codec;
    this.handlers = options.handlers;
    this.limits = options.limits;
    this.history = options.history ?? [];
    this.replayed = this.history.length === 0;
    this.kv = new Map(options.kv);
    this.draft = emptyDraft(1);
    this.context = createContext(this);
  }

  // ---- what the turn asks -------------------------------------------------------------------------------------------

  get replaying(): boolean {
    return this.cursor < this.history.length;
  }

  /** Every decision must be one that is recorded: while history is replayed, and during its last run. */
  get boundByHistory(): boolean {
    return this.replaying || (this.atEndOfReplay && !this.options.openEnded);
  }

  /** Ended, faulty or dropped: nothing can be delivered any more. */
  get over(): boolean {
    return this.ending !== undefined || this.fault !== undefined || this.dropped;
  }

  get hasStarted(): boolean {
    return this.started;
  }

  get waitsForConditions(): boolean {
    return !this.conditionsChecked && this.conditions.length > 0;
  }

  /** Lets the first condition that holds go on; the rest is asked again after it ran. */
  resolveCondition(): boolean {
    this.conditionsChecked = true;
    for (let index = 0; index < this.conditions.length; index++) {
      const condition = this.conditions[index]!;
      let holds: boolean;
      try {
        holds = condition.holds();
      } catch (error) {
        this.conditions.splice(index, 1);
        condition.reject(error);
        this.conditionsChecked = false;
        return true;
      }
      if (!holds) continue;
      this.conditions.splice(index, 1);
      condition.resolve(true);
      this.conditionsChecked = false;
      return true;
    }
    return false;
  }

  /** Delivers the next event of the history. The decisions that followed it were compared while its code ran. */
  replayNext(): void {
    const event = this.history[this.cursor]!;
    if (!isDelivered(event)) return this.failReplay(describe(event), 'the code did nothing');
    this.cursor++;
    this.nextEventId = event.id + 1;
    this.dispatch(event);
  }

  /** Appends and delivers a new event. Its code runs in the microtasks that follow. */
  deliver(event: DeliveredEvent): void {
    this.draft.events.push(event);
    this.nextEventId = event.id + 1;
    if (this.nextEventId > this.limits.maxHistoryEvents) {
      this.fault = new LimitExceededError(
        'history events',
        this.nextEventId - 1,
        this.limits.maxHistoryEvents,
        this.instanceId,
      );
      return;
    }
    this.dispatch(event);
  }

  /** The time of an event appended now: never before the one before it (protocol 13). */
  timeOf(clockNow: number): number {
    return Math.max(this.now, clockNow);
  }

  /** After the code blocked: blocked on nothing durable means it awaits something a replay cannot repeat. */
  checkBlocked(): void {
    if (this.over || !this.started || this.open.size > 0 || this.conditions.length > 0) return;
    this.fault = new ForeignAwaitError(
      this.instanceId,
      this.name,
      'an await that is not durable (no open activity, timer, wait, child or condition)',
    );
  }

  /** The history is used up and its last run compared; `finishReplay` opens the execution to new deliveries. */
  get atEndOfReplay(): boolean {
    return !this.replayed && !this.replaying;
  }

  finishReplay(): void {
    this.replayed = true;
    if (!this.options.openEnded) this.draft = emptyDraft(this.nextEventId);
  }

  /** Takes what was decided since the last time. */
  takeDraft(): TurnDraft {
    const draft = this.draft;
    this.draft = emptyDraft(this.nextEventId);
    return draft;
  }

  /** The execution lost its instance or leaves the cache: whatever its code still does goes nowhere. */
  drop(): void {
    this.dropped = true;
  }

  // ---- what actions and the context ask -------------------------------------------------------------------------------

  /**
   * May the code act now? Off the stand the answer is no and the instance is suspended, because what led here was not
   * recorded; in an execution that ended, failed or was dropped it is a silent no.
   *
   * @throws InvalidOptionError inside a side effect: a replay would not make the call.
   */
  mayAct(call: string): boolean {
    if (this.over) return false;
    if (executionOnStand() !== this) {
      this.reportForeign(call);
      return false;
    }
    if (this.inSideEffect)
      throw new InvalidOptionError(
        'the function of sideEffect()',
        `a call of ${call}`,
        'plain code, and act on its result',
      );
    return true;
  }

  private reportForeign(call: string): void {
    this.fault = new ForeignAwaitError(this.instanceId, this.name, call);
    this.options.onForeignCall?.(this.fault);
  }

  /** `undefined`, or the error with which a cancelled execution refuses a new durable call. */
  refusal(): OrchestrationCancelledError | undefined {
    return this.shieldDepth > 0 ? undefined : this.cancellation;
  }

  /**
   * Makes a decision. New ones join the draft; in a replay the recorded one comes back, and wins wherever a value may
   * differ (a timer's due time, a side effect's value). `undefined`: it does not match, and the execution is at fault.
   */
  decide<E extends ActionEvent>(asked: E): E | undefined {
    if (this.cursor < this.history.length) {
      const recorded = this.history[this.cursor]!;
      const differs = difference(recorded, asked);
      if (differs !== undefined) {
        this.failReplay(differs.recorded, differs.asked);
        return undefined;
      }
      this.cursor++;
      this.nextEventId = recorded.id + 1;
      return recorded as E;
    }
    if (this.boundByHistory) {
      // A turn commits whole, so the committed history holds every decision of its last run: the code has changed.
      this.failReplay('nothing more', describe(asked));
      return undefined;
    }
    this.nextEventId = asked.id + 1;
    this.draft.events.push(asked);
    return asked;
  }

  openFuture(
    id: number,
    kind: FutureKind,
    name: string,
    details: Pick<FutureRecord, 'child' | 'activity'> = NO_DETAILS,
  ): FutureRecord {
    const record = createFuture(this, id, kind, name, this.shieldDepth > 0, details);
    this.open.set(id, record);
    return record;
  }

  /** The open future a completion belongs to, closed. A history that completes it twice is corrupt. */
  closeFuture(event: DeliveredEvent & { readonly scheduleId: number }, kind: FutureKind): FutureRecord | undefined {
    const record = this.open.get(event.scheduleId);
    if (record === undefined || record.kind !== kind) {
      this.fault = new HistoryCorruptError(
        this.instanceId,
        `event ${event.id} (${event.kind}) refers to ${event.scheduleId}, which is no open ${kind}`,
      );
      return undefined;
    }
    this.open.delete(event.scheduleId);
    record.settledOrder = ++this.settledCounter;
    return record;
  }

  /** `future.cancel()`, and what `select` does to its losers. */
  cancelFuture(record: FutureRecord, reason: string | undefined, by?: string): void {
    if (!this.open.has(record.id) || !this.mayAct(`cancel() of ${record.kind} ${record.name}`)) return;
    const decided = this.decide({ id: this.nextEventId, kind: 'FutureCancelled', scheduleId: record.id });
    if (decided === undefined) return;
    this.closeOpen(record);
    record.cancelledBy = by ?? 'cancel()';
    rejectHandled(record, cancelledError(record, reason));
  }

  /** Rejects every open future that is not shielded, in schedule order. */
  cancelOpen(error: OrchestrationCancelledError): void {
    this.cancellation = error;
    for (const record of [...this.open.values()]) {
      if (record.shielded) continue;
      this.closeOpen(record);
      record.cancelledBy = 'the cancellation of the orchestration';
      rejectHandled(record, error);
    }
    for (const condition of this.conditions.splice(0)) {
      if (condition.shielded) this.conditions.push(condition);
      else condition.reject(error);
    }
  }

  private closeOpen(record: FutureRecord): void {
    this.open.delete(record.id);
    record.settledOrder = ++this.settledCounter;
    if (!this.draft.forget(record.id)) this.draft.closed.push(record);
  }

  addCondition(holds: () => boolean): Promise<true> {
    this.conditionsChecked = false;
    let resolve!: (value: true) => void;
    let reject!: (error: unknown) => void;
    const promise = new Promise<true>((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    this.conditions.push({ holds, promise, shielded: this.shieldDepth > 0, resolve, reject });
    promise.catch(() => undefined);
    return promise;
  }

  dropCondition(promise: Promise<true>): void {
    const index = this.conditions.findIndex((condition) => condition.promise === promise);
    if (index >= 0) this.conditions.splice(index, 1);
  }

  /** Configured limits never throw into orchestration code (protocol 27): they suspend. */
  exceeds(what: string, value: number, limit: number): boolean {
    if (value <= limit) return false;
    this.fault = new LimitExceededError(what, value, limit, this.instanceId);
    return true;
  }

  /**
   * A new decision for a handler this node does not know suspends the instance until it is deployed. An activity with a
   * tag may be served elsewhere.
   */
  lacksActivity(name: string, tag: string | undefined): boolean {
    if (tag !== undefined || this.handlers.hasActivity(name)) return false;
    this.fault = new HandlerMissingError('activity', name, this.instanceId);
    return true;
  }

  lacksOrchestration(name: string, version: string | undefined): boolean {
    if (version !== undefined && this.handlers.hasOrchestration(name, version)) return false;
    this.fault = new HandlerMissingError(
      'orchestration',
      version === undefined ? name : `${name}@${version}`,
      this.instanceId,
    );
    return true;
  }

  encode(value: unknown, what: string): Payload | undefined {
    const text = this.codec.encode(value, what);
    return this.exceeds(`payload of ${what}`, text.length, this.limits.maxPayloadBytes) ? undefined : text;
  }

  /** What cannot be decoded is no decision of the code: it suspends, with another codec it may be read. */
  decode(text: Payload, what: string): unknown {
    try {
      return this.codec.decode(text);
    } catch (error) {
      this.fault ??= new HistoryCorruptError(this.instanceId, `${what} cannot be decoded`, error);
      throw this.fault;
    }
  }

  log(line: LogLine): void {
    if (this.replayed) this.draft.logs.push(line);
  }

  /** The first of {continueAsNew, run() settled} decides; what comes later is refused silently (protocol 14). */
  end(event: TerminalEvent): void {
    if (!this.mayAct(`the end of run() (${event.kind})`)) return;
    const decided = this.decide(event);
    if (decided === undefined) return;
    this.ending = decided;
    this.draft.ending = decided;
    this.draft.left = [...this.open.values()];
  }

  // ---- running the code ---------------------------------------------------------------------------------------------

  private dispatch(event: DeliveredEvent): void {
    this.now = event.at;
    this.conditionsChecked = false;
    try {
      if (event.kind === 'OrchestrationStarted') this.start(event);
      else settle(this, event);
    } catch (error) {
      this.fault ??= new HistoryCorruptError(
        this.instanceId,
        `event ${event.id} (${event.kind}) cannot be delivered`,
        error,
      );
    }
  }

  private start(event: OrchestrationStarted): void {
    this.name = event.name;
    this.version = event.version;
    this.parent = event.parent;
    this.started = true;
    if (event.cancelledWith === undefined) return void this.run(this.decode(event.input, `the input of ${event.name}`));
    this.cancellation = new OrchestrationCancelledError(this.instanceId, event.cancelledWith);
    this.end(this.cancelledEnd());
  }

  private async run(input: unknown): Promise<void> {
    let ending: TerminalEvent;
    try {
      const code = this.handlers.create(this.name, this.version);
      const output = await code.run(this.context, input);
      const text = this.codec.encode(output, `the result of ${this.name}`);
      if (this.exceeds(`payload of the result of ${this.name}`, text.length, this.limits.maxPayloadBytes)) return;
      ending = { id: this.nextEventId, kind: 'OrchestrationCompleted', output: text };
    } catch (error) {
      ending = this.endingOf(error);
    }
    this.end(ending);
  }

  private endingOf(error: unknown): TerminalEvent {
    if (error === this.cancellation && error !== undefined) return this.cancelledEnd();
    return { id: this.nextEventId, kind: 'OrchestrationFailed', failure: failureOf(error) };
  }

  private cancelledEnd(): TerminalEvent {
    return { id: this.nextEventId, kind: 'OrchestrationCancelled', reason: this.cancellation!.reason };
  }

  private failReplay(recorded: string, asked: string): void {
    this.fault = new NondeterminismError({
      instanceId: this.instanceId,
      orchestrationName: this.name,
      orchestrationVersion: this.version,
      eventId: this.cursor < this.history.length ? this.history[this.cursor]!.id : this.nextEventId,
      recorded,
      asked,
    });
  }
}
