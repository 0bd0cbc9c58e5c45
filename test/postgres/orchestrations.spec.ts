// The tests of the runtime, on PostgreSQL.
import { runOn } from '../support/store.js';
import { hasServer } from './server.js';
import { postgresStore } from './stores.js';

runOn(postgresStore);
if (hasServer) await import('../runtime/orchestrations.spec.js');
