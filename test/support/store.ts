import { join } from 'node:path';
import type { Provider } from '../../lib/provider/index.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import { temporaryDirectory } from './engine.js';

/** An empty store of a test, removed with it. */
export interface TestStore {
  /** What another process would open. */
  provider(): Provider;
  remove(): void | Promise<void>;
}

export function sqliteStore(): TestStore {
  const directory = temporaryDirectory();
  const database = join(directory.path, 'durable.sqlite');
  return {
    provider: () => new TypeOrmProvider({ storage: { type: 'better-sqlite3', database } }),
    remove: () => directory.remove(),
  };
}

let open = sqliteStore;

/** A SQLite file, unless the test file that runs said otherwise. */
export const openStore = (): TestStore => open();

/** For a file that runs the tests of another one on another database: called before it imports them. */
export function runOn(openOther: () => TestStore): void {
  open = openOther;
}
