import type { DataSource, DataSourceOptions } from 'typeorm';
import { storageError } from './mysql-errors.js';
import type { MysqlPool, MysqlStandaloneClient } from './mysql-wire.js';

/** Where connections come from. */
export interface MysqlConnections {
  readonly pool: MysqlPool;
  readonly server: string;
  /** A connection beside the pool, connecting. */
  newClient(): MysqlStandaloneClient;
  close(): Promise<void>;
}

export interface MysqlPoolOptions {
  readonly options: DataSourceOptions;
  readonly connections: number;
  readonly createDataSource: (options: DataSourceOptions) => DataSource;
}

/** A pool of the engine's own: its sessions have settings that the application would not like (protocol 37). */
export async function openPool({
  options,
  connections,
  createDataSource,
}: MysqlPoolOptions): Promise<MysqlConnections> {
  const dataSource = createDataSource({
    ...options,
    entities: [],
    subscribers: [],
    migrations: [],
    synchronize: false,
    migrationsRun: false,
    dropSchema: false,
    logging: false,
    poolSize: undefined,
    replication: undefined,
    extra: {
      enableKeepAlive: true,
      connectTimeout: 10_000,
      ...(options.extra as object | undefined),
      connectionLimit: connections,
      maxIdle: connections,
      waitForConnections: true,
      queueLimit: 0,
      multipleStatements: true,
      charset: 'utf8mb4_bin',
      supportBigNumbers: true,
      bigNumberStrings: false,
      decimalNumbers: true,
      namedPlaceholders: false,
      rowsAsArray: false,
      typeCast: true,
    },
  } as unknown as DataSourceOptions);
  try {
    return connectionsOf(await dataSource.initialize());
  } catch (error) {
    if (dataSource.isInitialized) await dataSource.destroy();
    throw storageError(error, String(options.database ?? options.type));
  }
}

interface Endpoint {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly database?: string;
}

function connectionsOf(dataSource: DataSource): MysqlConnections {
  const driver = dataSource.driver as unknown as {
    readonly pool: MysqlPool & { readonly config: { readonly connectionConfig: Endpoint } };
    readonly mysql: { readonly createConnection: (options: object) => MysqlStandaloneClient };
    createConnectionOptions(options: DataSourceOptions, credentials: DataSourceOptions): object;
  };
  const { host = 'localhost', port = 3306, socketPath, database } = driver.pool.config.connectionConfig;
  return {
    pool: driver.pool,
    server: `${socketPath ?? `${host}:${port}`}/${database ?? ''}`,
    newClient: () =>
      driver.mysql.createConnection(driver.createConnectionOptions(dataSource.options, dataSource.options)),
    close: async () => {
      if (dataSource.isInitialized) await dataSource.destroy();
    },
  };
}

/** When a connection beside the pool is there. */
export const connected = (client: MysqlStandaloneClient): Promise<void> =>
  new Promise((resolve, reject) => {
    client.connect((error) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
