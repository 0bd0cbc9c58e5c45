import { randomBytes } from 'node:crypto';
import { describe, it } from '@jest/globals';
import pg from 'pg';
import { TypeOrmProvider, type TypeOrmProviderOptions } from '../../lib/providers/typeorm/index.js';
import type { ConformanceFixture } from '../../lib/testing/index.js';

/** The server of this test run (`scripts/jest-servers.mjs`); undefined: there is none, and everybody was told why. */
const url = process.env['DURABLE_TEST_POSTGRES_URL'];

export const hasServer = url !== undefined;

/** `describe` where there is a server to run on. */
export const describeOnPostgres: typeof describe | typeof describe.skip = url === undefined ? describe.skip : describe;

export function postgresUrl(): string {
  if (url === undefined) throw new Error('no PostgreSQL server');
  return url;
}

/** A schema of its own, whose name needs its quotes. */
export class Schema {
  readonly name = `Durable test ${randomBytes(6).toString('hex')}`;
  private readonly opened: TypeOrmProvider[] = [];

  providerWith(options: Partial<TypeOrmProviderOptions> = {}): TypeOrmProvider {
    const provider = new TypeOrmProvider({
      storage: { type: 'postgres', url: postgresUrl() },
      schema: this.name,
      connections: 4,
      ...options,
    });
    this.opened.push(provider);
    return provider;
  }

  /** SQL beside the engine; `$` stands for the schema. */
  async sql(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: postgresUrl() });
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, unknown>>(text.replaceAll('$.', `"${this.name}".`), [
        ...values,
      ]);
      return rows;
    } finally {
      await client.end();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.opened.map((provider) => provider.close()));
    await this.sql(`DROP SCHEMA IF EXISTS "${this.name}" CASCADE`);
  }
}

const DAMAGE = {
  history: `UPDATE $.durable_history SET events = '[{' WHERE no IN (SELECT no FROM $.durable_instance WHERE instance_id = $1)`,
  message: `UPDATE $.durable_message SET body = 'x' WHERE instance_id = $1`,
};

/** For the conformance suite: every provider has a pool of its own. */
export function postgresFixture(): Promise<ConformanceFixture> {
  const schema = new Schema();
  return Promise.resolve({
    async provider() {
      const provider = schema.providerWith();
      await provider.open();
      return provider;
    },
    async damage(what, instanceId) {
      await schema.sql(DAMAGE[what], [instanceId]);
    },
    close: () => schema.close(),
  });
}

if (url === undefined)
  // oxlint-disable-next-line jest/no-disabled-tests -- says for each file why it cannot run
  it.skip(`PostgreSQL: ${process.env['DURABLE_TEST_POSTGRES_SKIPPED'] ?? 'there is no server'}`, () => undefined);
