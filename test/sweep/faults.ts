import Sqlite from 'better-sqlite3';

/**
 * What a database does to a statement. `error-after`: it was carried out and the answer is lost; on COMMIT this is an unknown
 * outcome. `connection-lost` and `disk-full` undo the open transaction, as SQLite itself does after such an error.
 */
export const FAULTS = ['error-before', 'error-after', 'connection-lost', 'busy', 'disk-full', 'read-only'] as const;
export type FaultKind = (typeof FAULTS)[number];

/** `once`: this statement. `until-healed`: this one and all that follow. */
export const SPANS = ['once', 'until-healed'] as const;
export type Span = (typeof SPANS)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly span: Span;
}

export const EVERY_FAULT: readonly Fault[] = FAULTS.flatMap((kind) => SPANS.map((span) => ({ kind, span })));
export const FAULT_COUNT = EVERY_FAULT.length;

const REPORTS: Record<FaultKind, readonly [code: string, message: string]> = {
  'error-before': ['SQLITE_IOERR_READ', 'disk I/O error'],
  'error-after': ['SQLITE_IOERR_FSYNC', 'disk I/O error'],
  'connection-lost': ['SQLITE_IOERR', 'disk I/O error'],
  busy: ['SQLITE_BUSY', 'database is locked'],
  'disk-full': ['SQLITE_FULL', 'database or disk is full'],
  'read-only': ['SQLITE_READONLY', 'attempt to write a readonly database'],
};

export const isUndoing = (kind: FaultKind): boolean => kind === 'connection-lost' || kind === 'disk-full';

export function sqliteErrorOf(kind: FaultKind): Error {
  const [code, message] = REPORTS[kind];
  return new Sqlite.SqliteError(message, code);
}
