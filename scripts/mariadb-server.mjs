// A MariaDB server of its own on loopback, from the binaries of the system (Debian: `apt-get install mariadb-server`).
//
//   node scripts/mariadb-server.mjs         prints its URL and runs until its standard input ends or it is interrupted
//
// DURABLE_MARIADB_SYNC `on` (default) or `off`: what benchmarks need, or what is enough for tests
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const START_LIMIT_MS = 30_000;
const UNSYNCED = {
  'innodb-flush-log-at-trx-commit': 0,
  'innodb-flush-method': 'nosync',
  'innodb-doublewrite': 0,
  'innodb-file-per-table': 0,
  'sync-frm': 0,
};

/** Resolves with `{ url, stop }`. Rejects where there are no binaries, or they do not run. */
export async function startMariadb({ sync = process.env.DURABLE_MARIADB_SYNC !== 'off' } = {}) {
  const [server, install] = ['mariadbd', 'mariadb-install-db'].map(found);
  const directory = mkdtempSync(join(tmpdir(), 'nest-durable-mariadb-'));
  const remove = () => rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  try {
    const user = unprivilegedUser();
    const data = join(directory, 'data');
    mkdirSync(data, { mode: 0o700 });
    if (user) for (const path of [directory, data]) chownSync(path, user.uid, user.gid);
    const made = spawnSync(
      install,
      ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
      { ...user, cwd: directory, encoding: 'utf8' },
    );
    if (made.status !== 0) throw new Error(`mariadb-install-db: ${made.error?.message ?? made.stderr + made.stdout}`);
    const port = await freePort();
    const settings = {
      datadir: data,
      socket: join(directory, 'socket'),
      'pid-file': join(directory, 'pid'),
      port,
      'bind-address': '127.0.0.1',
      'max-connections': 200,
      'innodb-buffer-pool-size': '256M',
      'max-allowed-packet': '64M',
      ...(sync ? {} : UNSYNCED),
    };
    const child = spawn(
      server,
      [
        '--no-defaults',
        '--skip-name-resolve',
        ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
      ],
      { ...user, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await ready(child);
    const stop = async () => {
      child.kill('SIGTERM');
      await ended;
      remove();
    };
    return { url: `mysql://root@127.0.0.1:${port}/mysql`, pid: child.pid, stop };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Servers often live outside the search path of ordinary users. */
function found(name) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/bin'];
  const path = directories.map((directory) => join(directory, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

/** The server refuses to run as root. */
function unprivilegedUser() {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'mysql') ?? users.find(([name]) => name === 'nobody');
  if (!user) throw new Error('this process is root, and there is neither a user mysql nor a user nobody');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function ready(server) {
  const log = [];
  const listening = new Promise((resolve, reject) => {
    createInterface({ input: server.stderr }).on('line', (line) => {
      if (log.push(line) > 50) log.shift();
      if (line.includes('ready for connections')) resolve();
    });
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`mariadbd ended with code ${code}:\n${log.join('\n')}`)));
  });
  try {
    await Promise.race([
      listening,
      pause(START_LIMIT_MS, undefined, { ref: false }).then(() => {
        throw new Error(`mariadbd is not ready after ${START_LIMIT_MS} ms:\n${log.join('\n')}`);
      }),
    ]);
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await startMariadb();
  console.log(server.url);
  let stopping;
  const stop = () => (stopping ??= server.stop().then(() => process.exit(0)));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  process.stdin.resume().on('end', stop).on('close', stop);
}
