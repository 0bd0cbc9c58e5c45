import { StorageError } from '../../core/errors.js';
import type { SqliteConstructor, SqliteDatabase } from './sqlite-connection.js';
import { isBusy, storageError } from './sqlite-errors.js';

const RETRY_MS = 50;

/**
 * One engine process per SQLite file: an exclusive transaction on a file beside it. The operating system ends it with the
 * process, however that dies. Nothing else may open that file in this process: closing any descriptor of it would drop
 * the lock (POSIX).
 */
export class SqliteEngineLock {
  private held: SqliteDatabase | undefined;

  constructor(
    private readonly Sqlite: SqliteConstructor,
    private readonly path: string,
  ) {}

  async acquire(signal: AbortSignal, onWait: (holder: string) => void): Promise<void> {
    let said = false;
    while (!this.tryAcquire()) {
      if (!said) onWait(this.path);
      said = true;
      await pause(signal);
    }
  }

  private tryAcquire(): boolean {
    let database: SqliteDatabase | undefined;
    try {
      database = new this.Sqlite(this.path, { timeout: 0 });
      database.exec('BEGIN EXCLUSIVE');
      this.held = database;
      return true;
    } catch (error) {
      database?.close();
      if (isBusy(error)) return false;
      throw storageError(error, this.path);
    }
  }

  release(): void {
    this.held?.close();
    this.held = undefined;
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new StorageError('Waiting for the engine lock was given up: the runtime stops.', { retryable: true }));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, RETRY_MS);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
