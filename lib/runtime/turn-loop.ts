import { HandlerMissingError, HistoryCorruptError, PoisonedError, type DurableError } from '../core/errors.js';
import { ENGINE_FORMAT, MAX_BUFFERED_IN_MEMORY, SUSPECT_AFTER_CRASHES, type Limits } from '../core/limits.js';
import { isBuffered, type ActivityCompletionMessage, type StartMessage, type StoredMessage } from '../core/message.js';
import type { Failure } from '../core/failure.js';
import { isFinal, type Ending } from '../core/instance.js';
import type { PayloadCodec, Payload } from '../core/payload.js';
import type {
  ActivityClaim,
  ClaimedActivity,
  Delivered,
  ScheduleKey,
  StartItem,
  TurnItem,
  Verdict,
} from '../provider/batch.js';
import type { LoadedInstance, Provider, StoredTimer } from '../provider/provider.js';
import {
  Execution,
  MessageBuffer,
  openSchedules,
  Stand,
  Turn,
  type BufferedMessage,
  type MessageInput,
  type OpenSchedule,
  type StandUnit,
  type TurnDraft,
} from '../replay/index.js';
import type { ActivityPool } from './activity-pool.js';
import type { Journal } from './journal.js';
import { LiveInstance } from './live-instance.js';
import type { Ports } from './ports.js';
import type { Quarantine } from './quarantine.js';
import type { Registry } from './registry.js';
import { RejectionWatch } from './rejection-watch.js';
import type { EngineCounters, EngineLog, ThrottledLog } from './telemetry.js';
import type { Timers } from './timers.js';
import { placeActivities, type Placement } from './activity-placement.js';
import type { HeldActivity } from './held-activities.js';
import { terminationItem, turnItem } from './turn-item.js';

export interface TurnLoopOptions {
  /** Live executions kept for their next message. */
  readonly cacheSize: number;
  /** An execution nobody called for this long leaves the cache. Milliseconds. */
  readonly cacheIdleMs: number;
  readonly maxCrashes: number;
  readonly buildId: () => string;
}

export interface TurnLoopDeps {
  readonly provider: Provider;
  readonly journal: Journal;
  readonly registry: Registry;
  readonly codec: PayloadCodec;
  readonly limits: Limits;
  readonly ports: Ports;
  readonly counters: EngineCounters;
  readonly log: EngineLog;
  readonly quiet: ThrottledLog;
  /** Lines of `ctx.log`, after the commit of their turn. */
  readonly orchestrationLog: EngineLog;
  readonly quarantine: Quarantine;
  readonly pool: () => ActivityPool;
  readonly timers: () => Timers;
  readonly ended: (instanceId: string, ending: Ending) => void;
  /** Something came in for an instance that another living node owns. */
  readonly ownedElsewhere: (instanceId: string) => void;
}

const LOAD_BATCH = 100;
const READ_LIMIT = 1_000;
const RETRY_MS = 100;
const TOUCH_AFTER_MS = 100;
const NONE: readonly never[] = Object.freeze([]);
const NOTHING = (): void => undefined;

/**
 * Brings instances forward: what arrives for one is put into its inbox, its code runs on the stand until it blocks, and the
 * turn goes to the journal. Whatever is only in memory here may vanish at any instant: it is derived from rows, or goes
 * back to the journal when its turn is refused.
 */
export class TurnLoop {
  private readonly live = new Map<string, LiveInstance>();
  private readonly stand: Stand;
  private readonly rejections = new RejectionWatch();
  private readonly toLoad = new Map<string, { claimable: boolean }>();
  private readonly loading = new Set<string>();
  /** Ids something arrived for while they were being loaded. */
  private readonly loadAgain = new Set<string>();
  /** Their instances may have been read just before they were due. */
  private dueWhileLoading: StoredTimer[] = [];
  private loadScheduled = false;
  private readonly suspects: LiveInstance[] = [];
  private entering = false;
  private leaveQuarantine = NOTHING;
  private alone: LiveInstance | undefined;
  private readonly held: LiveInstance[] = [];
  private stopping = false;
  private stopped = true;
  private cancelSweep: (() => void) | undefined;
  private whenQuiet: (() => void)[] = [];

  constructor(
    private readonly options: TurnLoopOptions,
    private readonly deps: TurnLoopDeps,
  ) {
    this.stand = new Stand(deps.ports.immediate, (units) => this.collect(units), this.rejections);
  }

  node = '';

  start(): void {
    this.stopping = false;
    this.stopped = false;
    this.sweepLater();
  }

  isLive(instanceId: string): boolean {
    return this.live.has(instanceId);
  }

  get cached(): number {
    return this.live.size;
  }

  // ---- what arrives ---------------------------------------------------------------------------------------------------

  /** Messages a commit of this process stored. */
  deliver(messages: readonly Delivered[]): void {
    for (const { instanceId, generation, seq, message } of messages) {
      const live = this.live.get(instanceId);
      if (live !== undefined && live.generation === generation) this.take(live, { seq, message });
      else if (message.kind === 'start' && seq === 1 && live === undefined) this.begin(instanceId, generation, message);
      else this.load(instanceId);
    }
  }

  /** An outcome that only this process knows. False: the execution is not live here, use the journal. */
  deliverCompletion(activity: ClaimedActivity, message: ActivityCompletionMessage): boolean {
    const live = this.live.get(activity.instanceId);
    if (live === undefined || live.generation !== activity.generation || this.stopped) return false;
    live.inbox.push({ kind: 'message', message, claim: activity.claim });
    this.schedule(live);
    return true;
  }

  /** A failed attempt of a held activity, tried again later: its next turn gives it a row. */
  retryHeld(activity: HeldActivity, dueAt: number, failure: Failure): void {
    const live = this.holderOf(activity);
    if (live?.held.retry(activity, dueAt, failure) === true) this.schedule(live);
  }

  /** A held activity this node does not run after all. */
  releaseHeld(activity: HeldActivity): void {
    const live = this.holderOf(activity);
    if (live?.held.release(activity, this.deps.ports.clock.now()) === true) this.schedule(live);
  }

  private holderOf({ instanceId, generation }: HeldActivity): LiveInstance | undefined {
    const live = this.live.get(instanceId);
    return live?.generation === generation ? live : undefined;
  }

  /** Claims of this node whose outcome waits for a turn. */
  *claimsInTurns(): Iterable<ActivityClaim> {
    for (const live of this.live.values()) {
      const { instanceId, generation } = live;
      for (const { message, claim } of live.volatileInputs()) {
        if (message.kind !== 'activity-completion' || claim === 0) continue;
        yield {
          instanceId,
          generation,
          executionId: message.executionId,
          scheduleId: message.scheduleId,
          claim: claim!,
        };
      }
    }
  }

  timersDue(timers: readonly StoredTimer[]): void {
    for (const timer of timers) {
      const { instanceId, generation, executionId, scheduleId } = timer;
      const live = this.live.get(instanceId);
      if (this.loading.has(instanceId)) this.dueWhileLoading.push(timer);
      else if (live === undefined) this.load(instanceId);
      else if (live.generation === generation && live.execution.executionId === executionId) {
        live.inbox.push({ kind: 'timer', executionId, scheduleId });
        this.schedule(live);
      }
    }
  }

  /** The store holds something for this instance. `claimable`: a query said that no living node owns it. */
  wake(instanceId: string, claimable = false): void {
    const live = this.live.get(instanceId);
    if (live === undefined) this.load(instanceId, claimable);
    else this.readOn(live);
  }

  private take(live: LiveInstance, message: StoredMessage): void {
    if (message.seq <= live.seenThrough) return;
    if (message.seq !== live.seenThrough + 1) return this.readOn(live); // others wrote in between
    this.accept(live, message);
    this.schedule(live);
  }

  private accept(live: LiveInstance, { seq, message }: StoredMessage): void {
    live.seenThrough = seq;
    if (isBuffered(message)) live.buffer.add({ seq, message } as BufferedMessage);
    else live.inbox.push({ kind: 'message', message, seq });
  }

  private readOn(live: LiveInstance): void {
    this.attempt(live.instanceId, async () => {
      const messages = await this.deps.provider.messagesAfter(live, live.seenThrough, READ_LIMIT);
      if (live.state === 'gone') return this.wake(live.instanceId); // evicted meanwhile: they woke nobody
      for (const message of messages) if (message.seq > live.seenThrough) this.accept(live, message);
      this.schedule(live);
      if (messages.length === READ_LIMIT) this.readOn(live);
    });
  }

  // ---- loading --------------------------------------------------------------------------------------------------------

  private load(instanceId: string, claimable = false): void {
    if (this.stopping || this.stopped) return;
    if (this.loading.has(instanceId)) {
      this.loadAgain.add(instanceId);
      return;
    }
    const asked = this.toLoad.get(instanceId);
    this.toLoad.set(instanceId, { claimable: claimable || (asked?.claimable ?? false) });
    if (this.loadScheduled) return;
    this.loadScheduled = true;
    this.deps.ports.immediate(() => void this.loadBatch());
  }

  private async loadBatch(): Promise<void> {
    const batch = [...this.toLoad].slice(0, LOAD_BATCH);
    for (const [id] of batch) {
      this.toLoad.delete(id);
      this.loading.add(id);
    }
    let loaded: LoadedInstance[] = [];
    try {
      const limits = { bufferedMessages: MAX_BUFFERED_IN_MEMORY, dueUntil: this.deps.ports.clock.now() };
      loaded = await this.deps.provider.load(
        batch.map(([id]) => id),
        limits,
      );
    } catch (error) {
      this.deps.quiet.warn('load', `cannot load instances, trying again: ${String(error)}`);
      this.deps.ports.setTimer(() => batch.forEach(([id, { claimable }]) => this.load(id, claimable)), RETRY_MS);
    }
    for (const [id] of batch) this.loading.delete(id);
    if (!this.stopped)
      for (const instance of loaded)
        this.enter(instance, batch.find(([id]) => id === instance.instanceId)![1].claimable);
    for (const [id] of batch) if (this.loadAgain.delete(id)) this.wake(id);
    this.timersDue(this.dueWhileLoading.splice(0));
    this.loadScheduled = this.toLoad.size > 0;
    if (this.loadScheduled) this.deps.ports.immediate(() => void this.loadBatch());
    this.noteQuiet();
  }

  /**
   * Runs the first turn of a start that is on its way to the journal: whoever commits the turn has committed the start. False:
   * something of that id is here already.
   */
  beginEarly({ instanceId, generation, name, version, input }: StartItem): boolean {
    if (this.stopping || this.stopped || this.live.has(instanceId)) return false;
    this.begin(instanceId, generation, { kind: 'start', executionId: 1, name, version, input });
    return true;
  }

  /** The start lost: another instance has the id, and may have called meanwhile. */
  unborn({ instanceId, generation }: StartItem): void {
    const live = this.live.get(instanceId);
    if (live?.generation === generation) this.forget(live);
    this.load(instanceId);
  }

  get onStand(): number {
    return this.stand.size;
  }

  /** Nothing about an instance whose start this process commits needs to be read. */
  private begin(instanceId: string, generation: string, start: StartMessage): void {
    if (this.stopping || this.stopped) return;
    const execution = this.newExecution(instanceId, generation, 1, undefined, undefined);
    const live = new LiveInstance(
      instanceId,
      generation,
      0,
      execution,
      new MessageBuffer(),
      start.name,
      start.version,
      start.parent,
      0,
      false,
    );
    this.accept(live, { seq: 1, message: start });
    this.keep(live); // with its work in the inbox: a full cache evicts who has none
    this.schedule(live);
  }

  private enter(row: LoadedInstance, claimable: boolean): void {
    if (isFinal(row.status) || row.status === 'Suspended') return;
    const here = this.live.get(row.instanceId);
    if (here !== undefined) return this.catchUp(here, row);
    if (row.engineFormat > ENGINE_FORMAT) return; // a newer node will; this one must not touch it
    if (row.owner !== null && row.owner !== this.node && !claimable) return this.deps.ownedElsewhere(row.instanceId);
    const hasNew =
      row.messagesIn > row.messagesSeen ||
      row.held > 0 ||
      row.dueTimers.length > 0 ||
      row.messages.some(({ message }) => !isBuffered(message));
    if (!hasNew) return;
    const execution = this.newExecution(row.instanceId, row.generation, row.executionId, row.history, row.kvAtStart);
    const live = new LiveInstance(
      row.instanceId,
      row.generation,
      row.turn,
      execution,
      new MessageBuffer(),
      row.name,
      row.version,
      row.parent,
      row.crashes,
      row.cancelRequested,
    );
    live.seenThrough = row.messagesIn;
    live.seenCommitted = row.messagesSeen;
    live.openBeforeReplay = openSchedules(row.history);
    live.lost = row.held > 0 ? lostOf(row, live.openBeforeReplay) : NONE;
    live.nextEventIdBeforeReplay = row.history.length + 1;
    live.buffer.load(row.messages.filter((message): message is BufferedMessage => isBuffered(message.message)));
    if (row.moreBuffered) live.buffer.truncate();
    for (const { seq, message } of row.messages)
      if (!isBuffered(message)) live.inbox.push({ kind: 'message', message, seq });
    for (const timer of row.dueTimers)
      if (timer.executionId === row.executionId) live.inbox.push({ kind: 'timer', ...timer });
    this.keep(live);
    const unfit = this.unfit(live, row);
    if (unfit !== undefined && !this.terminationOf(live)) return this.suspend(live, unfit);
    if (row.history.length > 0) this.deps.counters.replays++;
    if (row.crashes >= SUSPECT_AFTER_CRASHES) this.suspects.push(live);
    this.schedule(live);
  }

  /** It came into memory another way while it was being read, perhaps without what it was to be read for. */
  private catchUp(live: LiveInstance, { generation, messagesIn }: LoadedInstance): void {
    if (live.generation === generation) {
      if (messagesIn > live.seenThrough) this.readOn(live);
    } else if (live.state === 'idle') {
      this.dropRefused(live); // its life ended on another node
    }
  }

  private unfit(live: LiveInstance, row: LoadedInstance): DurableError | undefined {
    if (row.crashes >= this.options.maxCrashes)
      return new PoisonedError(`The instance ${JSON.stringify(row.instanceId)}`, row.crashes);
    if (row.unreadable !== undefined) return new HistoryCorruptError(row.instanceId, row.unreadable);
    const problem = gapIn(row);
    if (problem !== undefined) return new HistoryCorruptError(row.instanceId, problem);
    const { name, version } = nextHandler(live, row);
    return this.deps.registry.hasOrchestration(name, version)
      ? undefined
      : new HandlerMissingError('orchestration', `${name}@${version}`, row.instanceId);
  }

  private newExecution(
    instanceId: string,
    generation: string,
    executionId: number,
    history: LoadedInstance['history'] | undefined,
    kv: ReadonlyMap<string, Payload> | undefined,
  ): Execution {
    const execution: Execution = new Execution({
      instanceId,
      generation,
      executionId,
      history,
      kv,
      handlers: this.deps.registry,
      codec: this.deps.codec,
      limits: this.deps.limits,
      onForeignCall: (fault) => {
        const live = this.live.get(instanceId);
        // On the stand or sealed the turn loop sees the fault by itself.
        if (live?.execution === execution && live.state === 'idle') this.fail(live, fault);
      },
    });
    return execution;
  }

  // ---- the cache ------------------------------------------------------------------------------------------------------

  private keep(live: LiveInstance): void {
    live.lastUsedAt = this.deps.ports.clock.now();
    this.live.set(live.instanceId, live);
    if (this.live.size > this.options.cacheSize) this.evictBeyond(this.options.cacheSize);
  }

  /** The map is in the order of use, to within a moment: moving an entry at every turn would cost more than it tells. */
  private touch(live: LiveInstance): void {
    const now = this.deps.ports.clock.now();
    if (now - live.lastUsedAt < TOUCH_AFTER_MS) return;
    live.lastUsedAt = now;
    this.live.delete(live.instanceId);
    this.live.set(live.instanceId, live);
  }

  /** Least recently used first; never one with something to do (protocol 12). */
  private evictBeyond(size: number): void {
    for (const live of this.live.values()) {
      if (this.live.size <= size) return;
      if (isEvictable(live)) this.forget(live);
    }
  }

  private sweepLater(): void {
    this.cancelSweep?.();
    this.cancelSweep = this.deps.ports.setTimer(
      () => {
        const before = this.deps.ports.clock.now() - this.options.cacheIdleMs;
        for (const live of this.live.values()) {
          if (live.lastUsedAt > before) break;
          if (isEvictable(live)) this.forget(live);
        }
        this.sweepLater();
      },
      Math.max(100, this.options.cacheIdleMs / 2),
      { unref: true },
    );
  }

  private forget(live: LiveInstance): void {
    live.state = 'gone';
    live.execution.drop();
    if (this.live.get(live.instanceId) === live) this.live.delete(live.instanceId);
    this.noteQuiet();
  }

  // ---- turns ----------------------------------------------------------------------------------------------------------

  private schedule(live: LiveInstance): void {
    if (live.state !== 'idle' || this.stopping || this.stopped) return;
    if (live.execution.fault !== undefined) return this.fail(live, live.execution.fault);
    if (!live.hasWork) return;
    if (this.terminate(live)) return;
    if (live.crashes >= SUSPECT_AFTER_CRASHES) return this.quarantine(live);
    if (this.alone !== undefined) return void this.held.push(live);
    this.enterStand(live);
  }

  private enterStand(live: LiveInstance): void {
    const missing = this.missingHandler(live);
    if (missing !== undefined) return this.suspend(live, missing);
    live.state = 'on-stand';
    live.currentTurn = new Turn(live.execution, live.inbox, live.buffer, this.now, live);
    this.stand.enter(live.currentTurn);
  }

  private readonly now = (): number => this.deps.ports.clock.now();

  private missingHandler(live: LiveInstance): HandlerMissingError | undefined {
    if (live.execution.hasStarted) return undefined;
    const start = live.inbox.find(
      (input): input is MessageInput => input.kind === 'message' && input.message.kind === 'start',
    );
    if (start?.message.kind !== 'start') return undefined;
    const { name, version } = start.message;
    return this.deps.registry.hasOrchestration(name, version)
      ? undefined
      : new HandlerMissingError('orchestration', `${name}@${version}`, live.instanceId);
  }

  /** An instance caught in crashes runs alone, after a mark that makes the next crash its own (protocol 8). */
  private quarantine(live: LiveInstance): void {
    // The one that is being marked takes what arrives meanwhile along; queued again it would keep its mark without a turn.
    if (this.alone !== live && !this.suspects.includes(live)) this.suspects.push(live);
    this.nextSuspect();
  }

  private nextSuspect(): void {
    if (this.alone !== undefined || this.entering || this.suspects.length === 0) return;
    this.entering = true;
    this.deps.quarantine.enter((leave) => {
      this.entering = false;
      const live = this.suspects.find(({ state }) => state === 'idle');
      this.suspects.splice(0, live === undefined ? this.suspects.length : this.suspects.indexOf(live) + 1);
      if (live === undefined) return leave();
      this.leaveQuarantine = leave;
      this.runAlone(live);
    });
  }

  private runAlone(live: LiveInstance): void {
    this.alone = live;
    const { instanceId, generation, turn } = live;
    const proceed = (accepted: boolean): void => {
      if (live.state !== 'idle') return this.release(live);
      if (!accepted) return this.dropRefused(live); // it moved: its messages still need somebody
      if (this.stand.size > 0) return this.deps.ports.immediate(() => proceed(true));
      this.enterStand(live);
      if ((live.state as string) !== 'on-stand') this.release(live);
    };
    this.deps.journal.submit(
      { kind: 'suspect', instanceId, generation, expectedTurn: turn },
      {
        settled: (verdict) => proceed(verdict.kind === 'accepted'),
        failed: (error) => {
          if (this.stopping || this.stopped) return this.forget(live);
          this.deps.log.error(`a suspect runs unmarked: ${String(error)}`, { instanceId });
          proceed(true);
        },
      },
    );
  }

  private release(live: LiveInstance): void {
    if (this.alone !== live) return;
    this.alone = undefined;
    this.leaveQuarantine();
    const held = this.held.splice(0);
    for (const other of held) this.schedule(other);
    this.nextSuspect();
  }

  private collect(units: readonly StandUnit[]): void {
    for (const unit of units) {
      const turn = unit as Turn;
      const live = turn.owner as LiveInstance;
      if (live.state !== 'gone') this.finishTurn(live, turn);
    }
  }

  private finishTurn(live: LiveInstance, turn: Turn): void {
    const { execution } = live;
    if (execution.fault !== undefined) return this.fail(live, execution.fault);
    const draft = execution.takeDraft();
    if (draft.events.length === 0 && turn.isEmpty && live.seenThrough === live.seenCommitted && !live.owesRows) {
      live.currentTurn = undefined;
      live.state = 'idle';
      this.flushLogs(live, draft);
      this.afterTurn(live, turn);
      return;
    }
    for (const { reason } of turn.discarded)
      this.deps.counters.discarded[reason] = (this.deps.counters.discarded[reason] ?? 0) + 1;
    live.state = 'sealed';
    const now = this.deps.ports.clock.now();
    const placement = placeActivities(live, turn, draft, this.reserve, now);
    const item = turnItem(live, turn, draft, placement, now);
    this.submit(live, item, placement.begun.length, () => this.committed(live, turn, draft, item, placement));
  }

  private readonly reserve = (name: string, tag: string | null): boolean => this.deps.pool().reserve(name, tag);

  private submit(live: LiveInstance, item: TurnItem, reserved: number, committed: () => void): void {
    this.deps.journal.submit(item, {
      settled: (verdict: Verdict) => {
        if (live.state === 'gone') return this.deps.pool().unreserve(reserved);
        if (verdict.kind === 'accepted') {
          this.deps.counters.turns++;
          live.turn++;
          live.crashes = 0;
          live.seenCommitted += item.messagesSeen;
          committed();
        } else {
          this.deps.pool().unreserve(reserved);
          this.deps.counters.refusedTurns++;
          this.dropRefused(live);
        }
      },
      failed: (error) => {
        this.deps.pool().unreserve(reserved);
        if (live.state === 'gone') return;
        if (this.stopped || this.stopping) return this.forget(live);
        this.suspend(live, error as DurableError);
      },
    });
  }

  private committed(live: LiveInstance, turn: Turn, draft: TurnDraft, item: TurnItem, placement: Placement): void {
    live.currentTurn = undefined;
    this.flushLogs(live, draft);
    this.settleActivities(live, draft, placement);
    this.settleTimers(live, item);
    if (item.ending !== undefined) return this.finish(live, item.ending, draft);
    if (item.changes !== undefined) ({ version: live.version, cancelRequested: live.cancelRequested } = item.changes);
    if (item.toItself?.kind === 'start') this.continueAsNew(live, item);
    live.state = 'idle';
    this.touch(live);
    this.afterTurn(live, turn);
  }

  private afterTurn(live: LiveInstance, turn: Turn): void {
    for (const lane of turn.dryLanes) this.refill(live, lane.kind, lane.name);
    this.release(live);
    const { inbox, seenThrough, seenCommitted, execution } = live;
    if (inbox.length > 0 || seenThrough > seenCommitted || live.owesRows || execution.fault !== undefined)
      this.schedule(live);
    this.noteQuiet();
  }

  private settleActivities(live: LiveInstance, draft: TurnDraft, { rows, begun, over }: Placement): void {
    const pool = this.deps.pool();
    const { instanceId, generation, held } = live;
    const { executionId } = live.execution;
    live.lost = NONE;
    if (draft.ending !== undefined) held.clear();
    else for (const scheduleId of over) held.remove(scheduleId);
    pool.unreserve(begun.length);
    for (const activity of begun) {
      held.add(activity);
      pool.add(activity);
    }
    for (const futures of [draft.closed, draft.left])
      for (const { kind, id } of futures)
        if (kind === 'activity')
          pool.cancel(instanceId, generation, { executionId, scheduleId: id }, new Error('the activity was cancelled'));
    for (const { dueAt } of rows) pool.expect(dueAt);
  }

  private settleTimers({ instanceId, generation }: LiveInstance, item: TurnItem): void {
    const timers = this.deps.timers();
    for (const timer of item.timers) timers.add({ instanceId, generation, ...timer });
    for (const key of item.closedTimers) timers.remove(instanceId, generation, key);
  }

  private finish(live: LiveInstance, ending: Ending, draft: TurnDraft | undefined): void {
    for (const reason of this.rejections.leftBy(live.execution)) {
      this.deps.log.warn(`a promise of ${live.name} was rejected and nobody looked: ${String(reason)}`, {
        instanceId: live.instanceId,
      });
    }
    if (draft?.ending?.kind === 'OrchestrationFailed') {
      const { name, message } = draft.ending.failure;
      this.deps.log.warn(`${live.name} failed with ${name}: ${message}`, { instanceId: live.instanceId });
    }
    this.forget(live);
    this.release(live);
    this.deps.ended(live.instanceId, ending);
    this.noteQuiet();
  }

  private continueAsNew(live: LiveInstance, item: TurnItem): void {
    const { instanceId, generation } = live;
    live.execution.drop();
    const kv = live.execution.kv;
    live.execution = this.newExecution(instanceId, generation, item.executionId, undefined, kv);
    live.openBeforeReplay = [];
    live.nextEventIdBeforeReplay = 1;
    live.warnedAboutHistory = false;
  }

  private flushLogs(live: LiveInstance, draft: TurnDraft): void {
    const { instanceId, execution } = live;
    for (const { level, message, fields } of draft.logs) {
      this.deps.orchestrationLog[level](message, {
        instanceId,
        executionId: execution.executionId,
        orchestration: execution.name,
        ...fields,
      });
    }
    if (!live.warnedAboutHistory && execution.nextEventId > this.deps.limits.warnHistoryEvents) {
      live.warnedAboutHistory = true;
      this.deps.log.warn(
        `the history of ${execution.name} has ${execution.nextEventId - 1} events: use continueAsNew`,
        { instanceId },
      );
    }
  }

  private refill(live: LiveInstance, kind: BufferedMessage['message']['kind'], name: string): void {
    const lane = `${kind}/${name}`;
    if (live.refilling.has(lane)) return; // a second answer would give again what the first one gave
    live.refilling.add(lane);
    this.attempt(live.instanceId, async () => {
      live.buffer.willRead(kind, name);
      const messages = await this.deps.provider.bufferedMessages(live, kind, name, READ_LIMIT);
      live.refilling.delete(lane);
      if (live.state === 'gone' || live.buffer.has(kind, name)) return;
      live.buffer.refill(kind, name, messages as BufferedMessage[], messages.length < READ_LIMIT);
      if (live.buffer.mustRead(kind, name)) this.refill(live, kind, name); // one came while the answer was on its way
      this.schedule(live);
    });
  }

  // ---- what goes wrong ------------------------------------------------------------------------------------------------

  /** Another node goes on, or the row changed: what only we knew goes back to the journal (protocol 3). */
  private dropRefused(live: LiveInstance): void {
    this.dropAndReturn(live, () => this.load(live.instanceId));
  }

  private dropAndReturn(live: LiveInstance, then: () => void = NOTHING): void {
    const { instanceId, generation, held, execution } = live;
    const isHeld = ({ executionId, scheduleId }: ActivityCompletionMessage): boolean =>
      executionId === execution.executionId && held.has(scheduleId);
    const outcomes = live
      .volatileInputs()
      .flatMap(({ message, claim }) =>
        message.kind === 'activity-completion' && (claim !== 0 || isHeld(message))
          ? [{ message, claim: claim === 0 ? 1 : claim! }]
          : [],
      );
    this.forget(live);
    this.release(live);
    this.keepHeld(live, then);
    for (const { message, claim } of outcomes) {
      const { executionId, scheduleId } = message;
      this.deps.pool().send({ instanceId, generation, executionId, scheduleId, claim }, message);
    }
    this.noteQuiet();
  }

  /** What ran without a row gets one, before its outcome may go to the journal. */
  private keepHeld({ instanceId, generation, turn, held }: LiveInstance, then: () => void): void {
    if (held.size === 0) return then();
    const activities = held.giveRows(this.deps.ports.clock.now());
    this.deps.journal.submit(
      { kind: 'keep-activities', instanceId, generation, expectedTurn: turn, activities },
      {
        settled: () => {
          for (const { claimed, dueAt } of activities) if (!claimed) this.deps.pool().expect(dueAt);
          then();
        },
        failed: (error) => {
          this.deps.log.error(`the activities of an instance could not be handed on: ${String(error)}`, { instanceId });
          then();
        },
      },
    );
  }

  /** Its code cannot go on. A termination that came meanwhile needs none of it, only what is committed. */
  private fail(live: LiveInstance, why: DurableError): void {
    if (this.terminationOf(live)) this.dropRefused(live);
    else this.suspend(live, why);
  }

  /** Consumes nothing: the messages wait for mended code (protocol 18). */
  private suspend(live: LiveInstance, why: DurableError): void {
    const { instanceId, generation, turn } = live;
    const code = typeof why.code === 'string' ? why.code : 'ERR_DURABLE_ENGINE';
    this.deps.counters.suspended++;
    this.deps.log.error(`instance suspended: ${why.message}`, { instanceId, code });
    this.deps.journal.submit(
      {
        kind: 'suspend',
        instanceId,
        generation,
        expectedTurn: turn,
        by: 'engine',
        code,
        reason: String(why.message).replaceAll('\u0000', '\uFFFD').toWellFormed(),
        buildId: this.options.buildId(),
      },
      {
        settled: () => this.noteQuiet(),
        failed: (error) => this.deps.log.error(`the suspension was not stored: ${String(error)}`, { instanceId }),
      },
    );
    this.dropAndReturn(live);
  }

  private terminationOf(live: LiveInstance): boolean {
    return live.inbox.some((input) => input.kind === 'message' && input.message.kind === 'terminate');
  }

  private terminate(live: LiveInstance): boolean {
    const found = live.inbox.find((input) => input.kind === 'message' && input.message.kind === 'terminate');
    if (found?.kind !== 'message' || found.message.kind !== 'terminate') return false;
    const { reason } = found.message;
    const { execution } = live;
    const replayed = execution.hasStarted && !execution.replaying;
    let nextId = replayed ? execution.nextEventId : live.nextEventIdBeforeReplay;
    const firstEventId = nextId;
    const started: object[] = [];
    const start = live.inbox.find(
      (input): input is MessageInput => input.kind === 'message' && input.message.kind === 'start',
    );
    if (nextId === 1 && start?.message.kind === 'start') {
      const { name, version, input, parent } = start.message;
      const at = this.deps.ports.clock.now();
      started.push({
        id: nextId++,
        at,
        kind: 'OrchestrationStarted',
        name,
        version,
        input,
        generation: live.generation,
        executionId: execution.executionId,
        parent,
      });
    }
    const open = replayed ? [...execution.open.values()] : live.openBeforeReplay;
    live.state = 'sealed';
    const item = terminationItem(
      live,
      reason,
      open,
      [{ id: nextId, kind: 'OrchestrationTerminated', reason }],
      firstEventId,
      started,
    );
    this.submit(live, item, 0, () => {
      live.held.clear();
      for (const { kind, id } of open) {
        const key = { executionId: execution.executionId, scheduleId: id };
        if (kind === 'activity')
          this.deps.pool().cancel(live.instanceId, live.generation, key, new Error('the instance was terminated'));
        else if (kind === 'timer') this.deps.timers().remove(live.instanceId, live.generation, key);
      }
      this.finish(live, item.ending!, undefined);
    });
    return true;
  }

  /** Reads for one instance; when the store is in trouble, it is loaded afresh a little later. */
  private attempt(instanceId: string, read: () => Promise<void>): void {
    read().catch((error: unknown) => {
      this.deps.quiet.warn('read', `cannot read for an instance, trying again: ${String(error)}`, { instanceId });
      this.deps.ports.setTimer(() => {
        if (this.live.has(instanceId)) this.attempt(instanceId, read);
        else this.load(instanceId); // evicted meanwhile, with nobody left who knows what was to be read
      }, RETRY_MS);
    });
  }

  // ---- the end --------------------------------------------------------------------------------------------------------

  /** No new turns; those on the stand and on their way are finished. */
  async drain(): Promise<void> {
    this.stopping = true;
    this.cancelSweep?.();
    this.toLoad.clear();
    while (this.isBusy()) await new Promise<void>((resolve) => this.whenQuiet.push(resolve));
  }

  /** After the journal took everything: volatile inputs of dropped executions have become messages. */
  returnVolatile(): void {
    for (const live of [...this.live.values()]) if (live.state === 'idle') this.dropAndReturn(live);
  }

  private isBusy(): boolean {
    if (this.loading.size > 0) return true;
    for (const live of this.live.values()) if (live.state === 'on-stand' || live.state === 'sealed') return true;
    return false;
  }

  private noteQuiet(): void {
    if (this.whenQuiet.length > 0 && !this.isBusy()) for (const resolve of this.whenQuiet.splice(0)) resolve();
  }

  /** At once: the node was declared dead, or its process plays dead. */
  abandon(): void {
    this.stopped = true;
    this.cancelSweep?.();
    this.toLoad.clear();
    this.suspects.length = 0;
    this.held.length = 0;
    this.alone = undefined;
    this.leaveQuarantine();
    for (const live of [...this.live.values()]) this.forget(live);
    for (const resolve of this.whenQuiet.splice(0)) resolve();
  }
}

const isEvictable = (live: LiveInstance): boolean =>
  live.state === 'idle' && live.inbox.length === 0 && live.held.size === 0 && live.seenThrough === live.seenCommitted;

/** Open activities that neither a row nor a living node holds, and whose outcome does not wait for its turn. */
function lostOf(row: LoadedInstance, open: readonly OpenSchedule[]): number[] {
  const known = new Set<string>();
  const note = ({ executionId, scheduleId }: ScheduleKey): unknown => known.add(`${executionId}/${scheduleId}`);
  row.activityRows.forEach(note);
  for (const { message } of row.messages) if (message.kind === 'activity-completion') note(message);
  return open
    .filter(({ kind, id }) => kind === 'activity' && !known.has(`${row.executionId}/${id}`))
    .map(({ id }) => id);
}

/** What will run: the handler of the history, or of the start that waits. */
function nextHandler(live: LiveInstance, row: LoadedInstance): { name: string; version: string } {
  const [first] = row.history;
  if (first?.kind === 'OrchestrationStarted') return first;
  const start = live.inbox.find(
    (input): input is MessageInput => input.kind === 'message' && input.message.kind === 'start',
  );
  return start?.message.kind === 'start' ? start.message : row;
}

function gapIn(row: LoadedInstance): string | undefined {
  for (let index = 0; index < row.history.length; index++) {
    const event = row.history[index];
    if (event?.id !== index + 1) return `event ${index + 1} is missing`;
  }
  if (row.history.length > 0 && row.history[0]!.kind !== 'OrchestrationStarted')
    return 'it does not begin with OrchestrationStarted';
  if (row.history.length + 1 !== row.nextEventId)
    return `it ends at event ${row.history.length}, the instance expects ${row.nextEventId - 1}`;
  return undefined;
}
