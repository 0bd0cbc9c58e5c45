import type { DataSource, DataSourceOptions } from 'typeorm';
import { isDurableError, StorageError } from '../../core/errors.js';
import type { Connection } from './connection.js';
import type { Dialect, Row, Script, Statement } from './dialect.js';
import { mysqlDialect, type MysqlServer } from './mysql-dialect.js';
import { errnoOf, isContention, storageError } from './mysql-errors.js';
import { connected, openPool, type MysqlConnections } from './mysql-pool.js';
import { MysqlSession } from './mysql-session.js';
import type { MysqlClient, MysqlPooledClient, MysqlStandaloneClient } from './mysql-wire.js';
import type { Durability } from './sqlite-connection.js';

export interface MysqlOptions {
  readonly options: DataSourceOptions;
  readonly durability: Durability;
  /** Of its own pool. */
  readonly connections: number;
  readonly createDataSource: (options: DataSourceOptions) => DataSource;
}

const CONTENTION_ATTEMPTS = 10;
/** A server that says nothing for so long is not there any more, whatever the socket thinks. */
const SILENCE_MS = 30_000;
const MIGRATION_LOCK_SECONDS = 60;
const OLDEST_VERSION: Readonly<Record<MysqlServer, readonly [number, number]>> = {
  mariadb: [10, 6],
  mysql: [8, 0],
};

interface Server {
  readonly kind: MysqlServer;
  readonly database: string;
  readonly maxPacketBytes: number;
}

/** A MariaDB or MySQL database, through a pool of mysql2 that TypeORM has opened. */
export class MysqlConnection implements Connection {
  readonly dialect: Dialect;
  readonly name: string;
  /** Time on the disk passes on the server, beside the event loop. */
  readonly lastDiskMs = 0;
  private readonly known = new WeakSet<MysqlClient>();
  private readonly settings: string;

  static async open(options: MysqlOptions): Promise<MysqlConnection> {
    const source = await openPool(options);
    try {
      return new MysqlConnection(source, await aboutServer(source, options.durability));
    } catch (error) {
      await source.close();
      throw storageError(error, source.server);
    }
  }

  private constructor(
    private readonly source: MysqlConnections,
    private readonly server: Server,
  ) {
    this.dialect = mysqlDialect(server.kind);
    this.name = `${server.kind} (${source.server})`;
    this.settings = settingsOf(server.kind);
  }

  /** What tells the tables of one database from those of others on the same server. */
  get space(): string {
    return this.server.database;
  }

  get endpoint(): string {
    return this.source.server;
  }

  /** A connection beside the pool, and how to speak over it once it is there. */
  readonly newClient = (): MysqlStandaloneClient => this.source.newClient();
  readonly sessionOver = async (client: MysqlClient): Promise<MysqlSession> => {
    const session = new MysqlSession(client, this.server.maxPacketBytes);
    await session.run(run(this.settings));
    return session;
  };

  async write<R>(script: () => Script<R>): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.transaction(['START TRANSACTION'], script);
      } catch (error) {
        if (!isContention(error) || attempt === CONTENTION_ATTEMPTS) throw error;
      }
    }
  }

  read<R>(script: () => Script<R>): Promise<R> {
    return this.transaction(['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', 'START TRANSACTION READ ONLY'], script);
  }

  private async transaction<R>(begin: readonly string[], script: () => Script<R>): Promise<R> {
    const client = await this.connect();
    const watch = setTimeout(() => client.stream.destroy(), SILENCE_MS).unref();
    try {
      const result = await (await this.sessionOf(client)).transaction(begin, script());
      client.release();
      return result;
    } catch (error) {
      // What the server refuses leaves the connection as it was; of anything else nobody knows.
      if (isDurableError(error) || errnoOf(error) !== undefined) client.release();
      else client.destroy();
      throw storageError(error, this.endpoint);
    } finally {
      clearTimeout(watch);
    }
  }

  private async connect(): Promise<MysqlPooledClient> {
    try {
      return await taken(this.source);
    } catch (error) {
      throw errnoOf(error) === undefined ? unreachable(error, this.endpoint) : storageError(error, this.endpoint);
    }
  }

  private async sessionOf(client: MysqlPooledClient): Promise<MysqlSession> {
    if (this.known.has(client)) return new MysqlSession(client, this.server.maxPacketBytes);
    // Between two queries nobody listens, and an error event without a listener ends the process.
    client.on('error', NOTHING);
    const session = await this.sessionOver(client);
    this.known.add(client);
    return session;
  }

  /** Definitions commit by themselves, so a lock of a session keeps other processes away. */
  async migrateAlone<R>(work: () => Promise<R>): Promise<R> {
    const client = this.newClient();
    client.on('error', NOTHING);
    try {
      await connected(client);
      const name = `nest-durable ${this.space}`.slice(0, 64);
      const lock = query('SELECT GET_LOCK(?1, ?2) AS locked', name, MIGRATION_LOCK_SECONDS);
      const [[row]] = (await (await this.sessionOver(client)).run(lock)).slice(-1) as [[Row]];
      if (row['locked'] !== 1) throw anotherMigrates(this.endpoint);
      return await work();
    } catch (error) {
      throw storageError(error, this.endpoint);
    } finally {
      client.destroy(); // and with it the lock
    }
  }

  /** Nothing tells; `MysqlFleet` looks. */
  changedElsewhere(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /** Any number of engines share the database. */
  acquireEngine(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.source.close();
  }
}

const NOTHING = (): void => undefined;
const run = (sql: string): Statement => ({ sql, parameters: [], returns: false });
const query = (sql: string, ...parameters: readonly unknown[]): Statement => ({ sql, parameters, returns: true });

const taken = ({ pool }: MysqlConnections): Promise<MysqlPooledClient> =>
  new Promise((resolve, reject) =>
    pool.getConnection((error, client) => {
      if (error === null) resolve(client);
      else reject(error);
    }),
  );

const ABOUT_SERVER = `SELECT VERSION() AS version, DATABASE() AS db, @@max_allowed_packet AS packet,
  @@innodb_flush_log_at_trx_commit AS flush`;

async function aboutServer(source: MysqlConnections, durability: Durability): Promise<Server> {
  const client = await taken(source);
  try {
    const [[row]] = (await new MysqlSession(client, 65_536).run(query(ABOUT_SERVER))) as unknown as [[Row]];
    const version = String(row['version']);
    const kind = /mariadb/i.test(version) ? 'mariadb' : 'mysql';
    const wrong =
      faultOfVersion(kind, version) ??
      (row['db'] === null ? 'is no database: name one in storage.database' : undefined) ??
      (durability === 'full' && row['flush'] !== 1
        ? `runs with innodb_flush_log_at_trx_commit=${String(row['flush'])}, so that a power cut may undo commits: set it to 1, or accept that with durability: 'normal'`
        : undefined);
    if (wrong !== undefined) throw unfit(source.server, wrong);
    return { kind, database: row['db'] as string, maxPacketBytes: row['packet'] as number };
  } finally {
    client.release();
  }
}

function faultOfVersion(kind: MysqlServer, version: string): string | undefined {
  // MariaDB may call itself 5.5.5-10.11.18-MariaDB for the sake of old clients.
  const [major = 0, minor = 0] = version
    .replace(/^5\.5\.5-/, '')
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  const [oldestMajor, oldestMinor] = OLDEST_VERSION[kind];
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `runs ${kind === 'mariadb' ? 'MariaDB' : 'MySQL'} ${version}: ${oldestMajor}.${oldestMinor} or later is needed`;
}

/**
 * Every statement finds its rows by key. A plan that reads a table as a whole because it is small would lock rows of others in
 * passing, so keys are made cheap and joins go row by row.
 */
function settingsOf(kind: MysqlServer): string {
  const common = [
    'SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
    `SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00', SESSION autocommit = 1,
      SESSION default_storage_engine = InnoDB, SESSION innodb_lock_wait_timeout = 10, SESSION max_seeks_for_key = 1`,
  ];
  const own =
    kind === 'mariadb'
      ? // A process that was stopped inside a transaction must not hold its locks for ever.
        `SESSION join_cache_level = 0, SESSION in_predicate_conversion_threshold = 0, SESSION idle_transaction_timeout = 3`
      : `SESSION optimizer_switch = 'block_nested_loop=off'`;
  return [...common, own].map((setting) => `SET ${setting}`).join(';');
}

const unfit = (database: string, wrong: string): StorageError =>
  new StorageError(`${JSON.stringify(database)} ${wrong}.`, {
    code: 'ERR_DURABLE_SERVER',
    retryable: false,
    details: { database },
  });

const anotherMigrates = (database: string): StorageError =>
  new StorageError(
    `Another process has been migrating ${JSON.stringify(database)} for more than ${MIGRATION_LOCK_SECONDS} seconds.`,
    { retryable: true, details: { database } },
  );

const unreachable = (error: unknown, database: string): StorageError =>
  new StorageError(`${JSON.stringify(database)} cannot be reached (${String((error as Error).message)}).`, {
    code: 'ERR_DURABLE_CONNECTION',
    retryable: true,
    cause: error,
    details: { database },
  });
