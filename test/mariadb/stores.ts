import type { TestStore } from '../support/store.js';
import { emptyDatabase } from './server.js';

export function mariadbStore(): TestStore {
  const database = emptyDatabase();
  return { provider: () => database.providerWith(), remove: () => database.release() };
}
