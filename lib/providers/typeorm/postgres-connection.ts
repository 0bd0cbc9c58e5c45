import type { DataSource, DataSourceOptions } from 'typeorm';
import { isDurableError, StorageError } from '../../core/errors.js';
import type { Connection } from './connection.js';
import type { Row, Script, Statement } from './dialect.js';
import { postgresDialect } from './postgres-dialect.js';
import { isContention, isStalePreparation, sqlStateOf, storageError } from './postgres-errors.js';
import { openPool, type PostgresPool } from './postgres-pool.js';
import { PostgresSession } from './postgres-session.js';
import type { PgClient, PgStandaloneClient } from './postgres-wire.js';
import type { Durability } from './sqlite-connection.js';

export interface PostgresOptions {
  readonly storage: DataSourceOptions | DataSource;
  readonly durability: Durability;
  /** The schema of the tables; undefined: the first of the connection's search path. */
  readonly schema: string | undefined;
  /** Of its own pool. */
  readonly connections: number;
  readonly createDataSource: (options: DataSourceOptions) => DataSource;
}

const OLDEST_VERSION = 150_000;
const CONTENTION_ATTEMPTS = 10;
/** A server that says nothing for so long is not there any more, whatever the socket thinks. */
const SILENCE_MS = 30_000;

/** A PostgreSQL database, through a pool of node-postgres that TypeORM has opened. */
export class PostgresConnection implements Connection {
  readonly dialect = postgresDialect;
  readonly name: string;
  /** Time on the disk passes on the server, beside the event loop. */
  readonly lastDiskMs = 0;
  readonly beforeMigration: readonly Statement[];
  private readonly sessions = new WeakMap<PgClient, PostgresSession>();
  private readonly beginWrite: readonly Statement[];
  private readonly beginRead: readonly Statement[];
  /** False once something between here and the server has shown that it shares sessions. */
  private named = true;

  static async open(options: PostgresOptions): Promise<PostgresConnection> {
    const pool = await openPool(options);
    try {
      return await PostgresConnection.over(pool, options);
    } catch (error) {
      await pool.close();
      throw storageError(error, 'postgres');
    }
  }

  private static async over(pool: PostgresPool, { schema, durability }: PostgresOptions): Promise<PostgresConnection> {
    const client = await pool.pool.connect();
    try {
      const [row] = await new PostgresSession(client, false).run(query(ABOUT_SERVER));
      const database = `${client.host}:${client.port}/${client.database}`;
      check(row!, database);
      return new PostgresConnection(
        pool,
        database,
        schema ?? String(row!['schema']),
        settings(durability, row!['synchronous_commit']),
      );
    } finally {
      client.release();
    }
  }

  private constructor(
    private readonly source: PostgresPool,
    readonly database: string,
    readonly schema: string,
    private readonly settings: Readonly<Record<string, string>>,
  ) {
    this.name = `postgres (${database})`;
    // A pool of the application: nothing may outlive the transaction.
    const local = source.isOwn ? [] : [setting(settings, true)];
    this.beginWrite = [run('BEGIN ISOLATION LEVEL READ COMMITTED'), ...local];
    this.beginRead = [run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'), ...local];
    this.beforeMigration = [
      // Several processes boot at once: one after the other. It ends with the transaction.
      { ...query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', `nest-durable ${schema}`), returns: false },
      run(`CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}`),
    ];
  }

  /** A connection beside the pool. */
  readonly newClient = (): PgStandaloneClient => this.source.newClient();

  qualified(table: string): string {
    return `${quoted(this.schema)}.${quoted(table)}`;
  }

  async write<R>(script: () => Script<R>): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.withSession((session) => session.write(this.beginWrite, script));
      } catch (error) {
        if (!isContention(error) || attempt === CONTENTION_ATTEMPTS) throw error;
      }
    }
  }

  async read<R>(script: () => Script<R>): Promise<R> {
    const client = await this.connect();
    const watch = this.watched(client);
    try {
      const { result, ended } = await (await this.sessionOf(client)).read(this.beginRead, script);
      ended.then(
        () => {
          clearTimeout(watch);
          client.release();
        },
        (error: unknown) => this.failed(client, watch, error),
      );
      return result;
    } catch (error) {
      throw this.failed(client, watch, error);
    }
  }

  private async withSession<R>(work: (session: PostgresSession) => Promise<R>): Promise<R> {
    const client = await this.connect();
    const watch = this.watched(client);
    try {
      const result = await work(await this.sessionOf(client));
      clearTimeout(watch);
      client.release();
      return result;
    } catch (error) {
      throw this.failed(client, watch, error);
    }
  }

  private async connect(): Promise<PgClient> {
    try {
      return await this.source.pool.connect();
    } catch (error) {
      throw isDurableError(error) || sqlStateOf(error) !== undefined
        ? storageError(error, this.database)
        : unreachable(error, this.database);
    }
  }

  private async sessionOf(client: PgClient): Promise<PostgresSession> {
    let session = this.sessions.get(client);
    if (session === undefined) {
      // Between two queries nobody listens, and an error event without a listener ends the process.
      client.on('error', NOTHING);
      session = new PostgresSession(client, this.named);
      if (this.source.isOwn) await session.run(setting(this.settings, false));
      this.sessions.set(client, session);
    }
    return session;
  }

  private watched(client: PgClient): ReturnType<typeof setTimeout> {
    return setTimeout(() => client.connection.stream.destroy(), SILENCE_MS).unref();
  }

  /** Gives the connection back, or up, and says why in the contract's words. */
  private failed(client: PgClient, watch: ReturnType<typeof setTimeout>, error: unknown): unknown {
    clearTimeout(watch);
    if (isStalePreparation(error) && /^(26000|42P05)$/.test(sqlStateOf(error)!)) this.named = false;
    const isAlive = isDurableError(error) || sqlStateOf(error) !== undefined;
    client.release(!isAlive || !this.named);
    return storageError(error, this.database);
  }

  /** Notifications tell (`PostgresFleet`); nothing else does. */
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
const run = (sql: string, ...parameters: unknown[]): Statement => ({ sql, parameters, returns: false });
const query = (sql: string, ...parameters: unknown[]): Statement => ({ sql, parameters, returns: true });
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const ABOUT_SERVER = `SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding,
  current_setting('synchronous_commit') AS synchronous_commit, coalesce(current_schema(), 'public') AS schema`;

function check(row: Row, database: string): void {
  const wrong =
    (row['version'] as number) < OLDEST_VERSION
      ? `runs PostgreSQL ${Math.floor((row['version'] as number) / 10_000)}: 15 or later is needed`
      : row['encoding'] !== 'UTF8'
        ? `is encoded in ${String(row['encoding'])}: create the database with ENCODING 'UTF8'`
        : undefined;
  if (wrong === undefined) return;
  throw new StorageError(`${JSON.stringify(database)} ${wrong}.`, {
    code: 'ERR_DURABLE_SERVER',
    retryable: false,
    details: { database },
  });
}

/**
 * Every statement finds its rows by key. A plan made while a table was small would read it as a whole, and be kept; so reading
 * tables as a whole is made dear, and plans are made once.
 */
const settings = (durability: Durability, synchronousCommit: unknown): Readonly<Record<string, string>> => ({
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // What is made dear would otherwise be compiled first.
  jit: 'off',
  // A process that was stopped inside a transaction must not hold its locks for ever.
  idle_in_transaction_session_timeout: '3s',
  ...(durability === 'normal' && { synchronous_commit: 'off' }),
  ...(durability === 'full' && synchronousCommit === 'off' && { synchronous_commit: 'on' }),
});

const setting = (values: Readonly<Record<string, string>>, isLocal: boolean): Statement =>
  run(
    `SELECT ${Object.entries(values)
      .map(([name, value]) => `set_config('${name}', '${value}', ${isLocal})`)
      .join(', ')}`,
  );

const unreachable = (error: unknown, database: string): StorageError =>
  new StorageError(`${JSON.stringify(database)} cannot be reached (${String((error as Error).message)}).`, {
    code: 'ERR_DURABLE_CONNECTION',
    retryable: true,
    cause: error,
    details: { database },
  });
