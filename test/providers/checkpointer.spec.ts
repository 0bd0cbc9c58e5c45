import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteCheckpointer } from '../../lib/providers/typeorm/sqlite-checkpointer.js';
import { eventually, temporaryDirectory } from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
let checkpointer: SqliteCheckpointer | undefined;
let script: string;
const file = (): string => join(directory.path, 'durable.sqlite');

beforeEach(() => {
  directory = temporaryDirectory();
  script = process.argv[1]!;
});
afterEach(async () => {
  await checkpointer?.close();
  process.argv[1] = script;
  directory.remove();
});

/** Tells what the checkpointer set the connection's own checkpoints to. */
function checkpointerOf(Driver: unknown): number[] {
  const automatic: number[] = [];
  checkpointer = new SqliteCheckpointer(file(), Driver, (frames) => automatic.push(frames));
  return automatic;
}

/** As many commits as fill a log, as far as it knows. */
function commitMany(): void {
  for (let commits = 0; commits < 600; commits++) checkpointer!.committed();
}

/** Where the process was started from there is another copy of the driver, with a SQLite of its own. */
function plantAnotherDriver(): { readonly wasUsed: () => boolean } {
  const home = join(directory.path, 'node_modules', 'better-sqlite3');
  const used = join(directory.path, 'used');
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{"name":"better-sqlite3","main":"index.js"}');
  writeFileSync(
    join(home, 'index.js'),
    `require('fs').writeFileSync(${JSON.stringify(used)}, ''); throw new Error('another driver');`,
  );
  process.argv[1] = join(directory.path, 'main.js');
  return { wasUsed: () => existsSync(used) };
}

describe('checkpoints of the write-ahead log', () => {
  it('are made by the library of the connection: two of them in one process undo the locks of each other', async () => {
    const other = plantAnotherDriver();
    const database = new Sqlite(file());
    database.pragma('journal_mode = WAL');
    database.pragma('wal_autocheckpoint = 0');
    database.exec('CREATE TABLE t (x)');
    const insert = database.prepare('INSERT INTO t VALUES (?)');
    for (let rows = 0; rows < 20; rows++) insert.run('x'.repeat(1_000_000));
    const automatic = checkpointerOf(Sqlite);
    commitMany();
    await eventually(() => statSync(file()).size > 10_000_000);
    expect(automatic).toEqual([0]);
    expect(other.wasUsed()).toBe(false);
    database.close();
  });

  it('are left to the connection when nobody knows where its library is', async () => {
    const other = plantAnotherDriver();
    const automatic = checkpointerOf(class Unknown {});
    commitMany();
    await checkpointer!.close();
    expect(automatic).toEqual([]);
    expect(other.wasUsed()).toBe(false);
  });

  it('go back to the connection when the worker cannot make them', async () => {
    writeFileSync(file(), 'what only another driver can read, such as an encrypted database'.repeat(100));
    const automatic = checkpointerOf(Sqlite);
    commitMany();
    await eventually(() => automatic.length === 2);
    expect(automatic).toEqual([0, 1_000]);
  });
});
