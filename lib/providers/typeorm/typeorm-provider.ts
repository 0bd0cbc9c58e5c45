import { DataSource, type DataSourceOptions } from 'typeorm';
import { InvalidOptionError, SchemaVersionError } from '../../core/errors.js';
import type { HistoryEvent } from '../../core/history-event.js';
import type { StoredMessage } from '../../core/message.js';
import type { Payload } from '../../core/payload.js';
import type { Batch, BatchResult, ClaimedActivity, InstanceKey } from '../../provider/batch.js';
import type { Fleet } from '../../provider/fleet.js';
import type {
  InstanceFilter,
  InstanceRow,
  LoadedInstance,
  LoadLimits,
  NodeRegistration,
  OpenHandlers,
  Page,
  PageRequest,
  Provider,
  StoredTimer,
  TakeOver,
  TimerCursor,
} from '../../provider/provider.js';
import { commitScript } from './commit-script.js';
import type { Connection } from './connection.js';
import type { Row, Script, Statement } from './dialect.js';
import { findStuckScript } from './find-stuck.js';
import { listScript, historyScript } from './pages.js';
import { loadScript } from './load-script.js';
import { claimedActivityOf, instanceRowOf, storedMessageOf } from './rows.js';
import { migrations, migrationTable, tablesOf, type Tables } from './schema.js';
import { MysqlConnection } from './mysql-connection.js';
import { MysqlFleet, type MysqlFleetParts } from './mysql-fleet.js';
import { PostgresConnection } from './postgres-connection.js';
import { PostgresFleet, type PostgresFleetParts } from './postgres-fleet.js';
import { SqliteConnection, type Durability } from './sqlite-connection.js';
import { RowNumbers } from './row-numbers.js';
import { isBusy } from './sqlite-errors.js';
import { FleetStatements } from './statements/fleet-statements.js';
import { MysqlFleetStatements } from './statements/mysql-fleet-statements.js';
import { statementsOf, type Statements } from './statements/statements.js';
import { leaveScript, resumeForBuildScript, takeOverScript } from './take-over-script.js';

export interface TypeOrmProviderOptions {
  /** TypeORM's options of a better-sqlite3 database, or a DataSource whose options are used: the engine opens its own connection. */
  readonly storage: DataSourceOptions | DataSource;
  /** `full` (default): a commit survives power loss. `normal`: only a crash of the process. */
  readonly durability?: Durability;
  /** Before the name of every table. Letters, digits, underscores. Default `durable_`. */
  readonly tablePrefix?: string;
  /** PostgreSQL: the schema of the tables, created where it is missing. Default that of `storage`, else the first of the search path. */
  readonly schema?: string;
  /** PostgreSQL, where `storage` holds options: the size of the engine's own pool. Default its `poolSize`, else 8. */
  readonly connections?: number;
}

const DEFAULT_CONNECTIONS = 8;

/** Storage in a database that TypeORM reaches. */
export class TypeOrmProvider implements Provider {
  readonly lanes: number;
  readonly laneFill: number;
  private readonly prefix: string;
  private readonly options: DataSourceOptions;
  private connection: Connection | undefined;
  private sql!: Statements;
  private fleetParts: PostgresFleetParts | undefined;
  private mysqlFleetParts: MysqlFleetParts | undefined;
  readonly fleet: Fleet | undefined;
  private readonly numbers = new RowNumbers();

  constructor(private readonly settings: TypeOrmProviderOptions) {
    this.options = optionsOf(settings.storage);
    const prefix = settings.tablePrefix ?? 'durable_';
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,40}$/.test(prefix))
      throw new InvalidOptionError('tablePrefix', prefix, 'letters, digits and underscores');
    this.prefix = prefix;
    // A SQLite file has one writer; a server commits the batch of one lane while the next one's is made.
    [this.lanes, this.laneFill] = this.options.type === 'better-sqlite3' ? [1, 1] : [4, 32];
    if (this.options.type === 'postgres') this.fleet = new PostgresFleet(() => this.opened(this.fleetParts));
    else if (isMysql(this.options)) this.fleet = new MysqlFleet(() => this.opened(this.mysqlFleetParts));
  }

  get name(): string {
    return this.connection?.name ?? this.options.type;
  }

  async open(): Promise<void> {
    const connection = await this.connect();
    this.connection = connection;
    const tables = tablesOf(this.prefix, (name) => connection.qualified?.(name) ?? name);
    this.sql = statementsOf(connection.dialect, tables);
    if (connection instanceof PostgresConnection) this.openFleet(connection, tables);
    else if (connection instanceof MysqlConnection) this.openMysqlFleet(connection, tables);
    try {
      await migrateAlone(connection, () => this.migrate(connection, tables));
    } catch (error) {
      await this.close(); // whoever tries again opens another
      throw error;
    }
  }

  private openFleet({ newClient, database, schema, dialect }: PostgresConnection, tables: Tables): void {
    this.fleetParts = {
      newClient,
      database,
      space: `${schema}.${this.prefix}`,
      sql: new FleetStatements(dialect, tables),
      adopt: (node, ids) => this.adopt(node, ids),
    };
  }

  private openMysqlFleet(connection: MysqlConnection, tables: Tables): void {
    const { newClient, sessionOver, endpoint, space, dialect } = connection;
    this.mysqlFleetParts = {
      newClient,
      sessionOver,
      endpoint,
      space: `${space}.${this.prefix}`,
      sql: new MysqlFleetStatements(dialect, tables),
      adopt: (node, ids) => this.adopt(node, ids),
    };
  }

  private async adopt(node: string, instanceIds: readonly string[]): Promise<string[]> {
    const { sql } = this;
    const ids = JSON.stringify([...instanceIds].sort());
    const rows = await this.write(function* (): Script<readonly Row[]> {
      const lock = sql.instances.lock(ids);
      if (lock !== undefined) yield lock;
      return yield sql.instances.adoptNamed(node, ids);
    });
    return rows.map((row) => row['instance_id'] as string);
  }

  private connect(): Promise<Connection> {
    const { options, settings } = this;
    const shared = {
      durability: settings.durability ?? 'full',
      createDataSource: (wanted: DataSourceOptions) => new DataSource(wanted),
    };
    if (isMysql(options)) {
      const connections = settings.connections ?? options.poolSize ?? DEFAULT_CONNECTIONS;
      return MysqlConnection.open({ ...shared, options, connections });
    }
    return options.type === 'postgres'
      ? PostgresConnection.open({
          ...shared,
          storage: settings.storage,
          schema: settings.schema ?? options.schema,
          connections: settings.connections ?? options.poolSize ?? DEFAULT_CONNECTIONS,
        })
      : SqliteConnection.open({ ...shared, options });
  }

  /** Versioned, in one transaction under the write lock: several booting processes come one after the other. */
  private async migrate(connection: Connection, tables: Tables): Promise<void> {
    const known = migrations(tables, connection.dialect);
    await this.untilFree(() =>
      connection.write(function* (): Script<void> {
        yield* connection.beforeMigration ?? [];
        yield { sql: migrationTable(tables, connection.dialect), parameters: [], returns: false };
        // Writes nothing, but is refused at once where nothing can be written.
        yield { sql: `DELETE FROM ${tables.migration} WHERE version < 0`, parameters: [], returns: false };
        const rows = yield {
          sql: `SELECT MAX(version) AS version FROM ${tables.migration}`,
          parameters: [],
          returns: true,
        };
        const found = (rows[0]?.['version'] as number | null | undefined) ?? 0;
        const newest = known.at(-1)!.version;
        if (found > newest) throw new SchemaVersionError(connection.name, found, newest);
        for (const { version, statements } of known.filter((migration) => migration.version > found)) {
          for (const sql of statements) yield { sql, parameters: [], returns: false };
          yield {
            sql: `INSERT INTO ${tables.migration} (version, applied_at) VALUES (${version}, ${connection.dialect.parameter(1)})`,
            parameters: [Date.now()],
            returns: false,
          };
        }
      }),
    );
  }

  async close(): Promise<void> {
    const { connection } = this;
    this.connection = undefined;
    await this.fleet?.detach();
    await connection?.close();
  }

  private get db(): Connection {
    return this.opened(this.connection);
  }

  private opened<T>(part: T | undefined): T {
    if (part === undefined) throw new TypeError('the provider is not open');
    return part;
  }

  // ---- nodes ----

  acquireEngine(signal: AbortSignal, onWait: (holder: string) => void): Promise<void> {
    return this.db.acquireEngine(signal, onWait);
  }

  join({ node, lanes, buildId, now, leaseUntil }: NodeRegistration): Promise<void> {
    const { sql } = this;
    return this.write(function* (): Script<void> {
      yield sql.lanes.addNode(node, buildId, now, leaseUntil);
      for (let lane = 0; lane < lanes; lane++) yield sql.lanes.addLane(node, lane);
    });
  }

  heartbeat(node: string, now: number, leaseUntil: number): Promise<boolean> {
    const { sql } = this;
    return this.write(function* (): Script<boolean> {
      return (yield sql.lanes.heartbeat(node, now, leaseUntil)).length === 1;
    });
  }

  takeOver(node: string, nodes: 'all-others' | readonly string[], now: number): Promise<TakeOver> {
    return this.write(() => takeOverScript(this.sql, node, nodes, now));
  }

  leave(node: string): Promise<void> {
    return this.write(() => leaveScript(this.sql, node));
  }

  resumeForBuild(buildId: string, now: number): Promise<number> {
    return this.write(() => resumeForBuildScript(this.sql, buildId, now));
  }

  // ---- the write path ----

  async commit(node: string, lane: number, batch: Batch, patienceMs: number): Promise<BatchResult> {
    const result = await this.db.write(() => commitScript(this.sql, node, lane, batch, this.numbers), patienceMs);
    return { ...result, diskMs: this.db.lastDiskMs };
  }

  // ---- reading ----

  load(instanceIds: readonly string[], limits: LoadLimits): Promise<LoadedInstance[]> {
    return this.read(() => loadScript(this.sql, instanceIds, limits));
  }

  async messagesAfter(key: InstanceKey, afterSeq: number, limit: number): Promise<StoredMessage[]> {
    return (await this.rows(this.sql.journal.messagesAfter(key, afterSeq, limit))).map(storedMessageOf);
  }

  async bufferedMessages(
    key: InstanceKey,
    kind: 'external-event' | 'queue-message',
    name: string,
    limit: number,
  ): Promise<StoredMessage[]> {
    return (await this.rows(this.sql.journal.bufferedLane(key, kind, name, limit))).map(storedMessageOf);
  }

  async runnable(node: string, afterId: string, limit: number): Promise<string[]> {
    return (await this.rows(this.sql.instances.runnable(node, afterId, limit))).map(
      (row) => row['instance_id'] as string,
    );
  }

  async timers(after: TimerCursor | null, until: number, limit: number): Promise<StoredTimer[]> {
    const cursor =
      after === null
        ? ([-1, '', 0, 0] as const)
        : ([after.fireAt, after.instanceId, after.executionId, after.scheduleId] as const);
    const rows = await this.rows(this.sql.journal.timers(cursor, until, limit));
    return rows.map((row) => ({
      instanceId: row['instance_id'] as string,
      generation: row['generation'] as string,
      executionId: row['execution_id'] as number,
      scheduleId: row['schedule_id'] as number,
      fireAt: row['fire_at'] as number,
    }));
  }

  async nextActivityDueAt(names: readonly string[], tags: readonly string[]): Promise<number | null> {
    const [row] = await this.rows(this.sql.activities.nextDueAt(JSON.stringify(names), JSON.stringify(tags)));
    return (row?.['due_at'] as number | null | undefined) ?? null;
  }

  async claimedActivities(node: string): Promise<ClaimedActivity[]> {
    return (await this.rows(this.sql.activities.claimedBy(node))).map(claimedActivityOf);
  }

  changedElsewhere(): Promise<boolean> {
    return this.db.changedElsewhere();
  }

  async status(instanceId: string): Promise<InstanceRow | null> {
    return (await this.statuses([instanceId]))[0] ?? null;
  }

  async statuses(instanceIds: readonly string[]): Promise<InstanceRow[]> {
    return (await this.rows(this.sql.instances.status(JSON.stringify(instanceIds)))).map(instanceRowOf);
  }

  list(filter: InstanceFilter, page: PageRequest): Promise<Page<InstanceRow>> {
    return this.read(() => listScript(this.sql, this.db.dialect, filter, page));
  }

  history(instanceId: string, executionId: number | undefined, page: PageRequest): Promise<Page<HistoryEvent>> {
    return this.read(() => historyScript(this.sql, instanceId, executionId, page));
  }

  async kv(instanceId: string, key: string): Promise<Payload | null> {
    const [row] = await this.rows(this.sql.journal.kvValue(instanceId, key));
    return (row?.['value'] as string | null | undefined) ?? null;
  }

  async kvAll(instanceId: string): Promise<ReadonlyMap<string, Payload>> {
    const rows = await this.rows(this.sql.journal.kv(instanceId));
    return new Map(rows.map((row) => [row['name'] as string, row['value'] as string]));
  }

  openHandlers(): Promise<OpenHandlers> {
    const { sql } = this;
    return this.read(function* (): Script<OpenHandlers> {
      const orchestrations = yield sql.instances.openByHandler();
      const activities = yield sql.activities.openByHandler();
      return {
        orchestrations: orchestrations.map((row) => ({
          name: row['name'] as string,
          version: row['version'] as string,
          count: row['count'] as number,
        })),
        activities: activities.map((row) => ({
          name: row['name'] as string,
          tag: row['tag'] as string | null,
          count: row['count'] as number,
        })),
      };
    });
  }

  findStuck(): Promise<string[]> {
    return this.read(() => findStuckScript(this.sql));
  }

  // ---- help ----

  private rows(statement: Statement): Promise<readonly Row[]> {
    return this.read(function* (): Script<readonly Row[]> {
      return yield statement;
    });
  }

  private read<R>(script: () => Script<R>): Promise<R> {
    return this.untilFree(() => this.db.read(script));
  }

  private write<R>(script: () => Script<R>): Promise<R> {
    return this.untilFree(() => this.db.write(script));
  }

  /** Outside the journal a busy database is waited for here, in short pauses that never grow. */
  private async untilFree<R>(attempt: () => Promise<R>): Promise<R> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!isBusy(error)) throw error;
        await new Promise((done) => setTimeout(done, 1 + Math.random() * 3));
      }
    }
  }
}

function optionsOf(storage: DataSourceOptions | DataSource): DataSourceOptions {
  const options =
    'options' in storage && typeof storage.options === 'object'
      ? (storage as DataSource).options
      : (storage as DataSourceOptions);
  if (options.type !== 'better-sqlite3' && options.type !== 'postgres' && !isMysql(options)) {
    throw new InvalidOptionError('storage.type', options.type, "'better-sqlite3', 'postgres', 'mariadb' or 'mysql'");
  }
  return options;
}

const migrateAlone = (connection: Connection, migrate: () => Promise<void>): Promise<void> =>
  connection.migrateAlone === undefined ? migrate() : connection.migrateAlone(migrate);

const isMysql = ({ type }: DataSourceOptions): boolean => type === 'mariadb' || type === 'mysql';
