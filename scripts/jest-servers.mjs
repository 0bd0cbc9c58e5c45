// Jest's global set-up: one PostgreSQL server for the whole run. Where none can run, its tests are skipped and it is said why.
// A run of other files starts none. DURABLE_TEST_POSTGRES_URL names one that is there already.
import { startPostgres } from './postgres-server.mjs';

/** Folders whose tests need the server. */
const NEEDS_SERVER = /postgres/;

export default async function setUp({ testPathPatterns }) {
  const patterns = testPathPatterns?.patterns ?? [];
  if (process.env.DURABLE_TEST_POSTGRES_URL) return;
  if (patterns.length > 0 && !patterns.some((pattern) => NEEDS_SERVER.test(pattern))) {
    process.env.DURABLE_TEST_POSTGRES_SKIPPED = 'not asked for';
    return;
  }
  try {
    const server = await startPostgres({ sync: false });
    process.env.DURABLE_TEST_POSTGRES_URL = server.url;
    globalThis.durablePostgres = server;
  } catch (error) {
    process.env.DURABLE_TEST_POSTGRES_SKIPPED = error.message;
    console.warn(`PostgreSQL tests are skipped: ${error.message}`);
  }
}
