import { ModelRows } from './model-store.js';
import type { Plan } from './plan.js';
import { SqliteStore } from './sqlite-store.js';
import type { SimulatedStore } from './store.js';
import type { World } from './world.js';

export const openStore = (plan: Plan, world: World): SimulatedStore =>
  plan.store === 'sqlite' ? new SqliteStore(!plan.fleet) : new ModelRows(plan, world);
