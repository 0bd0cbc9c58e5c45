import { DataSource, type DataSourceOptions } from 'typeorm';
import { InvalidOptionError } from '../../core/errors.js';
import { storageError } from './postgres-errors.js';
import type { PgPool, PgStandaloneClient } from './postgres-wire.js';

/** Where connections come from. */
export interface PostgresPool {
  readonly pool: PgPool;
  /** The settings of its sessions may be changed: nobody else uses them. */
  readonly isOwn: boolean;
  /** A connection beside the pool, not yet connected. */
  newClient(): PgStandaloneClient;
  close(): Promise<void>;
}

export interface PostgresPoolOptions {
  readonly storage: DataSourceOptions | DataSource;
  readonly connections: number;
  readonly createDataSource: (options: DataSourceOptions) => DataSource;
}

/** An application's initialized DataSource lends its pool; of options the engine makes one of its own (protocol 37). */
export async function openPool({ storage, connections, createDataSource }: PostgresPoolOptions): Promise<PostgresPool> {
  if (isDataSource(storage)) return poolOf(await initialized(storage), false);
  const dataSource = createDataSource({
    ...storage,
    entities: [],
    subscribers: [],
    migrations: [],
    synchronize: false,
    migrationsRun: false,
    dropSchema: false,
    installExtensions: false,
    logging: false,
    poolSize: undefined,
    extra: {
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
      ...(storage.extra as object | undefined),
      max: connections,
      // node-postgres refuses the kind of query that is used here in a pipelining client, and has no use for it.
      pipeline: false,
    },
  } as unknown as DataSourceOptions);
  try {
    return poolOf(await dataSource.initialize(), true);
  } catch (error) {
    if (dataSource.isInitialized) await dataSource.destroy();
    throw storageError(error, String((storage as { database?: unknown }).database ?? 'postgres'));
  }
}

export const isDataSource = (storage: DataSourceOptions | DataSource): storage is DataSource =>
  'options' in storage && typeof storage.options === 'object';

async function initialized(dataSource: DataSource): Promise<DataSource> {
  if (dataSource.isInitialized) return dataSource;
  throw new InvalidOptionError(
    'storage',
    'a DataSource that is not initialized',
    'an initialized DataSource, whose pool is used, or the options of a connection',
  );
}

function poolOf(dataSource: DataSource, isOwn: boolean): PostgresPool {
  const driver = dataSource.driver as unknown as {
    readonly master: PgPool;
    readonly postgres: { readonly Client: new (options: object) => PgStandaloneClient };
  };
  const options = driver.master.options ?? {};
  return {
    pool: driver.master,
    isOwn,
    newClient: () => new driver.postgres.Client({ ...options, keepAlive: true }),
    close: async () => {
      if (isOwn && dataSource.isInitialized) await dataSource.destroy();
    },
  };
}
