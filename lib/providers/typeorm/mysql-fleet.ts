import type { Fleet, FleetEvents, Others } from '../../provider/fleet.js';
import type { Row } from './dialect.js';
import { MysqlControl } from './mysql-control.js';
import type { MysqlSession } from './mysql-session.js';
import type { MysqlClient, MysqlStandaloneClient } from './mysql-wire.js';
import type { MysqlFleetStatements } from './statements/mysql-fleet-statements.js';

/** While something comes, and when nothing has come for a while. */
const LOOK_BUSY_MS = 10;
const LOOK_IDLE_MS = 100;
const SLOWER = 1.3;

/** What is there once the database is open. */
export interface MysqlFleetParts {
  readonly newClient: () => MysqlStandaloneClient;
  readonly sessionOver: (client: MysqlClient) => Promise<MysqlSession>;
  readonly endpoint: string;
  /** One server may hold the tables of several: their locks are told apart by this. */
  readonly space: string;
  readonly sql: MysqlFleetStatements;
  readonly adopt: (node: string, instanceIds: readonly string[]) => Promise<string[]>;
}

/**
 * Liveness by a session lock, wake-ups by looking: nothing tells on these servers, so each node asks for what waits for it or
 * for nobody. What is still there the second time nobody is about to run, and the engine is told once.
 */
export class MysqlFleet implements Fleet {
  private control: MysqlControl | undefined;
  private node = '';
  private events: FleetEvents | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private intervalMs = LOOK_BUSY_MS;
  private waiting: ReadonlyMap<string, unknown> = new Map();
  private told = new Set<string>();
  private left: ReadonlySet<string> = new Set();

  constructor(private readonly parts: () => MysqlFleetParts) {}

  private get connection(): MysqlControl {
    if (this.control !== undefined) return this.control;
    const { newClient, sessionOver, endpoint } = this.parts();
    this.control = new MysqlControl(newClient, sessionOver, endpoint);
    return this.control;
  }

  async time(): Promise<number> {
    this.connection.start();
    const [rows] = await this.connection.run(this.parts().sql.time());
    return rows![0]!['now'] as number;
  }

  async attach(node: string, events: FleetEvents): Promise<void> {
    await this.detach();
    this.node = node;
    this.events = events;
    this.connection.start();
    await this.keepLock();
    this.lookSoon();
  }

  private async keepLock(): Promise<void> {
    const { sql, space } = this.parts();
    await this.connection.run(sql.lock(space, this.node));
  }

  async detach(): Promise<void> {
    this.events = undefined;
    clearTimeout(this.timer);
    await this.control?.stop();
  }

  async others(): Promise<Others> {
    const { sql, space } = this.parts();
    const [rows] = await this.connection.run(sql.others(space, this.node));
    return {
      now: rows![0]!['now'] as number,
      nodes: rows!
        .filter((row) => row['node'] !== null)
        .map((row) => ({
          node: row['node'] as string,
          isConnected: row['locked'] === 1,
          heartbeatAt: row['heartbeat_at'] as number,
          leaseUntil: row['lease_until'] as number,
        })),
    };
  }

  adopt(node: string, instanceIds: readonly string[]): Promise<string[]> {
    return this.parts().adopt(node, instanceIds);
  }

  /** The others look for themselves. */
  tell(): void {}

  /** Likewise. */
  offer(): void {}

  private lookSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(), this.intervalMs).unref();
  }

  private async look(): Promise<void> {
    const { node, events } = this;
    if (events === undefined) return;
    const { sql, space } = this.parts();
    try {
      const [, runnable, due] = await this.connection.run(sql.lock(space, node), sql.runnable(node), sql.due());
      if (this.events !== events) return;
      const isNew = [this.waitFor(runnable!, events), this.leave(due!, events)].includes(true);
      this.intervalMs = isNew ? LOOK_BUSY_MS : Math.min(LOOK_IDLE_MS, this.intervalMs * SLOWER);
    } catch {
      // The heartbeat reports it, and the next look makes a new connection.
      this.intervalMs = LOOK_IDLE_MS;
    }
    if (this.events === events) this.lookSoon();
  }

  /** Whether something is there that was not. */
  private waitFor(rows: readonly Row[], events: FleetEvents): boolean {
    const before = this.waiting;
    const now = new Map(rows.map((row) => [keyOf(row, ['instance_id', 'messages_in']), row]));
    const stale = [...now].filter(([key]) => before.has(key) && !this.told.has(key));
    this.waiting = now;
    this.told = new Set([...this.told].filter((key) => now.has(key)).concat(stale.map(([key]) => key)));
    const own = stale.filter(([, row]) => row['own'] === 1).map(([, row]) => row['instance_id'] as string);
    if (own.length > 0) events.told(own);
    if (own.length < stale.length) events.told(undefined);
    return [...now.keys()].some((key) => !before.has(key));
  }

  private leave(rows: readonly Row[], events: FleetEvents): boolean {
    const before = this.left;
    this.left = new Set(rows.map((row) => keyOf(row, ['instance_id', 'execution_id', 'schedule_id', 'claim'])));
    const isNew = [...this.left].some((key) => !before.has(key));
    if (isNew) events.offered('activities');
    return isNew;
  }
}

const keyOf = (row: Row, columns: readonly string[]): string => JSON.stringify(columns.map((column) => row[column]));
