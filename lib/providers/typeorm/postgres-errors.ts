import { DatabaseFullError, isDurableError, ReadOnlyDatabaseError, StorageError } from '../../core/errors.js';

/** The SQLSTATE of an error, also where TypeORM wrapped it. By code: error classes differ between realms. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let current = error, depth = 0; typeof current === 'object' && current !== null && depth < 4; depth++) {
    const { code, driverError, cause } = current as { code?: unknown; driverError?: unknown; cause?: unknown };
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
    current = driverError ?? cause;
  }
  return undefined;
}

const SERIALIZATION = '40001';
const DEADLOCK = '40P01';
const LOCK_TIMEOUT = '55P03';

/** Rolled back because of somebody else: at once again. */
export const isContention = (error: unknown): boolean =>
  [SERIALIZATION, DEADLOCK, LOCK_TIMEOUT].includes(sqlStateOf(error) ?? '');

const INVALID_STATEMENT_NAME = '26000';
const DUPLICATE_STATEMENT = '42P05';
const CACHED_PLAN_CHANGED = '0A000';

/** A pooler between here and the server shares sessions, or somebody changed a table: what is prepared is not what was. */
export const isStalePreparation = (error: unknown): boolean => {
  const state = sqlStateOf(error);
  return (
    state === INVALID_STATEMENT_NAME ||
    state === DUPLICATE_STATEMENT ||
    (state === CACHED_PLAN_CHANGED && /cached plan/.test(String((error as Error).message)))
  );
};

/** By class (the first two characters) or whole state: what may pass by itself. */
const TRANSIENT: readonly string[] = [
  '08', // connection
  '40', // rolled back: serialization, deadlock
  '53', // too many connections, out of memory, disk full
  '57P', // shut down, crashed, cannot connect now, session ended for idling
  '57014', // cancelled, or over a time limit
  '58', // I/O
  '25006', // a standby, or a primary that became one
  '25P', // a transaction ended for idling
  LOCK_TIMEOUT,
  '55006', // in use
];
const FATAL_SETUP: readonly string[] = ['28', '3D', '3F'];

/** What PostgreSQL or the way to it reported, as the contract's error with its verdict (protocol 5). */
export function storageError(error: unknown, database: string): unknown {
  if (isDurableError(error)) return error;
  const state = sqlStateOf(error);
  const text =
    error instanceof Error || typeof (error as Error)?.message === 'string' ? (error as Error).message : String(error);
  if (state === undefined) return isConnectionTrouble(error) ? lostConnection(error, database, text) : error;
  if (state === '53100') return new DatabaseFullError(database, error);
  if (state === '25006') return new ReadOnlyDatabaseError(database, error);
  const retryable = isStalePreparation(error) || TRANSIENT.some((prefix) => state.startsWith(prefix));
  return new StorageError(`PostgreSQL answered ${state} (${text}) on ${JSON.stringify(database)}.`, {
    code: FATAL_SETUP.some((prefix) => state.startsWith(prefix)) ? 'ERR_DURABLE_CANNOT_OPEN' : undefined,
    retryable,
    cause: error,
    details: { database, sqlState: state },
  });
}

const lostConnection = (error: unknown, database: string, text: string): StorageError =>
  new StorageError(`The connection to ${JSON.stringify(database)} is in trouble (${text}).`, {
    code: 'ERR_DURABLE_CONNECTION',
    retryable: true,
    cause: error,
    details: { database },
  });

/** Node's network errors have a code, the driver's own only a text. */
function isConnectionTrouble(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && /^(E[A-Z_]+|ERR_(STREAM|SSL|TLS|SOCKET).*)$/.test(code)) return true;
  return (
    typeof message === 'string' &&
    /Connection terminated|not queryable|timeout exceeded when trying to connect|Client was closed|terminating connection|server closed the connection|read timeout/i.test(
      message,
    )
  );
}
