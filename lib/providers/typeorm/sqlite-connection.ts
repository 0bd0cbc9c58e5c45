import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { InvalidOptionError, isDurableError, StorageError } from '../../core/errors.js';
import type { Connection } from './connection.js';
import type { Row, Script, Statement } from './dialect.js';
import { sqliteDialect } from './sqlite-dialect.js';
import { SqliteCheckpointer } from './sqlite-checkpointer.js';
import { SqliteEngineLock } from './sqlite-engine-lock.js';
import { isBusy, storageError } from './sqlite-errors.js';

/** The parts of a better-sqlite3 database that are used here. */
export interface SqliteDatabase {
  readonly inTransaction: boolean;
  readonly open: boolean;
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  pragma(text: string, options?: { simple?: boolean }): unknown;
  close(): unknown;
}
interface SqliteStatement {
  all(...parameters: readonly unknown[]): Row[];
  run(...parameters: readonly unknown[]): unknown;
}
export type SqliteConstructor = new (path: string, options?: { timeout?: number }) => SqliteDatabase;

export type Durability = 'full' | 'normal';

export interface SqliteOptions {
  readonly options: DataSourceOptions;
  readonly durability: Durability;
  readonly createDataSource: (options: DataSourceOptions) => DataSource;
}

const OPEN_RETRY_MS = 20;
const OPEN_ATTEMPTS = 500;

/**
 * The engine's own TypeORM connection to a SQLite file. A transaction is one synchronous call on the driver's handle, with
 * no await inside: nothing can interleave, and no reader on this handle sees half of it. It fails at once where another
 * connection holds the write lock; the journal tries again without holding up the event loop.
 */
export class SqliteConnection implements Connection {
  readonly dialect;
  readonly name: string;
  private readonly statements = new Map<string, SqliteStatement>();
  private readonly lock: SqliteEngineLock;
  private readonly checkpointer: SqliteCheckpointer;
  private dataVersion: unknown;
  lastDiskMs = 0;

  static async open({ options, durability, createDataSource }: SqliteOptions): Promise<SqliteConnection> {
    const database = checkedPath(options);
    const dataSource = createDataSource({
      ...options,
      database,
      entities: [],
      subscribers: [],
      migrations: [],
      synchronize: false,
      migrationsRun: false,
      dropSchema: false,
      logging: false,
      timeout: 0,
    } as unknown as DataSourceOptions);
    try {
      await patiently(
        () => (dataSource.isInitialized ? Promise.resolve(dataSource) : dataSource.initialize()),
        database,
      );
      const driver = dataSource.driver as unknown as { databaseConnection: SqliteDatabase; sqlite: SqliteConstructor };
      await patiently(() => Promise.resolve(setPragmas(driver.databaseConnection, durability, database)), database);
      return new SqliteConnection(dataSource, driver.databaseConnection, driver.sqlite, database);
    } catch (error) {
      if (dataSource.isInitialized) await dataSource.destroy();
      throw storageError(error, database);
    }
  }

  private constructor(
    private readonly dataSource: DataSource,
    private readonly database: SqliteDatabase,
    Sqlite: SqliteConstructor,
    private readonly path: string,
  ) {
    const [row] = database.prepare('SELECT sqlite_version() AS version').all();
    this.dialect = sqliteDialect(row!['version'] as string);
    this.name = `sqlite (${path})`;
    this.lock = new SqliteEngineLock(Sqlite, `${realpathSync(path)}.node-0`);
    this.checkpointer = new SqliteCheckpointer(path, Sqlite, (frames) => {
      if (database.open) database.pragma(`wal_autocheckpoint = ${frames}`);
    });
    this.dataVersion = this.readDataVersion();
    this.prepared('ROLLBACK'); // what undoes must not need anything of a database in trouble
  }

  async write<R>(script: () => Script<R>, patienceMs = 0): Promise<R> {
    if (patienceMs === 0) return this.inTransaction('BEGIN IMMEDIATE', script);
    this.database.pragma(`busy_timeout = ${patienceMs}`);
    try {
      return this.inTransaction('BEGIN IMMEDIATE', script);
    } finally {
      this.database.pragma('busy_timeout = 0');
    }
  }

  async read<R>(script: () => Script<R>): Promise<R> {
    return this.inTransaction('BEGIN', script);
  }

  private inTransaction<R>(begin: string, script: () => Script<R>): R {
    try {
      this.undo();
      this.prepared(begin).run();
      const result = this.drive(script());
      const startedAt = performance.now();
      this.prepared('COMMIT').run();
      this.lastDiskMs = performance.now() - startedAt;
      if (begin !== 'BEGIN') this.checkpointer.committed();
      return result;
    } catch (error) {
      this.undo();
      throw storageError(error, this.path);
    }
  }

  /** What cannot be undone now is undone before the next transaction; the error that led here is the one to tell. */
  private undo(): void {
    // After some errors (disk full, I/O) SQLite has rolled back by itself.
    if (!this.database.inTransaction) return;
    try {
      this.prepared('ROLLBACK').run();
    } catch {
      // SQLite ends the transaction even where it reports an error.
    }
  }

  private drive<R>(script: Script<R>): R {
    let step = script.next([]);
    while (!step.done) step = script.next(this.execute(step.value));
    return step.value;
  }

  private execute({ sql, parameters, returns, each }: Statement): readonly Row[] {
    const statement = this.prepared(sql);
    if (each !== undefined) {
      for (const row of each) statement.run(row);
      return [];
    }
    const bound = parameters.length === 0 ? NO_PARAMETERS : [byNumber(parameters)];
    if (returns) return statement.all(...bound);
    statement.run(...bound);
    return [];
  }

  private prepared(sql: string): SqliteStatement {
    let statement = this.statements.get(sql);
    if (statement === undefined) this.statements.set(sql, (statement = this.database.prepare(sql)));
    return statement;
  }

  async changedElsewhere(): Promise<boolean> {
    const before = this.dataVersion;
    try {
      this.dataVersion = this.readDataVersion();
    } catch (error) {
      throw storageError(error, this.path);
    }
    return this.dataVersion !== before;
  }

  private readDataVersion(): unknown {
    return this.prepared('PRAGMA data_version').all()[0]!['data_version'];
  }

  acquireEngine(signal: AbortSignal, onWait: (holder: string) => void): Promise<void> {
    return this.lock.acquire(signal, onWait);
  }

  async close(): Promise<void> {
    this.lock.release();
    await this.checkpointer.close();
    this.statements.clear();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }
}

const NO_PARAMETERS: readonly unknown[] = [];

/** better-sqlite3 takes `?1` for a name. */
function byNumber(parameters: readonly unknown[]): Record<number, unknown> {
  const named = Object.create(null) as Record<number, unknown>;
  for (let index = 0; index < parameters.length; index++) named[index + 1] = parameters[index];
  return named;
}

function checkedPath(options: DataSourceOptions): string {
  const database: unknown = (options as { database?: unknown }).database;
  if (typeof database !== 'string' || database === '' || database === ':memory:' || database.startsWith('file:')) {
    throw new InvalidOptionError(
      'storage.database',
      database,
      'the path of a file: what is only in memory is not durable, and the engine needs a connection of its own',
    );
  }
  return resolve(database);
}

/** SQLite takes a misspelt pragma value without an error, so each is read back. */
function setPragmas(database: SqliteDatabase, durability: Durability, path: string): void {
  const wanted: [pragma: string, value: string, readBack: unknown][] = [
    ['journal_mode', 'WAL', 'wal'],
    // What a statement may have to undo stays in memory: by default it is written to a file.
    ['temp_store', 'MEMORY', 2],
    ['synchronous', durability === 'full' ? 'FULL' : 'NORMAL', durability === 'full' ? 2 : 1],
  ];
  for (const [pragma, value, readBack] of wanted) {
    database.pragma(`${pragma} = ${value}`);
    const found = database.pragma(pragma, { simple: true });
    if (found !== readBack) {
      throw new StorageError(
        `${JSON.stringify(path)} refuses PRAGMA ${pragma} = ${value} (it says ${String(found)}): use a local file system that supports it.`,
        {
          code: 'ERR_DURABLE_PRAGMA',
          retryable: false,
        },
      );
    }
  }
}

/** While another process migrates or recovers the file, opening it answers busy; that passes. */
async function patiently<T>(open: () => Promise<T>, path: string): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await open();
    } catch (error) {
      if (!isBusy(error) || attempt === OPEN_ATTEMPTS) throw isDurableError(error) ? error : storageError(error, path);
      await new Promise((done) => setTimeout(done, OPEN_RETRY_MS));
    }
  }
}
