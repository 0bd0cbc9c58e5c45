import { ActivityTimeoutError, PayloadTooLargeError, PoisonedError } from '../core/errors.js';
import { failureOf, type Failure } from '../core/failure.js';
import { SUSPECT_AFTER_CRASHES, type Limits } from '../core/limits.js';
import type { ActivityCompletionMessage } from '../core/message.js';
import type { PayloadCodec } from '../core/payload.js';
import { nextRetryDelayMs } from '../core/retry-policy.js';
import type { ResolvedActivityOptions } from '../core/activity-options.js';
import type { ActivityClaim, ClaimedActivity, ScheduleKey, Verdict } from '../provider/batch.js';
import type { Provider } from '../provider/provider.js';
import { AttemptContext } from './activity-context.js';
import type { HeldActivity } from './held-activities.js';
import type { Journal } from './journal.js';
import type { Ports } from './ports.js';
import type { Quarantine } from './quarantine.js';
import type { Registry } from './registry.js';
import type { EngineCounters, EngineLog, ThrottledLog } from './telemetry.js';

export interface ActivityPoolOptions {
  /** Attempts that run at once. */
  readonly concurrency: number;
  /** Activities claimed ahead of a free slot, so that a slot never waits for a commit. */
  readonly backlog: number;
  readonly tags: readonly string[];
  /** Crashes of a process after which an activity is poisoned. */
  readonly maxCrashes: number;
}

/** Hands a completion to its live execution. False: it is not live here. */
export type DeliverLocally = (activity: ClaimedActivity, message: ActivityCompletionMessage) => boolean;

/** What becomes of an activity without a row (`claim` 0) is for its instance's next turn. */
export interface HeldWork {
  retry(activity: HeldActivity, dueAt: number, failure: Failure): void;
  release(activity: HeldActivity): void;
}

interface Attempt {
  readonly activity: ClaimedActivity;
  readonly context: AttemptContext;
  cancelTimeout?: () => void;
  /** Its outcome is known, or it was given up: what it still does goes nowhere. */
  over: boolean;
}

/** Activities claimed by one statement. */
const MAX_CLAIMS = 1_000;

const NO_OPTIONS: ResolvedActivityOptions = Object.freeze({});

/**
 * Runs claimed activities, a bounded number at a time. A result goes straight to the live execution and becomes durable in
 * the turn that takes it; a result for an instance that is elsewhere, and every retry, goes through the journal, compared
 * with its claim.
 */
export class ActivityPool {
  private readonly queue: ClaimedActivity[] = [];
  private readonly suspects: ClaimedActivity[] = [];
  private suspectRuns = false;
  private entering = false;
  private leaveQuarantine = (): void => undefined;
  private readonly running = new Map<ClaimedActivity, Attempt>();
  /** Claims given up or completed by items of their own that are on their way. */
  private readonly leaving = new Set<string>();
  /** Claims that came while the store was asked what this node holds. */
  private cameMeanwhile: Set<string> | undefined;
  private reserved = 0;
  private claiming = false;
  /** The store may hold activities nobody has claimed. */
  private moreInStore = false;
  private cancelAlarm: (() => void) | undefined;
  private stopping = false;
  private stopped = true;
  private names: string[] = [];
  private whenIdle: (() => void)[] = [];

  constructor(
    private readonly options: ActivityPoolOptions,
    private readonly deps: {
      readonly provider: Provider;
      readonly journal: Journal;
      readonly registry: Registry;
      readonly codec: PayloadCodec;
      readonly limits: Limits;
      readonly ports: Ports;
      readonly counters: EngineCounters;
      readonly log: EngineLog;
      readonly quiet: ThrottledLog;
      readonly quarantine: Quarantine;
      readonly deliver: DeliverLocally;
      readonly held: HeldWork;
      /** Claims of this node whose outcome waits for a turn. */
      readonly claimsInTurns: () => Iterable<ActivityClaim>;
      /** Due activities went to the store: other nodes may have room for them, or their handlers. */
      readonly left: () => void;
    },
  ) {}

  start(): void {
    this.stopped = false;
    this.stopping = false;
    this.names = this.deps.registry.activityNames();
    this.claimMore();
  }

  /** May the turn being committed claim this activity for this node? Each yes takes a place until `add` or `unreserve`. */
  reserve(name: string, tag: string | null): boolean {
    if (this.stopping || this.stopped || this.free <= 0) return false;
    if (!this.deps.registry.hasActivity(name) || (tag !== null && !this.options.tags.includes(tag))) return false;
    this.reserved++;
    return true;
  }

  unreserve(count: number): void {
    this.reserved -= count;
  }

  private get free(): number {
    const { concurrency, backlog } = this.options;
    return concurrency + backlog - this.running.size - this.queue.length - this.suspects.length - this.reserved;
  }

  /** Takes over a claim, or what its instance holds without a row: either is durable. */
  add(activity: ClaimedActivity): void {
    this.cameMeanwhile?.add(claimOf(activity));
    if (this.stopping || this.stopped) return this.release(activity);
    if (activity.crashes >= SUSPECT_AFTER_CRASHES) this.suspects.push(activity);
    else this.queue.push(activity);
    this.pump();
  }

  /** There is work in the store that nobody holds. */
  claimMore(): void {
    this.moreInStore = true;
    if (this.claiming || this.stopping || this.stopped || this.names.length === 0) return;
    const limit = Math.min(this.free, MAX_CLAIMS);
    if (limit <= 0 || limit < Math.min(MAX_CLAIMS, this.options.backlog / 4)) return; // asked again when slots are free
    this.claiming = true;
    this.moreInStore = false;
    this.reserved += limit;
    this.deps.journal.submit(
      { kind: 'claim-activities', limit, names: this.names, tags: this.options.tags },
      {
        settled: (verdict) => void this.claimed(limit, verdict),
        failed: () => {
          this.claiming = false;
          this.reserved -= limit;
        },
      },
    );
  }

  private async claimed(limit: number, verdict: Verdict): Promise<void> {
    const activities = verdict.kind === 'claimed' ? (verdict.activities ?? (await this.findOutWhatIsHeld())) : [];
    this.claiming = false;
    this.reserved -= limit;
    if (verdict.kind !== 'claimed') return;
    for (const activity of activities) this.add(activity);
    if (verdict.activities === undefined || activities.length === limit) this.claimMore();
    else await this.wakeForNextDue();
  }

  /** The answer of a claim was lost: what this node holds in the store, but memory did not know of meanwhile, is it. */
  private async findOutWhatIsHeld(): Promise<ClaimedActivity[]> {
    while (!this.stopped) {
      const known = (this.cameMeanwhile = new Set(this.knownClaims()));
      try {
        const held = await this.deps.provider.claimedActivities(this.node);
        for (const claim of this.knownClaims()) known.add(claim);
        return held.filter((activity) => !known.has(claimOf(activity)));
      } catch (error) {
        this.deps.quiet.warn('held', `cannot ask which activities this node holds, asking again: ${String(error)}`);
        await new Promise<void>((resolve) => this.deps.ports.setTimer(resolve, 1_000));
      } finally {
        this.cameMeanwhile = undefined;
      }
    }
    return [];
  }

  private *knownClaims(): Iterable<string> {
    for (const { activity } of this.running.values()) yield claimOf(activity);
    for (const activity of this.queue) yield claimOf(activity);
    for (const activity of this.suspects) yield claimOf(activity);
    yield* this.leaving;
    for (const claim of this.deps.claimsInTurns()) yield claimOf(claim);
  }

  node = '';

  private async wakeForNextDue(): Promise<void> {
    try {
      const dueAt = await this.deps.provider.nextActivityDueAt(this.names, this.options.tags);
      if (dueAt !== null) this.wakeAt(dueAt);
    } catch (error) {
      this.deps.quiet.warn('next due', `cannot ask for the next due activity, asking again: ${String(error)}`);
      this.wakeAt(this.deps.ports.clock.now() + 1_000);
    }
  }

  private alarmAt = Infinity;

  /** A row that nobody has claimed becomes due then. */
  expect(dueAt: number): void {
    if (dueAt > this.deps.ports.clock.now()) this.wakeAt(dueAt);
    else {
      this.claimMore();
      this.deps.left();
    }
  }

  private wakeAt(dueAt: number): void {
    if (this.stopped || dueAt >= this.alarmAt) return;
    this.cancelAlarm?.();
    this.alarmAt = dueAt;
    const wait = Math.max(0, dueAt - this.deps.ports.clock.now());
    this.cancelAlarm = this.deps.ports.setTimer(() => this.ring(), wait, { unref: true });
  }

  private ring(): void {
    this.alarmAt = Infinity;
    this.claimMore();
  }

  private pump(): void {
    while (this.queue.length > 0 && this.running.size < this.options.concurrency) this.run(this.queue.shift()!);
    this.nextSuspect();
    if (this.moreInStore) this.claimMore();
  }

  private nextSuspect(): void {
    if (this.suspectRuns || this.entering || this.suspects.length === 0) return;
    this.entering = true;
    this.deps.quarantine.enter((leave) => {
      this.entering = false;
      const [activity] = this.suspects;
      if (activity === undefined) return leave();
      this.suspectRuns = true;
      this.leaveQuarantine = leave;
      this.runSuspect(activity);
    });
  }

  /** Alone among suspects, and after a mark that makes the next crash its own (protocol 8). */
  private runSuspect(activity: ClaimedActivity): void {
    const { instanceId, generation, executionId, scheduleId, claim } = activity;
    const proceed = (marked: boolean): void => {
      const waits = this.suspects[0] === activity;
      if (waits) this.suspects.shift();
      if (marked && waits && !this.stopped) return this.run(activity);
      this.endSuspect();
      this.pump();
    };
    this.deps.journal.submit(
      { kind: 'suspect-activity', instanceId, generation, executionId, scheduleId, claim },
      {
        settled: (verdict) => proceed(verdict.kind === 'accepted'),
        failed: (error) => {
          this.deps.log.error(`activity ${activity.name} of ${instanceId} runs unmarked: ${String(error)}`);
          proceed(!this.stopping);
        },
      },
    );
  }

  // ---- one attempt ----

  private run(activity: ClaimedActivity): void {
    const attempt: Attempt = { activity, context: new AttemptContext(activity), over: false };
    this.running.set(activity, attempt);
    const options = activity.options === null ? NO_OPTIONS : (JSON.parse(activity.options) as ResolvedActivityOptions);
    const refusal = this.refusal(activity, options);
    if (refusal !== undefined) return this.failed(attempt, refusal, { ...options, retry: undefined });
    this.armTimeout(attempt, options);
    this.deps.counters.activitiesRun++;
    try {
      const args = this.deps.codec.decode(activity.args) as readonly unknown[];
      const result = attempt.context.enter(() => this.deps.registry.activity(activity.name)!(args, attempt.context));
      if (isThenable(result)) {
        result.then(
          (value) => this.completed(attempt, value, options),
          (error: unknown) => this.failed(attempt, error, options),
        );
      } else {
        this.completed(attempt, result, options);
      }
    } catch (error) {
      this.failed(attempt, error, options);
    }
  }

  private refusal(activity: ClaimedActivity, options: ResolvedActivityOptions): Error | undefined {
    if (activity.crashes >= this.options.maxCrashes)
      return new PoisonedError(`The activity ${activity.name}`, activity.crashes);
    if (options.scheduleToCloseMs !== undefined && this.elapsed(activity) >= options.scheduleToCloseMs) {
      return new ActivityTimeoutError(activity.name, 'scheduleToCloseTimeout', options.scheduleToCloseMs);
    }
    return undefined;
  }

  private elapsed(activity: ClaimedActivity): number {
    return this.deps.ports.clock.now() - activity.scheduledAt;
  }

  private armTimeout(attempt: Attempt, options: ResolvedActivityOptions): void {
    const { startToCloseMs = Infinity, scheduleToCloseMs = Infinity } = options;
    const rest = scheduleToCloseMs - this.elapsed(attempt.activity);
    const ms = Math.min(startToCloseMs, rest);
    if (ms === Infinity) return;
    const error =
      rest < startToCloseMs
        ? new ActivityTimeoutError(attempt.activity.name, 'scheduleToCloseTimeout', scheduleToCloseMs)
        : new ActivityTimeoutError(attempt.activity.name, 'startToCloseTimeout', startToCloseMs);
    attempt.cancelTimeout = this.deps.ports.setTimer(() => {
      attempt.context.abort(error);
      this.failed(attempt, error, options);
    }, ms);
  }

  private completed(attempt: Attempt, value: unknown, options: ResolvedActivityOptions): void {
    if (attempt.over) return;
    let result: string;
    try {
      result = this.deps.codec.encode(value, `the result of ${attempt.activity.name}`);
      const limit = this.deps.limits.maxPayloadBytes;
      if (result.length > limit)
        throw new PayloadTooLargeError(`The result of ${attempt.activity.name}`, result.length, limit);
    } catch (error) {
      // It ran, and would return the same again: trying once more would only repeat its effects.
      return this.failed(attempt, error, { ...options, retry: undefined });
    }
    this.close(attempt, 'until stored');
    this.report(attempt.activity, { result });
  }

  private failed(attempt: Attempt, error: unknown, options: ResolvedActivityOptions): void {
    if (attempt.over) return;
    const { activity } = attempt;
    this.close(attempt, this.stopping ? undefined : 'until stored');
    // From the moment shutdown begins a failing attempt is released: its pools may just have been closed (protocol 10).
    if (this.stopping) return this.release(activity);
    const failure = failureOf(error);
    const delay = nextRetryDelayMs({
      policy: options.retry,
      attempt: activity.attempt,
      failure,
      chance: this.deps.ports.chance(),
      elapsedMs: this.elapsed(activity),
      scheduleToCloseMs: options.scheduleToCloseMs,
    });
    if (delay === null) return this.report(activity, { failure });
    this.retry(activity, failure, delay);
  }

  private endSuspect(): void {
    this.suspectRuns = false;
    this.leaveQuarantine();
  }

  /** Its mark lasts until its outcome is stored: if the next one began before, a crash would be blamed on both. */
  private suspectStored({ crashes }: { readonly crashes: number }): void {
    if (crashes < SUSPECT_AFTER_CRASHES) return;
    this.endSuspect();
    this.pump();
  }

  private close(attempt: Attempt, marked?: 'until stored'): void {
    attempt.over = true;
    attempt.cancelTimeout?.();
    this.running.delete(attempt.activity);
    if (attempt.activity.crashes >= SUSPECT_AFTER_CRASHES && marked === undefined) this.endSuspect();
    if (this.queue.length > 0 || this.suspects.length > 0 || this.moreInStore) this.pump();
    if (this.running.size === 0) for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  private report(activity: ClaimedActivity, outcome: { result?: string; failure?: Failure }): void {
    const message: ActivityCompletionMessage = {
      kind: 'activity-completion',
      executionId: activity.executionId,
      scheduleId: activity.scheduleId,
      attempts: activity.attempt,
      ...outcome,
    };
    // The outcome of a suspect does not wait for the turn of an instance, which may be one, too.
    if (activity.crashes < SUSPECT_AFTER_CRASHES && this.deps.deliver(activity, message)) return;
    // Without a row and without its instance nobody waits for it: its schedule was closed.
    if (activity.claim > 0) this.send(activity, message, () => this.suspectStored(activity));
  }

  /** The durable way of a completion whose execution is not live here, or lost its turn. */
  send(
    activity: Omit<ClaimedActivity, 'args' | 'options' | 'tag' | 'name' | 'attempt' | 'crashes' | 'scheduledAt'>,
    message: ActivityCompletionMessage,
    stored: () => void = () => undefined,
  ): void {
    const { instanceId, generation, executionId, scheduleId, claim } = activity;
    this.leaving.add(claimOf(activity));
    this.deps.journal.submit(
      { kind: 'complete-activity', instanceId, generation, executionId, scheduleId, claim, message },
      {
        settled: () => {
          this.leaving.delete(claimOf(activity));
          stored();
        },
        failed: (error) => {
          this.leaving.delete(claimOf(activity));
          // The value itself cannot be stored: that is the recorded outcome (protocol 5).
          if (message.failure === undefined && !this.stopped)
            return this.send(activity, { ...message, result: undefined, failure: failureOf(error) }, stored);
          stored();
          this.deps.log.error(
            `the outcome of activity ${executionId}/${scheduleId} of ${instanceId} was not stored: ${String(error)}`,
          );
        },
      },
    );
  }

  private retry(activity: ClaimedActivity, failure: Failure, delayMs: number): void {
    const { instanceId, generation, executionId, scheduleId, claim } = activity;
    const dueAt = this.deps.ports.clock.now() + delayMs;
    this.deps.counters.activityRetries++;
    if (claim === 0) return this.deps.held.retry(activity, dueAt, failure);
    this.leaving.add(claimOf(activity));
    this.deps.journal.submit(
      { kind: 'retry-activity', instanceId, generation, executionId, scheduleId, claim, dueAt, failure },
      {
        settled: (verdict) => {
          this.leaving.delete(claimOf(activity));
          if (verdict.kind === 'accepted') this.wakeAt(dueAt);
          this.suspectStored(activity);
        },
        failed: (error) => {
          this.suspectStored(activity);
          this.deps.log.error(
            `the failed attempt of ${activity.name} of ${instanceId} was not stored: ${String(error)}`,
          );
        },
      },
    );
  }

  private release(activity: ClaimedActivity): void {
    const { instanceId, generation, executionId, scheduleId, claim } = activity;
    if (claim === 0) return this.deps.held.release(activity);
    this.leaving.add(claimOf(activity));
    const settled = (): void => void this.leaving.delete(claimOf(activity));
    // The end of the node releases it as well.
    this.deps.journal.submit(
      { kind: 'release-activity', instanceId, generation, executionId, scheduleId, claim },
      { settled, failed: settled },
    );
  }

  // ---- cancellation and the end ----

  /** The schedule is closed: whoever works on it is told, what waits is dropped. */
  cancel(instanceId: string, generation: string, { executionId, scheduleId }: ScheduleKey, reason: Error): void {
    const isMeant = (activity: ClaimedActivity): boolean =>
      activity.scheduleId === scheduleId &&
      activity.executionId === executionId &&
      activity.generation === generation &&
      activity.instanceId === instanceId;
    for (const [activity, { context }] of this.running) if (isMeant(activity)) return context.abort(reason);
    for (const queue of [this.queue, this.suspects]) {
      const index = queue.findIndex(isMeant);
      if (index >= 0) queue.splice(index, 1);
    }
  }

  get busy(): number {
    return this.running.size;
  }

  /** Claims nothing more, hands back what has not begun, waits for what has, then aborts and hands that back, too. */
  async drain(graceMs: number, abortMs: number): Promise<void> {
    this.stopping = true;
    this.cancelAlarm?.();
    for (const activity of [...this.queue.splice(0), ...this.suspects.splice(0)]) this.release(activity);
    await this.idleWithin(graceMs);
    for (const attempt of this.running.values()) attempt.context.abort(new Error('the process shuts down'));
    await this.idleWithin(abortMs);
    for (const attempt of [...this.running.values()]) {
      this.close(attempt);
      this.release(attempt.activity);
    }
    this.stopped = true;
  }

  /** At once and without a trace in the store: the node was declared dead. */
  abandon(): void {
    this.stopped = true;
    this.cancelAlarm?.();
    this.alarmAt = Infinity;
    this.queue.length = 0;
    this.suspects.length = 0;
    this.endSuspect();
    this.leaving.clear();
    this.claiming = false;
    for (const attempt of this.running.values()) {
      attempt.over = true;
      attempt.cancelTimeout?.();
      attempt.context.abort(new Error('the node lost its lease'));
    }
    this.running.clear();
  }

  private idleWithin(ms: number): Promise<void> {
    if (this.running.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.deps.ports.setTimer(resolve, ms);
      this.whenIdle.push(() => {
        cancel();
        resolve();
      });
    });
  }
}

type Key = ScheduleKey & { readonly instanceId: string; readonly generation: string };
const keyOf = (key: Key): string => `${key.generation}/${key.executionId}/${key.scheduleId}`;

const claimOf = (claim: Key & { readonly claim: number }): string => `${keyOf(claim)}/${claim.claim}`;

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
