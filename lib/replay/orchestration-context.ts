import type { ActivityOptions } from '../core/activity-options.js';
import type { Duration } from '../core/duration.js';
import type { DetachedStartOptions } from './actions/detached-start.js';
import type { DurableKv } from './actions/kv.js';
import type { SubOrchestrationOptions } from './actions/sub-orchestration.js';
import type { DurableFuture } from './durable-future.js';
import type { ActivitiesOf, InputOf, OrchestrationClass, OutputOf, ServiceClass } from './handlers.js';
import type { Joined, Kept, Selected, SelectedOf } from './select.js';

/** Writes each line once, after the turn that produced it committed; silent while replaying. */
export interface DurableLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  log(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Whether, and why, the instance was asked to stop. */
export interface Cancellation {
  readonly requested: boolean;
  readonly reason: string | undefined;
  /** @throws OrchestrationCancelledError once requested. */
  throwIfRequested(): void;
}

export interface ParentInfo {
  readonly instanceId: string;
  readonly executionId: number;
}

/**
 * What an orchestration works with. Its code must be deterministic: everything from outside comes through this object, so
 * that a replay sees what the first run saw. Native `Promise.all`, `race`, `any` and `allSettled` over its futures are.
 *
 * After a cancellation was delivered, every durable call outside `shield` rejects with `OrchestrationCancelledError`.
 */
export interface OrchestrationContext {
  readonly instanceId: string;
  /** From 1; grows with `continueAsNew`. */
  readonly executionId: number;
  readonly orchestrationName: string;
  readonly orchestrationVersion: string;
  readonly parent: ParentInfo | undefined;
  /** True while recorded history runs again. Do not decide by it. */
  readonly isReplaying: boolean;

  /**
   * The activities of a service, typed. Calling one schedules it at once.
   * @throws UnknownActivityError for a method without `@Activity()`, PayloadError for an argument that cannot be carried.
   */
  activities<S>(service: ServiceClass<S>, options?: ActivityOptions): ActivitiesOf<S>;
  /** An activity by name, with the list of its arguments. Rejects with `ActivityError` when its attempts are used up. */
  scheduleActivity<T = unknown>(name: string, args?: readonly unknown[], options?: ActivityOptions): DurableFuture<T>;
  /** A duration from now (`'30s'`, `'2h'`, `'30d'`, milliseconds) or a moment. Survives any downtime; fires late, never early. */
  scheduleTimer(due: Duration | Date): DurableFuture<void>;
  /** The next external event of that name. One that was raised before the wait is kept for it. */
  scheduleWait<T = unknown>(event: string): DurableFuture<T>;
  /** The next message of a durable first-in-first-out queue of this instance; survives `continueAsNew` in order. */
  dequeueEvent<T = unknown>(queue: string): DurableFuture<T>;

  /** An awaited child. Rejects with `SubOrchestrationError` however it came to a bad end. */
  scheduleSubOrchestration<C extends OrchestrationClass>(
    orchestration: C,
    input: InputOf<C>,
    options?: SubOrchestrationOptions,
  ): DurableFuture<OutputOf<C>>;
  scheduleSubOrchestration<T = unknown>(
    orchestration: string,
    input?: unknown,
    options?: SubOrchestrationOptions,
  ): DurableFuture<T>;
  /** A start nobody waits for. Resolves with the instance id once started; rejects if that id exists. */
  scheduleOrchestration<C extends OrchestrationClass>(
    orchestration: C,
    input: InputOf<C>,
    options?: DetachedStartOptions,
  ): DurableFuture<string>;
  scheduleOrchestration(orchestration: string, input?: unknown, options?: DetachedStartOptions): DurableFuture<string>;
  /** Ends this execution and begins the next with a fresh history. Never settles; KV, custom status and queued messages stay. */
  continueAsNew(input?: unknown, options?: { readonly version?: string }): Promise<never>;

  /** All results, in argument order; rejects with the first failure in history order. */
  join<const F extends readonly Promise<unknown>[]>(futures: F): Promise<Joined<F>>;
  /**
   * The first to settle, in history order. Losers are cancelled unless wrapped in `keep`; plain promises take part and are
   * left alone. A rejected winner rejects.
   */
  select<const F extends readonly (Promise<unknown> | Kept<unknown>)[]>(futures: F): Promise<Selected<F>>;
  select<const F extends Readonly<Record<string, Promise<unknown> | Kept<unknown>>>>(
    futures: F,
  ): Promise<SelectedOf<F>>;
  /** Protects a future from being cancelled when it loses this `select`. */
  keep<T>(future: Promise<T>): Kept<T>;
  /**
   * Waits for state that other code of this execution changes: asked after every run of the code. Resolves with true, or
   * with false when `timeout` passed first. `holds` must be a pure function of the execution's state.
   */
  waitUntil(holds: () => boolean, options?: { readonly timeout?: Duration }): Promise<boolean>;

  /** The time of the event that woke the code; the same on every replay. */
  utcNow(): Date;
  /** An RFC 4122 version 4 looking GUID; the same on every replay, unique everywhere. */
  newGuid(): string;
  /** 0 <= value < 1; the same on every replay. */
  random(): number;
  /** Runs `fn` once and records what it returns. For what is quick and harmless to repeat if the process dies before the commit. */
  sideEffect<T>(fn: () => T): T;

  /** What clients see while the instance runs. Survives replay and `continueAsNew`. */
  setCustomStatus(value: unknown): void;
  readonly kv: DurableKv;
  /** KV of another instance, read once and recorded. `undefined` for a missing key or instance. */
  kvOf(instanceId: string): { get<T = unknown>(key: string): DurableFuture<T | undefined> };

  readonly log: DurableLog;
  readonly cancellation: Cancellation;
  /** Runs clean-up that a cancellation does not interrupt: durable calls made while a shield is open go through. */
  shield<T>(fn: () => Promise<T>): Promise<T>;
}
