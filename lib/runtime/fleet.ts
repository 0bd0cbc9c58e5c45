import type { Fleet, FleetEvents, OfferedWork } from '../provider/fleet.js';
import { HEARTBEAT_MS, judge } from './fleet-judge.js';
import type { Ports } from './ports.js';
import type { StoreClock } from './store-clock.js';
import type { EngineLog } from './telemetry.js';

export interface FleetHooks extends FleetEvents {
  /** These nodes are dead, and nobody has taken their work back yet. */
  died(nodes: readonly string[]): Promise<void>;
}

/** A heartbeat that came so much later than the one before it leaves a gap: others may have been as badly off. */
const GAP_MS = 2.5 * HEARTBEAT_MS;

/** This node among others: it keeps the store's time, watches the others and takes over from the dead. */
export class FleetMember {
  private node = '';
  private isWatching = false;
  private cancelLook: (() => void) | undefined;
  private renewedAt = -Infinity;
  private steadySince = Infinity;

  constructor(
    private readonly fleet: Fleet,
    private readonly clock: StoreClock,
    private readonly ports: Ports,
    private readonly leaseMs: number,
    private readonly hooks: FleetHooks,
    private readonly log: EngineLog,
  ) {}

  get heartbeatMs(): number {
    return Math.min(HEARTBEAT_MS, this.leaseMs / 3);
  }

  /** Before a node gives itself its first lease. */
  keepTime(): Promise<void> {
    return this.clock.follow(() => this.fleet.time());
  }

  async join(node: string): Promise<void> {
    this.node = node;
    this.steadySince = Infinity;
    await this.fleet.attach(node, this.hooks);
    this.renewed();
  }

  /** The store took a heartbeat of this node. */
  renewed(): void {
    const now = this.ports.clock.mono();
    if (now - this.renewedAt > GAP_MS || this.steadySince === Infinity) this.steadySince = now;
    this.renewedAt = now;
    if (!this.isWatching)
      this.keepTime().catch((error: unknown) => this.log.debug(`cannot ask for the time: ${String(error)}`));
  }

  /** From now on this node runs instances, and takes over from the dead. */
  watch(): void {
    this.isWatching = true;
    this.lookIn(0);
  }

  private lookIn(ms: number): void {
    this.cancelLook?.();
    this.cancelLook = this.ports.setTimer(() => void this.look(), ms, { unref: true });
  }

  private async look(): Promise<void> {
    let againInMs = HEARTBEAT_MS;
    const { node } = this;
    try {
      const askedAt = this.ports.clock.mono();
      const others = await this.fleet.others();
      this.clock.answered(others.now, askedAt);
      const found = judge(others, this.steadyMs, this.leaseMs);
      againInMs = found.againInMs;
      if (found.dead.length > 0 && this.isWatching && node === this.node) await this.hooks.died(found.dead);
    } catch (error) {
      this.log.debug(`cannot look for the other nodes, trying again: ${String(error)}`);
    }
    if (this.isWatching) this.lookIn(againInMs);
  }

  /** How long this node has renewed its lease without a gap. */
  private get steadyMs(): number {
    const now = this.ports.clock.mono();
    return now - this.renewedAt > GAP_MS ? 0 : now - this.steadySince;
  }

  /** Before it runs what it found: see `Fleet.adopt`. */
  async adopt(instanceIds: readonly string[]): Promise<readonly string[]> {
    return instanceIds.length === 0 ? instanceIds : this.fleet.adopt(this.node, instanceIds);
  }

  tell(instanceIds: readonly string[]): void {
    if (instanceIds.length > 0) this.fleet.tell(instanceIds);
  }

  offer(what: OfferedWork): void {
    this.fleet.offer(what);
  }

  /** It runs no instances any more. */
  rest(): void {
    this.isWatching = false;
    this.cancelLook?.();
  }

  /** After the store has released what it held. */
  async leave(): Promise<void> {
    this.rest();
    this.fleet.offer('everything');
    await this.fleet.detach();
  }
}
