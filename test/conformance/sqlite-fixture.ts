import Sqlite from 'better-sqlite3';
import { join } from 'node:path';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import type { ConformanceFixture } from '../../lib/testing/index.js';
import { temporaryDirectory } from '../support/engine.js';

const DAMAGE = {
  history: `UPDATE durable_history SET events = '[{' WHERE no = (SELECT no FROM durable_instance WHERE instance_id = ?)`,
  message: `UPDATE durable_message SET body = 'x' WHERE instance_id = ?`,
};

/** A SQLite file of its own; every provider has a connection of its own to it. What survives power loss is tested elsewhere. */
export function sqliteFixture(): Promise<ConformanceFixture> {
  const directory = temporaryDirectory();
  const database = join(directory.path, 'durable.sqlite');
  const opened: TypeOrmProvider[] = [];
  return Promise.resolve({
    async provider() {
      const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database }, durability: 'normal' });
      opened.push(provider);
      await provider.open();
      return provider;
    },
    damage(what, instanceId) {
      const connection = new Sqlite(database);
      connection.prepare(DAMAGE[what]).run(instanceId);
      connection.close();
      return Promise.resolve();
    },
    async close() {
      await Promise.all(opened.map((provider) => provider.close()));
      directory.remove();
    },
  });
}
