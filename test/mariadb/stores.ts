import type { TestStore } from '../support/store.js';
import { Database } from './server.js';

export function mariadbStore(): TestStore {
  const database = new Database();
  return { provider: () => database.providerWith(), remove: () => database.close() };
}
