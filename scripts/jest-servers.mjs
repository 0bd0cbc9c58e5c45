// Jest's global set-up: one PostgreSQL and one MariaDB server for the whole run. Where one cannot run, its tests are skipped and
// it is said why. A run of other files starts none. DURABLE_TEST_<NAME>_URL names one that is there already.
import { startMariadb } from './mariadb-server.mjs';
import { startPostgres } from './postgres-server.mjs';

const servers = [
  { name: 'PostgreSQL', variable: 'DURABLE_TEST_POSTGRES', folder: /postgres/, start: startPostgres },
  { name: 'MariaDB', variable: 'DURABLE_TEST_MARIADB', folder: /mariadb/, start: startMariadb },
];

export default async function setUp({ testPathPatterns }) {
  const patterns = testPathPatterns?.patterns ?? [];
  globalThis.durableServers = [];
  await Promise.all(servers.map((server) => provide(server, patterns)));
}

async function provide({ name, variable, folder, start }, patterns) {
  if (process.env[`${variable}_URL`]) return;
  if (patterns.length > 0 && !patterns.some((pattern) => folder.test(pattern))) {
    process.env[`${variable}_SKIPPED`] = 'not asked for';
    return;
  }
  try {
    const server = await start({ sync: false });
    process.env[`${variable}_URL`] = server.url;
    globalThis.durableServers.push(server);
  } catch (error) {
    process.env[`${variable}_SKIPPED`] = error.message;
    console.warn(`${name} tests are skipped: ${error.message}`);
  }
}
