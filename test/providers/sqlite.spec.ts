import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import type { BatchItem } from '../../lib/provider/batch.js';
import type { OrchestrationContext as Ctx } from '../../lib/replay/index.js';
import { TypeOrmProvider, type TypeOrmProviderOptions } from '../../lib/providers/typeorm/index.js';
import { eventually, registryOf, startEngine, temporaryDirectory, type TestEngine } from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
let opened: TypeOrmProvider[];
let engines: TestEngine[];

beforeEach(() => {
  directory = temporaryDirectory();
  opened = [];
  engines = [];
});
afterEach(async () => {
  await Promise.all(engines.map((engine) => engine.stop()));
  await Promise.all(opened.map((provider) => provider.close()));
  directory.remove();
});

const file = (name = 'durable.sqlite'): string => join(directory.path, name);

type Storage = Record<string, unknown>;
function provider(storage: Storage = {}, options: Partial<TypeOrmProviderOptions> = {}): TypeOrmProvider {
  const made = new TypeOrmProvider({
    storage: { type: 'better-sqlite3', database: file(), ...storage } as never,
    ...options,
  });
  opened.push(made);
  return made;
}
async function open(storage: Storage = {}, options: Partial<TypeOrmProviderOptions> = {}): Promise<TypeOrmProvider> {
  const made = provider(storage, options);
  await made.open();
  return made;
}
async function engine(
  ...[registry, settings]: Parameters<typeof startEngine> extends [unknown, ...infer Rest] ? Rest : never
): Promise<TestEngine> {
  const started = await startEngine(file(), registry, settings);
  engines.push(started);
  return started;
}

/** The connection of the provider itself, to see its settings. */
const handleOf = (made: TypeOrmProvider): Sqlite.Database =>
  (made as unknown as { connection: { database: Sqlite.Database } }).connection.database;
const pragma = (made: TypeOrmProvider, name: string): unknown => handleOf(made).pragma(name, { simple: true });
const errorOf = (promise: Promise<unknown>): Promise<{ code?: unknown; retryable?: unknown; message: string }> =>
  promise.then(
    () => ({ message: 'resolved' }),
    (error: { code?: unknown; message: string }) => error,
  );
const migrationsIn = (path = file()): number => {
  const database = new Sqlite(path, { readonly: true });
  const row = database.prepare('SELECT count(*) AS n FROM durable_migration').get() as { n: number };
  database.close();
  return row.n;
};
const startItem = (id: string, input = '1'): BatchItem => ({
  kind: 'start',
  instanceId: id,
  generation: `life-of-${id}`,
  name: 'Test',
  version: '1.0.0',
  input,
  ifExists: 'reject',
});
const join1 = (made: TypeOrmProvider, node = 'n') =>
  made.join({ node, lanes: 1, buildId: 'b', now: 0, leaseUntil: 10_000 });

describe('settings of the connection', () => {
  it('make every commit survive power loss', async () => {
    const made = await open();
    expect(['journal_mode', 'synchronous', 'busy_timeout'].map((name) => pragma(made, name))).toEqual(['wal', 2, 0]);
    expect(made.name).toBe(`sqlite (${file()})`);
  });

  it('survive only a crash of the process with durability normal', async () => {
    const made = await open({}, { durability: 'normal' });
    expect(pragma(made, 'synchronous')).toBe(1);
  });

  it('hold against what the application prefers', async () => {
    const prepareDatabase = (database: Sqlite.Database): void => {
      database.pragma('journal_mode = DELETE');
      database.pragma('synchronous = OFF');
    };
    const made = await open({
      prepareDatabase,
      timeout: 5_000,
      entities: ['nonsense/*.js'],
      synchronize: true,
      dropSchema: true,
    });
    expect(['journal_mode', 'synchronous', 'busy_timeout'].map((name) => pragma(made, name))).toEqual(['wal', 2, 0]);
  });

  it('come from a DataSource, whose own connection is left alone', async () => {
    const dataSource = new DataSource({ type: 'better-sqlite3', database: file() });
    await dataSource.initialize();
    const made = new TypeOrmProvider({ storage: dataSource });
    await made.open();
    await made.close();
    expect(dataSource.isInitialized).toBe(true);
    expect(await dataSource.query('SELECT count(*) AS n FROM durable_instance')).toEqual([{ n: 0 }]);
    await dataSource.destroy();
  });
});

describe('a fresh file', () => {
  it('is migrated once by eight providers that open it at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => open()));
    expect(migrationsIn()).toBe(1);
    await join1(all[0]!);
    await all[0]!.commit('n', 0, { seq: 1, now: 1, items: [startItem('i')] }, 0);
    for (const made of all) expect(await made.status('i')).toMatchObject({ status: 'Pending' });
  });

  it('is migrated once by four processes that open it at the same time', async () => {
    const codes = await Promise.all([1, 2, 3, 4].map(() => openInProcess(file())));
    expect(codes).toEqual([0, 0, 0, 0]);
    expect(migrationsIn()).toBe(1);
  });

  it('holds several engines under prefixes of their own', async () => {
    const one = await open({}, { tablePrefix: 'one_' });
    const two = await open({}, { tablePrefix: 'two_' });
    await join1(one);
    await one.commit('n', 0, { seq: 1, now: 1, items: [startItem('i')] }, 0);
    expect([(await one.status('i'))?.instanceId, await two.status('i')]).toEqual(['i', null]);
    for (const tablePrefix of ['', '1x', 'a-b', 'a; DROP', 'x'.repeat(50)]) {
      expect(() => provider({}, { tablePrefix })).toThrow(expect.objectContaining({ code: 'ERR_DURABLE_OPTION' }));
    }
  });

  it('is closed twice without an error', async () => {
    const made = await open();
    await made.close();
    await made.close();
  });
});

const compiledTo = join(process.cwd(), 'node_modules', '.cache', 'nest-durable-tests', String(process.pid));
afterAll(() => rmSync(compiledTo, { recursive: true, force: true }));

/** Transpiles the library with the compiler of the tests and opens the file in a process of its own. */
function openInProcess(path: string): Promise<number | null> {
  const script = `
    import { TypeOrmProvider } from ${JSON.stringify(compiled())};
    const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: ${JSON.stringify(path)} } });
    await provider.open();
    await provider.close();
  `;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'inherit', 'inherit'],
      cwd: process.cwd(),
    });
    child.on('error', reject);
    child.on('exit', resolve);
  });
}

function compiled(): string {
  const entry = join(compiledTo, 'lib/providers/typeorm/index.js');
  if (!existsSync(entry)) {
    const swc = {
      jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: true } },
      module: { type: 'es6' },
    };
    const script = `
      const { transformFileSync } = require('@swc/core');
      const { readdirSync, mkdirSync, writeFileSync } = require('node:fs');
      const { join, dirname } = require('node:path');
      for (const name of readdirSync('lib', { recursive: true })) {
        if (!name.endsWith('.ts')) continue;
        const target = join(${JSON.stringify(compiledTo)}, 'lib', name.replace(/\\.ts$/, '.js'));
        mkdirSync(dirname(target), { recursive: true });
        writeFileSync(target, transformFileSync(join('lib', name), { swcrc: false, ...${JSON.stringify(swc)} }).code);
      }
      writeFileSync(join(${JSON.stringify(compiledTo)}, 'package.json'), '{"type":"module"}');
    `;
    execFileSync(process.execPath, ['-e', script], { stdio: 'inherit' });
  }
  return entry;
}

describe('a database that cannot be used', () => {
  it.each([':memory:', '', undefined, 'file:x?mode=memory', 7])(
    'is refused before anything is opened: %p',
    async (database) => {
      expect(await errorOf(provider({ database }).open())).toMatchObject({
        code: 'ERR_DURABLE_OPTION',
        retryable: false,
      });
    },
  );

  it('is refused when it is of a kind without a dialect', () => {
    for (const type of ['oracle', 'sqljs', undefined]) {
      expect(() => provider({ type })).toThrow(expect.objectContaining({ code: 'ERR_DURABLE_OPTION' }));
    }
  });

  it('is no SQLite database', async () => {
    writeFileSync(file(), 'Dear diary, '.repeat(1_000));
    const error = await errorOf(provider().open());
    expect(error).toMatchObject({ code: 'ERR_DURABLE_NOT_A_DATABASE', retryable: false });
    expect(error.message).toContain(file());
  });

  it('is opened read-only by its options', async () => {
    await (await open()).close();
    expect(await errorOf(provider({ readonly: true }).open())).toMatchObject({ code: 'ERR_DURABLE_READ_ONLY' });
  });

  it('lies on a read-only file system', async () => {
    await (await open()).close();
    if (!mount('--bind', directory.path, directory.path)) return skipped('mount is not allowed here');
    try {
      if (!mount('-o', 'remount,bind,ro', directory.path)) return skipped('a read-only bind mount is not allowed here');
      const error = await errorOf(provider().open());
      expect(['ERR_DURABLE_READ_ONLY', 'ERR_DURABLE_CANNOT_OPEN']).toContain(error.code);
    } finally {
      unmount(directory.path);
    }
  });

  it('has been migrated by a newer version', async () => {
    await (await open()).close();
    const database = new Sqlite(file());
    database.exec('INSERT INTO durable_migration (version, applied_at) VALUES (99, 0)');
    database.close();
    const error = await errorOf(provider().open());
    expect(error).toMatchObject({ code: 'ERR_DURABLE_SCHEMA_NEWER', retryable: false, details: { found: 99 } });
  });

  it('is a directory', async () => {
    mkdirSync(file());
    expect(await errorOf(provider().open())).toMatchObject({ code: 'ERR_DURABLE_CANNOT_OPEN' });
  });

  it('lies below what is no directory', async () => {
    writeFileSync(file('plain'), '');
    expect(await errorOf(provider({ database: file('plain/durable.sqlite') }).open())).toMatchObject({
      code: 'ERR_DURABLE_CANNOT_OPEN',
    });
  });

  it('lies in a missing directory, which is made', async () => {
    const made = await open({ database: file('a/b/durable.sqlite') });
    expect(made.name).toContain('a/b/durable.sqlite');
    expect(await made.findStuck()).toEqual([]);
  });

  it('leaves nothing open behind', async () => {
    writeFileSync(file(), 'Dear diary, '.repeat(1_000));
    const made = provider();
    await errorOf(made.open());
    await made.close();
    writeFileSync(file(), '');
    await made.open();
    expect(await made.findStuck()).toEqual([]);
  });
});

function mount(...args: string[]): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('mount', args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
const unmount = (path: string): void => void execFileSync('umount', ['-l', path], { stdio: 'ignore' });
const skipped = (reason: string): void => void process.stdout.write(`skipped: ${reason}\n`);

describe('a full disk', () => {
  const big = JSON.stringify('x'.repeat(200_000));

  it('refuses the batch as one that may be repeated, and takes it when there is room', async () => {
    const made = await open();
    await join1(made);
    handleOf(made).pragma(`max_page_count = ${Number(pragma(made, 'page_count')) + 10}`);
    const batch = { seq: 1, now: 1, items: [startItem('small'), startItem('big', big)] };
    for (let again = 0; again < 2; again++) {
      expect(await errorOf(made.commit('n', 0, batch, 0))).toMatchObject({
        code: 'ERR_DURABLE_DATABASE_FULL',
        retryable: true,
      });
      expect(await made.status('small')).toBeNull();
    }
    handleOf(made).pragma('max_page_count = 100000');
    expect((await made.commit('n', 0, batch, 0)).verdicts).toEqual([{ kind: 'accepted' }, { kind: 'accepted' }]);
  });

  it('holds instances up and loses none', async () => {
    const echo = async (ctx: Ctx, text: string): Promise<number> =>
      (await ctx.scheduleActivity<string>('echo', [text])).length;
    const one = await engine(registryOf({ Echo: echo as never }, { echo: (text: string) => text }));
    const made = one.provider as TypeOrmProvider;
    await (await one.client.startOrchestration('Echo', 'warm')).result({ timeout: '10s' });
    handleOf(made).pragma(`max_page_count = ${Number(pragma(made, 'page_count')) + 100}`);
    const handles = [1, 2, 3].map((n) => one.client.startOrchestration('Echo', 'x'.repeat(200_000 + n)));
    await eventually(() => one.log.matching(/is full/).length > 0);
    handleOf(made).pragma('max_page_count = 100000');
    const lengths = await Promise.all(handles.map(async (handle) => (await handle).result({ timeout: '10s' })));
    expect(lengths).toEqual([200_001, 200_002, 200_003]);
    expect(one.runtime.counters.suspended).toBe(0);
  });

  it('of a real file system is told apart from other trouble', async () => {
    if (!mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory.path))
      return skipped('mounting a tmpfs is not allowed here');
    try {
      const made = await open();
      await join1(made);
      let seq = 1;
      let error = await errorOf(Promise.resolve());
      for (; seq < 30 && error.code === undefined; seq++)
        error = await errorOf(made.commit('n', 0, { seq, now: 1, items: [startItem(`n${seq}`, big)] }, 0));
      expect(error).toMatchObject({ code: 'ERR_DURABLE_DATABASE_FULL', retryable: true });
      if (!mount('-o', 'remount,size=16m', directory.path)) return skipped('remounting is not allowed here');
      seq--;
      expect((await made.commit('n', 0, { seq, now: 1, items: [startItem(`n${seq}`, big)] }, 0)).verdicts).toEqual([
        { kind: 'accepted' },
      ]);
      await made.close();
    } finally {
      unmount(directory.path);
    }
  });
});

describe('one engine per file', () => {
  const who = (name: string) =>
    registryOf(
      {
        Who: async (ctx: Ctx) => [
          await ctx.scheduleActivity('who'),
          await ctx.scheduleWait('go'),
          await ctx.scheduleActivity('who'),
        ],
      },
      { who: () => name },
    );

  it('makes a second one wait as a client, say so once, and take over when the first stops', async () => {
    const first = await engine(who('first'));
    const second = await engine(who('second'));
    expect([first.runtime.status.state, second.runtime.status.state]).toEqual(['running', 'waiting']);
    expect(second.log.matching(/works as a client/)).toHaveLength(1);
    const handle = await second.client.startOrchestration('Who', undefined, { instanceId: 'i' });
    await eventually(() => first.runtime.counters.activitiesRun === 1);
    expect(second.runtime.counters.activitiesRun).toBe(0);
    await first.stop();
    await eventually(
      () => second.runtime.status.state,
      (state) => state === 'running',
    );
    await handle.raiseEvent('go', 'went');
    expect(await handle.result({ timeout: '10s' })).toEqual(['first', 'went', 'second']);
    expect(second.log.matching(/works as a client/)).toHaveLength(1);
  });

  it('lets a waiting one stop', async () => {
    await engine(who('first'));
    const second = await engine(who('second'));
    await second.stop();
    expect(second.runtime.status.state).toBe('stopped');
  });

  it('hears a client-only process, and the client hears of the end', async () => {
    const first = await engine(who('first'));
    const client = await engine(who('client'), { runsInstances: false });
    for (let n = 0; n < 3; n++) {
      const handle = await client.client.startOrchestration('Who');
      await handle.raiseEvent('go', n);
      expect(await handle.result({ timeout: '10s' })).toEqual(['first', n, 'first']);
    }
    expect([client.runtime.counters.activitiesRun, client.runtime.counters.turns]).toEqual([0, 0]);
    expect(first.runtime.counters.activitiesRun).toBe(6);
  });

  it('joins again when it was declared dead, and loses nothing that was asked meanwhile', async () => {
    const first = await engine(who('first'));
    const handle = await first.client.startOrchestration('Who', undefined, { instanceId: 'before' });
    await eventually(() => first.runtime.counters.activitiesRun === 1);
    const judge = await open();
    await join1(judge, 'judge');
    const before = first.runtime.status.node;
    await judge.takeOver('judge', [before], Date.now());
    await judge.leave('judge');
    const during = await Promise.all(
      [1, 2, 3].map((n) => first.client.startOrchestration('Who', undefined, { instanceId: `during-${n}` })),
    );
    await eventually(() => first.runtime.status.node !== before);
    const handles = [handle, ...during];
    await Promise.all(handles.map((other) => other.raiseEvent('go')));
    for (const other of handles) expect(await other.result({ timeout: '10s' })).toEqual(['first', undefined, 'first']);
    expect(first.log.matching(/was declared dead/)).toHaveLength(1);
    expect(await first.provider.findStuck()).toEqual([]);
  });
});
