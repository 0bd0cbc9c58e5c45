import { createHash } from 'node:crypto';
import type { Fleet, FleetEvents, OfferedWork, Others } from '../../provider/fleet.js';
import type { Statement } from './dialect.js';
import { PostgresControl } from './postgres-control.js';
import type { PgStandaloneClient } from './postgres-wire.js';
import type { FleetStatements } from './statements/fleet-statements.js';

/** PostgreSQL takes 8,000 bytes; whoever is told of more looks for itself. */
const MAX_PAYLOAD_BYTES = 7_000;
/** Every engine claims at each offer: not more often than so. */
const OFFER_EVERY_MS = 20;

/** What is there once the database is open. */
export interface PostgresFleetParts {
  readonly newClient: () => PgStandaloneClient;
  readonly database: string;
  /** One database may hold the tables of several: their notifications and locks are told apart by this. */
  readonly space: string;
  readonly sql: FleetStatements;
  readonly adopt: (node: string, instanceIds: readonly string[]) => Promise<string[]>;
}

/**
 * Liveness and wake-ups over one connection: a session lock that ends with the process, and notifications. They are sent beside
 * the transactions that they tell of, because a commit that notifies waits for every other that does.
 */
export class PostgresFleet implements Fleet {
  private control: PostgresControl | undefined;
  private node = '';
  private events: FleetEvents | undefined;
  private toTell = new Set<string>();
  private isTelling = false;
  private offered: OfferedWork | undefined;
  private offersSoon: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly parts: () => PostgresFleetParts) {}

  private get connection(): PostgresControl {
    if (this.control !== undefined) return this.control;
    const { newClient, database } = this.parts();
    this.control = new PostgresControl(newClient, database, {
      setUp: () => this.setUp(),
      notified: (channel, payload) => this.notified(channel, payload),
      back: () => this.events?.told(undefined),
    });
    return this.control;
  }

  private get sql(): FleetStatements {
    return this.parts().sql;
  }

  private get space(): string {
    return this.parts().space;
  }

  private setUp(): Statement[] {
    const { node, space } = this;
    return [
      this.sql.cheapCommits(),
      ...(node === '' ? [] : [this.sql.lock(space, node), this.sql.listen(this.channelOf(node))]),
      this.sql.listen(this.channelOf('')),
    ];
  }

  async time(): Promise<number> {
    if (this.events === undefined) await this.attachAs('', SILENT);
    const [row] = await this.connection.run(this.sql.time());
    return row!['now'] as number;
  }

  attach(node: string, events: FleetEvents): Promise<void> {
    return this.attachAs(node, events);
  }

  private attachAs(node: string, events: FleetEvents): Promise<void> {
    this.node = node;
    this.events = events;
    return this.connection.start();
  }

  async detach(): Promise<void> {
    await this.sendOffer();
    this.events = undefined;
    await this.control?.stop();
  }

  async others(): Promise<Others> {
    const rows = await this.connection.run(this.sql.others(this.space, this.node));
    return {
      now: rows[0]!['now'] as number,
      nodes: rows
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

  tell(instanceIds: readonly string[]): void {
    for (const id of instanceIds) this.toTell.add(id);
    if (!this.isTelling) void this.tellAll();
  }

  /** One call at a time: what comes meanwhile goes with the next one. */
  private async tellAll(): Promise<void> {
    this.isTelling = true;
    while (this.toTell.size > 0) {
      const ids = JSON.stringify([...this.toTell]);
      this.toTell = new Set();
      // Who is not told finds out by itself a little later.
      await this.connection
        .run(this.sql.tell(this.prefix, this.space, this.node, ids, MAX_PAYLOAD_BYTES))
        .catch(NOTHING);
    }
    this.isTelling = false;
  }

  offer(what: OfferedWork): void {
    if (this.offered !== 'everything') this.offered = what;
    this.offersSoon ??= setTimeout(() => void this.sendOffer(), OFFER_EVERY_MS).unref();
  }

  private async sendOffer(): Promise<void> {
    clearTimeout(this.offersSoon);
    const { offered } = this;
    this.offersSoon = this.offered = undefined;
    if (offered === undefined) return;
    const payload = JSON.stringify([offered, this.node]);
    await this.connection.run(this.sql.notify(this.channelOf(''), payload)).catch(NOTHING);
  }

  private notified(channel: string, payload: string): void {
    if (channel !== this.channelOf(''))
      return this.events?.told(payload === '' ? undefined : (JSON.parse(payload) as string[]));
    const [offered, node] = JSON.parse(payload) as [OfferedWork, string];
    if (node !== this.node) this.events?.offered(offered);
  }

  /** The empty name is everybody's. The server computes the same (`FleetStatements.tell`). */
  private channelOf(node: string): string {
    return `${this.prefix}${createHash('sha256').update(`${this.space}/${node}`).digest('hex').slice(0, 40)}`;
  }

  private readonly prefix = 'durable_';
}

const NOTHING = (): void => undefined;
const SILENT: FleetEvents = { told: NOTHING, offered: NOTHING };
