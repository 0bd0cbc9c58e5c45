import { randomBytes } from 'node:crypto';
import { afterAll, describe, it } from '@jest/globals';
import mysql from 'mysql2/promise';
import type { DataSourceOptions } from 'typeorm';
import { TypeOrmProvider, type TypeOrmProviderOptions } from '../../lib/providers/typeorm/index.js';
import type { ConformanceFixture } from '../../lib/testing/index.js';

/** The server of this test run (`scripts/jest-servers.mjs`); undefined: there is none, and everybody was told why. */
const url = process.env['DURABLE_TEST_MARIADB_URL'];

export const hasServer = url !== undefined;

/** `describe` where there is a server to run on. */
export const describeOnMariadb: typeof describe | typeof describe.skip = url === undefined ? describe.skip : describe;

export function mariadbUrl(): string {
  if (url === undefined) throw new Error('no MariaDB server');
  return url;
}

/** A database of its own. */
export class Database {
  readonly name = `durable_test_${randomBytes(6).toString('hex')}`;
  private opened: TypeOrmProvider[] = [];
  private created: Promise<unknown> | undefined;

  /** Before a provider is opened. */
  create(): Promise<unknown> {
    return (this.created ??= this.sql(`CREATE DATABASE ${this.name}`));
  }

  storage(changes: object = {}): DataSourceOptions {
    const { hostname: host, port, username, password } = new URL(mariadbUrl());
    const { name: database } = this;
    return { type: 'mariadb', host, port: Number(port), username, password, database, ...changes };
  }

  /** The server of the tests does not sync. */
  options(changes: Partial<TypeOrmProviderOptions> = {}): TypeOrmProviderOptions {
    return { storage: this.storage(), connections: 4, durability: 'normal', ...changes };
  }

  providerWith(changes: Partial<TypeOrmProviderOptions> = {}): TypeOrmProvider {
    const provider = new TypeOrmProvider(this.options(changes));
    const open = provider.open.bind(provider);
    provider.open = async () => {
      await this.create();
      await open();
    };
    this.opened.push(provider);
    return provider;
  }

  /** SQL beside the engine; `$` stands for the database. */
  async sql(text: string, values: readonly string[] = []): Promise<Record<string, unknown>[]> {
    const client = await mysql.createConnection({ uri: mariadbUrl() });
    try {
      const [rows] = await client.query(text.replaceAll('$.', `${this.name}.`), [...values]);
      return rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  /** Everybody's to this database. */
  async cutConnections(): Promise<void> {
    const rows = await this.sql(`SELECT id FROM information_schema.processlist WHERE db = '${this.name}'`);
    // One that has ended meanwhile is no error.
    for (const { id } of rows) await this.sql(`KILL ${String(id)}`).catch(() => undefined);
  }

  /** Closes its providers and gives it back: definitions take much longer here than the tests. */
  async release(): Promise<void> {
    await this.closeProviders();
    const tables = await this.sql(`SELECT table_name AS name FROM information_schema.tables
      WHERE table_schema = '${this.name}' AND table_name <> 'durable_migration'`);
    for (const { name } of tables) await this.sql(`DELETE FROM $.${String(name)}`);
    free.push(this);
  }

  private async closeProviders(): Promise<void> {
    await Promise.all(this.opened.map((provider) => provider.close()));
    this.opened = [];
  }

  async close(): Promise<void> {
    await this.closeProviders();
    await this.sql(`DROP DATABASE IF EXISTS ${this.name}`);
  }
}

const free: Database[] = [];

/** An empty database, which may have its tables already. `release` gives it back. */
export const emptyDatabase = (): Database => free.pop() ?? new Database();

if (hasServer) afterAll(() => Promise.all(free.map((database) => database.close())));

const DAMAGE = {
  history: `UPDATE $.durable_history SET events = '[{' WHERE no IN (SELECT no FROM $.durable_instance WHERE instance_id = ?)`,
  message: `UPDATE $.durable_message SET body = 'x' WHERE instance_id = ?`,
};

/** For the conformance suite: every provider has a pool of its own. */
export function mariadbFixture(): Promise<ConformanceFixture> {
  const database = emptyDatabase();
  return Promise.resolve({
    async provider() {
      const provider = database.providerWith();
      await provider.open();
      return provider;
    },
    async damage(what, instanceId) {
      await database.sql(DAMAGE[what], [instanceId]);
    },
    close: () => database.release(),
  });
}

if (url === undefined)
  // oxlint-disable-next-line jest/no-disabled-tests -- says for each file why it cannot run
  it.skip(`MariaDB: ${process.env['DURABLE_TEST_MARIADB_SKIPPED'] ?? 'there is no server'}`, () => undefined);
