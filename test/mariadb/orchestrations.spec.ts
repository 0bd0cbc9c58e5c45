// The tests of the runtime, on MariaDB.
import { runOn } from '../support/store.js';
import { hasServer } from './server.js';
import { mariadbStore } from './stores.js';

runOn(mariadbStore);
if (hasServer) await import('../runtime/orchestrations.spec.js');
