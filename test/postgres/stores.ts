import type { TestStore } from '../support/store.js';
import { Schema } from './server.js';

export function postgresStore(): TestStore {
  const schema = new Schema();
  return { provider: () => schema.providerWith(), remove: () => schema.close() };
}
