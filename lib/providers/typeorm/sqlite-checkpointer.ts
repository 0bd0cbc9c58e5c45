import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/** Size of the write-ahead log at which it is copied into the database file. */
const CHECKPOINT_AT_BYTES = 4 * 1024 * 1024;
/** Size at which the copying may hold up writers for a moment, so that the log begins anew instead of growing. */
const RESTART_AT_BYTES = 32 * 1024 * 1024;
const CHECK_EVERY_COMMITS = 8;

/** Runs in the worker; plain JavaScript, because a library cannot know where its files lie after bundling. */
const WORKER = `
const { parentPort, workerData } = require('node:worker_threads');
const Database = require(workerData.module);
const database = new Database(workerData.path, { timeout: 100 });
parentPort.on('message', (mode) => {
  if (mode === 'close') { database.close(); parentPort.close(); return; }
  let failure = null;
  try {
    database.pragma('wal_checkpoint(PASSIVE)');
    if (mode === 'RESTART') database.pragma('wal_checkpoint(RESTART)');
  } catch (error) { failure = String(error && error.code); }
  parentPort.postMessage(failure);
});
`;

/**
 * Copies the write-ahead log into the database file in a thread of its own: it takes about 10 ms for 4 MiB, which would
 * hold up the event loop at every thousandth page. Without a worker (it cannot find the driver, or fails) SQLite's own
 * automatic checkpoint stays in force.
 */
export class SqliteCheckpointer {
  private worker: Worker | undefined;
  private running = false;
  private commits = 0;
  private closed = false;

  constructor(
    private readonly path: string,
    /** Frames after which the connection checkpoints by itself; 0: never. */
    private readonly setAutomatic: (frames: number) => void,
  ) {}

  committed(): void {
    if (this.closed || this.running || ++this.commits < CHECK_EVERY_COMMITS) return;
    this.commits = 0;
    const bytes = this.logBytes();
    if (bytes < CHECKPOINT_AT_BYTES) return;
    this.worker ??= this.startWorker();
    if (this.worker === undefined) return;
    this.running = true;
    this.worker.postMessage(bytes < RESTART_AT_BYTES ? 'PASSIVE' : 'RESTART');
  }

  private logBytes(): number {
    return statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  private startWorker(): Worker | undefined {
    const module = driverPath();
    if (module === undefined) {
      this.closed = true;
      return undefined;
    }
    const worker = new Worker(WORKER, { eval: true, workerData: { module, path: this.path }, execArgv: [] });
    worker.unref();
    worker.on('message', () => (this.running = false));
    worker.on('error', () => this.giveUp());
    this.setAutomatic(0);
    return worker;
  }

  private giveUp(): void {
    this.worker = undefined;
    if (this.closed) return;
    this.closed = true;
    this.setAutomatic(1_000);
  }

  async close(): Promise<void> {
    this.closed = true;
    const { worker } = this;
    if (worker === undefined) return;
    this.worker = undefined;
    await new Promise<void>((resolve) => {
      worker.once('exit', () => resolve());
      worker.ref();
      worker.postMessage('close');
    });
  }
}

function driverPath(): string | undefined {
  for (const from of [process.argv[1], join(process.cwd(), 'package.json')]) {
    try {
      if (from !== undefined) return createRequire(from).resolve('better-sqlite3');
    } catch {
      // Not reachable from there.
    }
  }
  return undefined;
}
