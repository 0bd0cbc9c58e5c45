import {
  DatabaseFullError,
  NotADatabaseError,
  ReadOnlyDatabaseError,
  StorageError,
  isDurableError,
} from '../../core/errors.js';

/** The SQLite result code of an error, also where TypeORM wrapped it. By code: error classes differ between realms. */
export function sqliteCodeOf(error: unknown): string | undefined {
  for (let current = error, depth = 0; typeof current === 'object' && current !== null && depth < 4; depth++) {
    const { code, driverError, cause } = current as { code?: unknown; driverError?: unknown; cause?: unknown };
    if (typeof code === 'string' && code.startsWith('SQLITE_')) return code;
    current = driverError ?? cause;
  }
  return undefined;
}

export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(sqliteCodeOf(error) ?? '');

/** TypeORM makes the directory of the database. */
const isFileSystemError = (error: unknown): boolean =>
  typeof (error as { syscall?: unknown } | null)?.syscall === 'string';

/** What SQLite reported, as the contract's error with its verdict: transient errors keep the batch, others split it (protocol 5). */
export function storageError(error: unknown, database: string): unknown {
  if (isDurableError(error)) return error;
  const code = sqliteCodeOf(error);
  const text = error instanceof Error ? error.message : String(error);
  if (code === undefined && !isFileSystemError(error)) return error;
  if (code === undefined || code === 'SQLITE_CANTOPEN' || code.startsWith('SQLITE_CANTOPEN_')) {
    return new StorageError(
      `${JSON.stringify(database)} cannot be opened (${text}): check that its directory exists and can be written.`,
      {
        code: 'ERR_DURABLE_CANNOT_OPEN',
        retryable: true,
        cause: error,
        details: { database },
      },
    );
  }
  if (code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT') return new NotADatabaseError(database, error);
  if (code.startsWith('SQLITE_READONLY')) return new ReadOnlyDatabaseError(database, error);
  if (code === 'SQLITE_FULL') return new DatabaseFullError(database, error);
  const retryable =
    isBusy(error) || code.startsWith('SQLITE_IOERR') || code === 'SQLITE_NOMEM' || code === 'SQLITE_PROTOCOL';
  return new StorageError(`SQLite answered ${code} (${text}) on ${JSON.stringify(database)}.`, {
    retryable,
    cause: error,
    details: { database, sqliteCode: code },
  });
}
