import { RuntimeStoppedError } from '../core/errors.js';
import type { BatchItem, BatchResult, StartItem, Verdict } from '../provider/batch.js';
import type { Provider, StoredTimer, TakeOver } from '../provider/provider.js';
import { KV_READ_ACTIVITY } from '../replay/index.js';
import { ActivityPool } from './activity-pool.js';
import { FleetMember, type FleetHooks } from './fleet.js';
import { Journal } from './journal.js';
import { Quarantine } from './quarantine.js';
import {
  buildIdOf,
  resolveRuntimeOptions,
  type ResolvedRuntimeOptions,
  type RuntimeOptions,
} from './runtime-options.js';
import { StoreClock } from './store-clock.js';
import { newCounters, ThrottledLog, type EngineCounters } from './telemetry.js';
import { Timers } from './timers.js';
import { TurnLoop } from './turn-loop.js';
import { Waiters } from './waiters.js';

type State = 'new' | 'starting' | 'waiting' | 'running' | 'stopping' | 'stopped';

const SCAN_PAGE = 1_000;
const ABORT_GRACE_MS = 1_000;
/** For the last commits, when the process ends. */
const STORE_GRACE_MS = 5_000;
const BUSY_FOR_MS = 1_000;
/** Where others tell what they commit: what they were not heard of. */
const LOOK_ANYWAY_MS = 1_000;

/**
 * One node: it owns the journal through which everything becomes durable and, unless it is client-only, the loop that runs
 * instances, the pool that runs activities and the timers. It works in a plain Node program; Nest is only wiring.
 */
export class DurableRuntime {
  readonly options: ResolvedRuntimeOptions;
  readonly counters: EngineCounters = newCounters();
  readonly waiters: Waiters;
  private readonly provider: Provider;
  /** Where other engines may work on the same store. */
  private readonly fleet: FleetMember | undefined;
  private readonly journal: Journal;
  private readonly loop: TurnLoop;
  private readonly pool: ActivityPool;
  private readonly timers: Timers;
  private ownBuildId: string | undefined;
  private readonly quiet: ThrottledLog;
  private readonly stopSignal = new AbortController();
  private state: State = 'new';
  private node = '';
  private cancelHeartbeat: (() => void) | undefined;
  private cancelPoll: (() => void) | undefined;
  private busyUntil = 0;
  private scanning = false;
  private scanAgain = false;
  private seenRunnable: ReadonlySet<string> = new Set();
  private rejoining: Promise<void> | undefined;
  /** It is an engine, or about to be: who is declared dead just then works on under its next name. */
  private tookOver = false;
  private joined: Promise<void> | undefined;
  private engine: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;

  constructor(options: RuntimeOptions) {
    const resolved = resolveRuntimeOptions(options);
    const { fleet } = resolved.provider;
    const clock = fleet === undefined ? undefined : new StoreClock(resolved.ports.clock);
    this.options = clock === undefined ? resolved : Object.freeze({ ...resolved, ports: { ...resolved.ports, clock } });
    const { provider, registry, ports, log, codec, limits } = this.options;
    this.provider = provider;
    if (fleet !== undefined && clock !== undefined)
      this.fleet = new FleetMember(fleet, clock, ports, this.options.leaseMs, this.fleetHooks(), log);
    this.quiet = new ThrottledLog(log, () => ports.clock.now());
    if (!registry.hasActivity(KV_READ_ACTIVITY))
      registry.addActivity({ name: KV_READ_ACTIVITY, run: (args) => this.readKv(args) });
    this.waiters = new Waiters(
      provider,
      ports,
      (instanceId) => this.loop.isLive(instanceId),
      // Elsewhere it may end without a word to this process.
      () => this.runsHere && this.fleet === undefined,
    );
    this.journal = new Journal(
      provider,
      ports,
      this.counters,
      {
        gathering: () => this.loop.onStand > 0,
        committed: (result) => this.committed(result),
        declaredDead: () => this.rejoin(),
      },
      log,
    );
    const shared = {
      provider,
      journal: this.journal,
      registry,
      codec,
      limits,
      ports,
      counters: this.counters,
      log,
      quiet: this.quiet,
      quarantine: new Quarantine(ports),
    };
    this.loop = new TurnLoop(
      {
        cacheSize: this.options.cacheSize,
        cacheIdleMs: this.options.cacheIdleMs,
        maxCrashes: this.options.maxCrashes,
        buildId: () => this.buildId,
      },
      {
        ...shared,
        orchestrationLog: this.options.orchestrationLog,
        pool: () => this.pool,
        timers: () => this.timers,
        ownedElsewhere: (instanceId) => this.fleet?.tell([instanceId]),
        ended: (instanceId, ending) => this.waiters.ended(instanceId, ending),
      },
    );
    this.pool = new ActivityPool(
      {
        concurrency: this.options.activityConcurrency,
        backlog: this.options.activityBacklog,
        tags: this.options.tags,
        maxCrashes: this.options.maxCrashes,
      },
      {
        ...shared,
        deliver: (activity, message) => this.loop.deliverCompletion(activity, message),
        held: {
          retry: (activity, dueAt, failure) => this.loop.retryHeld(activity, dueAt, failure),
          release: (activity) => this.loop.releaseHeld(activity),
        },
        claimsInTurns: () => this.loop.claimsInTurns(),
        left: () => this.fleet?.offer('activities'),
      },
    );
    this.timers = new Timers(
      provider,
      ports,
      (due) => void this.timersDue(due),
      (error) => this.quiet.warn('timers', `cannot read timers, trying again: ${String(error)}`),
    );
  }

  // ---- life ------------------------------------------------------------------------------------------------------------

  /** What this node knows about itself, for health checks. */
  get status(): {
    readonly state: State;
    readonly node: string;
    readonly cachedExecutions: number;
    readonly runningActivities: number;
  } {
    return {
      state: this.state,
      node: this.node,
      cachedExecutions: this.loop.cached,
      runningActivities: this.pool.busy,
    };
  }

  /**
   * Opens and migrates the database and begins to work. Where another engine process holds the SQLite file it resolves
   * too: as a client at once, and as the engine as soon as that process is gone.
   */
  async start(): Promise<void> {
    if (this.state !== 'new') throw new RuntimeStoppedError(`start() was called in state "${this.state}"`);
    this.state = 'starting';
    this.joined = this.openAndJoin();
    await this.joined;
    this.heartbeatLater();
    if (this.options.runsInstances) await this.beginAsEngine();
    else if (!this.stopSignal.signal.aborted) this.state = 'running';
    if (this.stopSignal.signal.aborted) throw new RuntimeStoppedError('start() was given up');
  }

  private async openAndJoin(): Promise<void> {
    try {
      await this.provider.open();
      await this.fleet?.keepTime();
      if (this.stopSignal.signal.aborted) throw new RuntimeStoppedError('start() was given up');
      await this.join();
    } catch (error) {
      this.state = 'stopped';
      await this.provider.close().catch(() => undefined);
      throw error;
    }
  }

  private async beginAsEngine(): Promise<void> {
    try {
      const first = await new Promise<'running' | 'waiting'>((resolve, reject) => {
        this.engine = this.becomeEngine(() => resolve('waiting')).then(() => resolve('running'), reject);
      });
      if (first === 'waiting' && this.state === 'starting') this.state = 'waiting';
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Asked for first by start(): Nest fills the registry after the runtime was made. */
  private get buildId(): string {
    this.ownBuildId ??= this.options.buildId ?? buildIdOf(this.options.registry);
    return this.ownBuildId;
  }

  private async join(): Promise<void> {
    const { ports, nodeName, leaseMs } = this.options;
    this.node = `${nodeName}#${ports.generation()}`;
    this.loop.node = this.node;
    this.pool.node = this.node;
    const now = ports.clock.now();
    await this.provider.join({
      node: this.node,
      lanes: this.provider.lanes,
      buildId: this.buildId,
      now,
      leaseUntil: now + leaseMs,
    });
    await this.fleet?.join(this.node);
    this.journal.begin(this.node);
  }

  private async becomeEngine(onWait: () => void): Promise<void> {
    const { log } = this.options;
    let waited = false;
    if (this.stopSignal.signal.aborted) return;
    try {
      await this.provider.acquireEngine(this.stopSignal.signal, (holder) => {
        waited = true;
        log.warn(`another engine process holds ${holder}: this one works as a client until that one ends`);
        onWait();
      });
    } catch (error) {
      if (this.stopSignal.signal.aborted) return;
      throw error;
    }
    // Who waited has started long ago: nobody would learn of an error, and nobody else would take over.
    while (!this.stopSignal.signal.aborted) {
      try {
        return await this.takeOver();
      } catch (error) {
        if (!waited) throw error;
        log.error(`cannot take over, trying again: ${String(error)}`);
        await new Promise<void>((resolve) => this.options.ports.setTimer(resolve, 1_000));
      }
    }
  }

  private async takeOver(): Promise<void> {
    const { ports } = this.options;
    this.tookOver = true;
    this.noteTakenOver(
      await this.provider.takeOver(this.node, this.fleet === undefined ? 'all-others' : [], ports.clock.now()),
    );
    if (this.stopSignal.signal.aborted) return;
    await this.beginWork();
    this.state = 'running';
  }

  private noteTakenOver({ nodes, activities, instances }: TakeOver): void {
    if (nodes.length > 0) this.options.log.log(`took over from ${nodes.join(', ')}`, { activities, instances });
  }

  private fleetHooks(): FleetHooks {
    return {
      told: (ids) => {
        if (!this.runsHere) return;
        if (ids === undefined) return this.lookAround();
        for (const id of ids) this.loop.wake(id);
      },
      offered: (what) => {
        if (!this.runsHere) return;
        if (what === 'everything') this.lookAround();
        else this.pool.claimMore();
      },
      died: (nodes) => this.takeOverFrom(nodes),
    };
  }

  /** Whoever of the fleet comes first gets them; their timers were in their memory. */
  private async takeOverFrom(nodes: readonly string[]): Promise<void> {
    if (!this.runsHere || this.rejoining !== undefined) return;
    const taken = await this.provider.takeOver(this.node, nodes, this.options.ports.clock.now());
    if (taken.nodes.length === 0) return;
    this.noteTakenOver(taken);
    await this.timers.start();
    this.lookAround();
    this.fleet?.offer('activities');
  }

  /** Several nodes may have read the timer of an instance nobody owns: one of them runs it. */
  private async timersDue(due: readonly StoredTimer[]): Promise<void> {
    if (this.fleet === undefined) return this.loop.timersDue(due);
    const [here, absent]: [StoredTimer[], StoredTimer[]] = [[], []];
    for (const timer of due) (this.loop.isLive(timer.instanceId) ? here : absent).push(timer);
    this.loop.timersDue(here);
    try {
      const adopted = new Set(await this.fleet.adopt([...new Set(absent.map(({ instanceId }) => instanceId))]));
      this.loop.timersDue(absent.filter(({ instanceId }) => adopted.has(instanceId)));
    } catch (error) {
      if (this.state === 'stopped') return;
      this.quiet.warn('due', `cannot adopt instances with due timers, trying again: ${String(error)}`);
      this.options.ports.setTimer(() => void this.timersDue(absent), LOOK_ANYWAY_MS, { unref: true });
    }
  }

  private lookAround(): void {
    this.scan();
    this.pool.claimMore();
  }

  private async beginWork(): Promise<void> {
    const { log, ports, registry } = this.options;
    const resumed = await this.provider.resumeForBuild(this.buildId, ports.clock.now());
    if (resumed > 0) log.log(`trying ${resumed} suspended instance(s) with this build`);
    await this.warnAboutMissingHandlers();
    this.loop.start();
    this.pool.start();
    await this.timers.start();
    await this.provider.changedElsewhere();
    this.scan();
    this.pollLater();
    this.fleet?.watch();
    log.log(`running on ${this.provider.name} as ${this.node}`, {
      orchestrations: registry.orchestrationNames().length,
      activities: registry.activityNames().length - 1,
    });
  }

  private async warnAboutMissingHandlers(): Promise<void> {
    const { log, registry, tags } = this.options;
    const open = await this.provider.openHandlers();
    const missing = [
      ...open.orchestrations
        .filter(({ name, version }) => !registry.hasOrchestration(name, version))
        .map(({ name, version, count }) => `orchestration ${name}@${version} (${count})`),
      ...open.activities
        .filter(({ name, tag }) => !registry.hasActivity(name) && (tag === null || tags.includes(tag)))
        .map(({ name, count }) => `activity ${name} (${count})`),
    ];
    if (missing.length > 0) log.warn(`this build cannot run what unfinished instances need: ${missing.join(', ')}`);
  }

  /**
   * Ends this node: claims nothing more, lets running activities finish within the grace, commits what is on its way,
   * hands everything else back. Afterwards another node goes on at once. Idempotent.
   */
  stop(): Promise<void> {
    this.stopped ??= this.drain();
    return this.stopped;
  }

  /** Was it done in time? */
  private drained: Promise<boolean> | undefined;

  /** The first half of `stop()`: no more instances run here; clients are still served. Idempotent. */
  drainWork(): Promise<void> {
    // One deadline for all of it: what a database in trouble has not taken by then is released by the end of the lock.
    this.drained ??= this.inTime(this.endWork(), this.options.shutdownGraceMs + ABORT_GRACE_MS + STORE_GRACE_MS);
    return this.drained.then(() => undefined);
  }

  private async endWork(): Promise<void> {
    this.stopSignal.abort();
    // What is about to begin is ended afterwards: it would begin behind the end.
    await this.joined?.catch(() => undefined);
    await this.engine?.catch(() => undefined);
    await this.rejoining?.catch(() => undefined);
    this.cancelPoll?.();
    this.fleet?.rest();
    if (this.state !== 'running' || !this.options.runsInstances) return;
    this.timers.stop();
    await this.pool.drain(this.options.shutdownGraceMs, ABORT_GRACE_MS);
    await this.loop.drain();
    this.loop.returnVolatile();
    await this.journal.drained();
  }

  private async drain(): Promise<void> {
    if (this.state === 'new' || this.state === 'stopped') {
      this.state = 'stopped';
      this.stopSignal.abort();
      return;
    }
    await this.drainWork();
    if ((this.state as State) === 'stopped') return; // it never joined
    this.state = 'stopping';
    this.waiters.close();
    if (await this.drained) await this.inTime(this.finishWriting(), STORE_GRACE_MS);
    this.journal.close(new RuntimeStoppedError('The request was not stored'));
    this.cancelPoll?.();
    this.cancelHeartbeat?.();
    this.timers.stop();
    this.loop.abandon();
    this.pool.abandon();
    await this.inTime(this.signOff(), ABORT_GRACE_MS);
    await this.fleet?.leave();
    await this.provider.close();
    this.state = 'stopped';
  }

  private async finishWriting(): Promise<void> {
    await this.rejoining?.catch(() => undefined);
    await this.journal.drained();
  }

  private async signOff(): Promise<void> {
    try {
      await this.provider.leave(this.node);
    } catch (error) {
      this.options.log.warn(`could not sign off, the lease will run out: ${String(error)}`);
    }
  }

  /** False: it takes longer. Whatever it still does goes nowhere once the store is closed. */
  private async inTime(work: Promise<void>, ms: number): Promise<boolean> {
    let cancel = (): void => undefined;
    const passed = new Promise<false>((resolve) => {
      cancel = this.options.ports.setTimer(() => resolve(false), ms);
    });
    try {
      return await Promise.race([work.then(() => true), passed]);
    } finally {
      cancel();
    }
  }

  // ---- what clients use ------------------------------------------------------------------------------------------------

  /** Resolves once the item's fate is durable. @throws RuntimeStoppedError, StorageError */
  submit(item: BatchItem): Promise<Verdict> {
    if (this.state === 'new' || this.state === 'stopping' || this.state === 'stopped') {
      return Promise.reject(new RuntimeStoppedError(`${item.kind} was refused`));
    }
    return new Promise((resolve, reject) => this.journal.submit(item, { settled: resolve, failed: reject }));
  }

  /** A client's start. Its first turn does not wait for the commit: both become durable together, or neither. */
  async startInstance(item: StartItem): Promise<Verdict> {
    const early = this.runsHere && this.loop.beginEarly(item);
    let begun = false;
    try {
      const verdict = await this.submit(item);
      begun = verdict.kind === 'accepted';
      return verdict;
    } finally {
      if (early && !begun) this.loop.unborn(item);
    }
  }

  /** An instance was resumed: nothing new is in the store, but somebody must look. */
  look(instanceId: string): void {
    if (this.runsHere) this.loop.wake(instanceId, true);
    this.pool.claimMore();
  }

  get store(): Provider {
    if (this.state === 'new' || this.state === 'stopped') throw new RuntimeStoppedError('The store was not read');
    return this.provider;
  }

  private get runsHere(): boolean {
    return this.options.runsInstances && this.state === 'running';
  }

  // ---- wake-ups --------------------------------------------------------------------------------------------------------

  private committed({ delivered }: BatchResult): void {
    this.busyUntil = this.options.ports.clock.now() + BUSY_FOR_MS;
    if (!this.options.runsInstances && delivered !== undefined)
      this.fleet?.tell(delivered.map(({ instanceId }) => instanceId));
    if (
      !this.options.runsInstances ||
      (this.state !== 'running' && this.state !== 'starting' && this.state !== 'waiting')
    )
      return;
    if (delivered === undefined) this.scan();
    else if (delivered.length > 0) this.loop.deliver(delivered);
  }

  private pollLater(): void {
    const { pollBusyMs, pollIdleMs, ports } = this.options;
    if (this.stopSignal.signal.aborted) return;
    const ms =
      this.fleet !== undefined
        ? Math.max(LOOK_ANYWAY_MS, pollIdleMs)
        : ports.clock.now() < this.busyUntil
          ? pollBusyMs
          : pollIdleMs;
    this.cancelPoll?.(); // a node that joined again had one
    this.cancelPoll = ports.setTimer(() => void this.poll(), ms, { unref: true });
  }

  private async poll(): Promise<void> {
    try {
      if (await this.provider.changedElsewhere()) {
        this.busyUntil = this.options.ports.clock.now() + BUSY_FOR_MS;
        this.scan(this.fleet !== undefined);
        this.pool.claimMore();
      }
    } catch (error) {
      this.options.log.debug(`cannot look for changes, trying again: ${String(error)}`);
    }
    this.pollLater();
  }

  /** Finds every instance with messages nobody has looked at: how a wake-up is derived from committed rows. */
  private scan(patient = false): void {
    if (this.scanning) {
      this.scanAgain ||= !patient;
      return;
    }
    this.scanning = true;
    void this.scanPages(patient).finally(() => {
      this.scanning = false;
      if (this.scanAgain && !this.stopSignal.signal.aborted) {
        this.scanAgain = false;
        this.scan();
      }
    });
  }

  /**
   * `patient`: only who was found the time before, too. What is new is about to be run by whoever committed it, and two nodes
   * that run one instance do half of the work in vain.
   */
  private async scanPages(patient: boolean): Promise<void> {
    const before = this.seenRunnable;
    const seen = new Set<string>();
    this.seenRunnable = seen;
    let after = '';
    try {
      for (;;) {
        const ids = await this.provider.runnable(this.node, after, SCAN_PAGE);
        if (patient) for (const id of ids) seen.add(id);
        const found = patient ? ids.filter((id) => before.has(id)) : ids;
        for (const id of this.fleet === undefined ? found : await this.fleet.adopt(found)) this.loop.wake(id, true);
        if (ids.length < SCAN_PAGE || this.stopSignal.signal.aborted) return;
        after = ids.at(-1)!;
      }
    } catch (error) {
      if (this.stopSignal.signal.aborted) return;
      this.quiet.warn('scan', `cannot look for runnable instances, trying again: ${String(error)}`);
      this.options.ports.setTimer(() => this.scan(), this.options.pollIdleMs, { unref: true });
    }
  }

  // ---- staying alive ---------------------------------------------------------------------------------------------------

  private heartbeatLater(): void {
    const { ports, leaseMs } = this.options;
    const ms = this.fleet?.heartbeatMs ?? leaseMs / 3;
    this.cancelHeartbeat = ports.setTimer(() => void this.heartbeat(), ms, { unref: true });
  }

  private async heartbeat(): Promise<void> {
    const { ports, leaseMs, log } = this.options;
    const { node } = this;
    try {
      const now = ports.clock.now();
      const alive = await this.provider.heartbeat(node, now, now + leaseMs);
      if (node !== this.node) log.debug(`the answer to a heartbeat of ${node} came after its end`);
      else if (alive) this.fleet?.renewed();
      else if (this.rejoining === undefined && this.state !== 'stopping') this.rejoin();
    } catch (error) {
      log.warn(`the heartbeat failed, trying again: ${String(error)}`);
    }
    if (this.state !== 'stopping' && this.state !== 'stopped') this.heartbeatLater();
  }

  /** Declared dead: everything held is dropped, and the node comes back under a new name (protocol 1). */
  private rejoin(): void {
    if (this.rejoining !== undefined) return;
    const { log } = this.options;
    log.error(`the node ${this.node} was declared dead: it drops what it held and joins again`);
    this.dropWork();
    this.rejoining = this.joinAgain(this.tookOver).finally(() => {
      this.rejoining = undefined;
    });
  }

  private dropWork(): void {
    this.loop.abandon();
    this.pool.abandon();
    this.timers.stop();
  }

  private async joinAgain(worked: boolean): Promise<void> {
    const { log, ports } = this.options;
    // Names under which it did not get to work: what they own nobody else would take over while their leases last.
    const given: string[] = [];
    while (this.state !== 'stopped') {
      try {
        await this.join();
        if (!worked || this.stopSignal.signal.aborted) return;
        await this.provider.takeOver(this.node, given, ports.clock.now());
        if (!this.stopSignal.signal.aborted) await this.beginWork();
        return;
      } catch (error) {
        log.warn(`cannot join again, trying: ${String(error)}`);
        given.push(this.node);
        this.dropWork();
        await new Promise<void>((resolve) => ports.setTimer(resolve, 1_000));
      }
    }
  }

  private async readKv(args: readonly unknown[]): Promise<unknown> {
    const [instanceId, key] = args as [string, string];
    const text = await this.provider.kv(instanceId, key);
    return text === null ? undefined : this.options.codec.decode(text);
  }
}
