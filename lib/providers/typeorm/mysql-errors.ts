import { DatabaseFullError, isDurableError, ReadOnlyDatabaseError, StorageError } from '../../core/errors.js';

/** The number of an error of the server, also where TypeORM wrapped it; undefined: it comes from the way to the server. */
export function errnoOf(error: unknown): number | undefined {
  for (let current = error, depth = 0; typeof current === 'object' && current !== null && depth < 4; depth++) {
    const { errno, driverError, cause } = current as { errno?: unknown; driverError?: unknown; cause?: unknown };
    if (typeof errno === 'number' && errno >= 1000) return errno;
    current = driverError ?? cause;
  }
  return undefined;
}

const LOCK_WAIT = 1205;
const DEADLOCK = 1213; // of Galera, too, when a commit conflicts with one of another member
const ROW_CHANGED = 1020;

/** Rolled back because of somebody else: at once again. */
export const isContention = (error: unknown): boolean =>
  [LOCK_WAIT, DEADLOCK, ROW_CHANGED].includes(errnoOf(error) ?? 0);

/** What a definition answers that is there already. */
export const isDefinedAlready = (error: unknown): boolean => [1050, 1060, 1061].includes(errnoOf(error) ?? 0);

const FULL: readonly number[] = [1021, 1114];
const READ_ONLY: readonly number[] = [1290, 1792, 1836];
const FATAL_SETUP: readonly number[] = [1044, 1045, 1049, 1142, 1698];
/** What may pass by itself. */
const TRANSIENT: readonly number[] = [
  LOCK_WAIT,
  DEADLOCK,
  ROW_CHANGED,
  ...[1037, 1038, 1041], // out of memory
  ...[1040, 1203, 1226], // too many connections
  1030, // the storage engine is in trouble
  ...[1047, 1180, 3100, 3101], // a member of a cluster that is not ready, or refused to commit
  ...[1317, 1969, 3024], // interrupted, or over a time limit
];
/** The server says so before it hangs up, or shuts down. */
const CUT: readonly number[] = [1053, 1077, 1079, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 4031];

/** What the server or the way to it reported, as the contract's error with its verdict (protocol 5). */
export function storageError(error: unknown, database: string): unknown {
  if (isDurableError(error)) return error;
  const errno = errnoOf(error);
  const text = typeof (error as Error | undefined)?.message === 'string' ? (error as Error).message : String(error);
  if (errno === undefined ? isConnectionTrouble(error) : CUT.includes(errno))
    return lostConnection(error, database, text);
  if (errno === undefined) return error;
  if (FULL.includes(errno)) return new DatabaseFullError(database, error);
  if (READ_ONLY.includes(errno)) return new ReadOnlyDatabaseError(database, error);
  return new StorageError(`The server answered ${errno} (${text}) on ${JSON.stringify(database)}.`, {
    code: FATAL_SETUP.includes(errno) ? 'ERR_DURABLE_CANNOT_OPEN' : undefined,
    retryable: TRANSIENT.includes(errno),
    cause: error,
    details: { database, errno },
  });
}

const lostConnection = (error: unknown, database: string, text: string): StorageError =>
  new StorageError(`The connection to ${JSON.stringify(database)} is in trouble (${text}).`, {
    code: 'ERR_DURABLE_CONNECTION',
    retryable: true,
    cause: error,
    details: { database },
  });

/** Node's network errors and the driver's own have a code, some of the driver's only a text. */
function isConnectionTrouble(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && /^(E[A-Z_]+|PROTOCOL_[A-Z_]+|ERR_(STREAM|SSL|TLS|SOCKET).*)$/.test(code)) return true;
  return (
    typeof message === 'string' &&
    /Connection lost|closed state|Connection is closed|Pool is closed|connect ETIMEDOUT/i.test(message)
  );
}
