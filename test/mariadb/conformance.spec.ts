import { runCasesOn } from '../conformance/run-cases.js';
import { describeOnMariadb, mariadbFixture } from './server.js';

describeOnMariadb('conformance', () => {
  runCasesOn('MariaDB', mariadbFixture);
});
