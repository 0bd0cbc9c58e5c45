import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * Frames (pages) of the write-ahead log at which it is copied into the database file and begun anew: about 16 MiB. A log that
 * is written over syncs in two thirds of the time of one that grows.
 */
const CHECKPOINT_AT_FRAMES = 4_000;
/** Frames a commit is taken for until the first answer. */
const FRAMES_PER_COMMIT = 8;

/** Runs in the worker; plain JavaScript, because a library cannot know where its files lie after bundling. */
const WORKER = `
const { parentPort, workerData } = require('node:worker_threads');
const Database = require(workerData.module);
const database = new Database(workerData.path, { timeout: 5 });
const checkpoint = (mode) => database.pragma('wal_checkpoint(' + mode + ')')[0];
parentPort.on('message', (frames) => {
  if (frames === 'close') { database.close(); parentPort.close(); return; }
  let answer = { log: 0, begunAnew: false };
  try {
    const { log, checkpointed } = checkpoint('PASSIVE');
    // Nearly all is copied while others write; the rest takes their lock, but never while a reader holds the copying up.
    const begunAnew = log >= frames && checkpointed === log && checkpoint('RESTART').busy === 0;
    answer = { log, begunAnew };
  } catch (error) {
    if (!/^SQLITE_(BUSY|LOCKED)/.test(error.code)) throw error; // it will not become better: the connection does it itself
  }
  parentPort.postMessage(answer);
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
  private framesPerCommit = FRAMES_PER_COMMIT;
  /** Commits to let pass after a check that found too little, or a reader in the way. */
  private patience = 0;
  private closed = false;

  constructor(
    private readonly path: string,
    /** The driver's class. */
    private readonly Sqlite: unknown,
    /** Frames after which the connection checkpoints by itself; 0: never. */
    private readonly setAutomatic: (frames: number) => void,
  ) {}

  committed(): void {
    this.commits++;
    if (this.closed || this.running || --this.patience > 0) return;
    if (this.commits * this.framesPerCommit < CHECKPOINT_AT_FRAMES) return;
    this.worker ??= this.startWorker();
    if (this.worker === undefined) return;
    this.running = true;
    this.worker.postMessage(CHECKPOINT_AT_FRAMES);
  }

  private answered({ log, begunAnew }: { readonly log: number; readonly begunAnew: boolean }): void {
    this.running = false;
    if (log > 0) this.framesPerCommit = Math.max(1, log / this.commits);
    if (begunAnew) this.commits = 0;
    else this.patience = CHECKPOINT_AT_FRAMES / 10 / this.framesPerCommit;
  }

  private startWorker(): Worker | undefined {
    const module = fileOf(this.Sqlite);
    if (module === undefined) {
      this.closed = true;
      return undefined;
    }
    const worker = new Worker(WORKER, { eval: true, workerData: { module, path: this.path }, execArgv: [] });
    worker.unref();
    worker.on('message', (answer: { log: number; begunAnew: boolean }) => this.answered(answer));
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

/**
 * The file the driver came from. Another copy of it would bring a SQLite of its own, and two of them in one process undo the
 * locks of each other (POSIX): the worker's checkpoint could begin the log anew under a commit.
 */
function fileOf(Sqlite: unknown): string | undefined {
  const { cache } = createRequire(join(process.cwd(), 'package.json'));
  return Object.keys(cache).find((file) => cache[file]?.exports === Sqlite);
}
