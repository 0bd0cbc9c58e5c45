import { runCasesOn } from '../conformance/run-cases.js';
import { describeOnPostgres, postgresFixture } from './server.js';

describeOnPostgres('conformance', () => {
  runCasesOn('PostgreSQL', postgresFixture);
});
