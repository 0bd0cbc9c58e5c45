import type { Cell, ColumnType, Dialect, Row, Script, Statement } from '../dialect.js';
import { assignments } from '../standard-sql.js';
import { bulk, query, run } from './statement-set.js';

type Columns = Readonly<Record<string, ColumnType>>;
/** A statement whose text is made once. */
export type Prepared = (...parameters: readonly unknown[]) => Statement;

export interface Update {
  readonly table: string;
  /** What identifies its rows. */
  readonly key: Columns;
  readonly set: Readonly<Record<string, string>>;
  /** Rows the values come from, which are `t`; the table is `i` then. */
  readonly from?: string;
  readonly where: string;
  /** Columns of the table, as they are afterwards. */
  readonly returning: string;
  /** No index leads to the rows. They are looked for without waiting for those that others change. */
  readonly scans?: boolean;
}

/**
 * An UPDATE that gives rows back. Without RETURNING the rows are locked by a SELECT that computes their new values, and
 * exactly these are written: so each value is computed from the row as it was, as in standard SQL.
 */
export function updateReturning(dialect: Dialect, update: Update): Prepared {
  const { table, set, from, where, returning } = update;
  if (dialect.returns) {
    const sql =
      from === undefined
        ? `UPDATE ${table} SET ${assignments(set)} WHERE ${where}`
        : dialect.updateFrom(`${table} AS i`, `${from} AS t`, set, where);
    return prepared(`${sql} RETURNING ${returning}`);
  }
  const alias = from === undefined ? table : 'i';
  const source = from === undefined ? table : `${from} AS t STRAIGHT_JOIN ${table} AS i`;
  const write = writeOf(dialect, update);
  const read = `SELECT ${newValues(update, alias)} FROM ${source} WHERE ${where}`;
  const keys = Object.keys(update.key).map((column) => `${alias}.${column}`);
  return (...parameters) =>
    inSteps(read, parameters, function* () {
      if (update.scans === true) {
        const found = yield query(`SELECT ${keys.join(', ')} FROM ${source} WHERE ${where}`, ...parameters);
        if (found.length === 0) return found;
        const rows = yield* lockFound(dialect, update, found, parameters);
        return yield* write(rows);
      }
      return yield* write(yield query(`${read}${dialect.forUpdate}`, ...parameters));
    });
}

/** Rows found without a lock: those that still are what was looked for. */
function* lockFound(
  dialect: Dialect,
  update: Update,
  found: readonly Row[],
  parameters: readonly unknown[],
): Script<readonly Row[]> {
  const { table, key, where } = update;
  const asked = Object.fromEntries(Object.entries(key).map(([column, type]) => [`found_${column}`, type]));
  const rows = dialect.rows(dialect.parameter(parameters.length + 1), asked);
  const matches = Object.keys(key).map((column) => `${table}.${column} = found.found_${column}`);
  return yield query(
    `SELECT ${newValues(update, table)} FROM ${rows} AS found STRAIGHT_JOIN ${table} WHERE ${matches.join(' AND ')} AND (${where})${dialect.forUpdate}`,
    ...parameters,
    bulk(found.map((row) => cellsOf(row, Object.keys(key)))),
  );
}

export interface Take extends Omit<Update, 'from' | 'scans'> {
  readonly order: string;
  readonly limit: string;
}

/** The first rows that nobody has locked, updated. */
export function takeReturning(dialect: Dialect, take: Take): Prepared {
  const { table, key, set, where, returning, order, limit } = take;
  const rest = `FROM ${table} WHERE ${where} ORDER BY ${order} LIMIT ${limit}${dialect.skipLocked}`;
  if (dialect.returns) {
    const keys = Object.keys(key).join(', ');
    // Materialized: a subquery that takes locks must not run once for each row.
    const sql = `WITH free AS MATERIALIZED (SELECT ${keys} ${rest}) UPDATE ${table} SET ${assignments(set)} WHERE (${keys}) IN (SELECT ${keys} FROM free) RETURNING ${returning}`;
    return prepared(sql);
  }
  const write = writeOf(dialect, take);
  const read = `SELECT ${newValues(take, table)} ${rest}`;
  return (...parameters) =>
    inSteps(read, parameters, function* () {
      return yield* write(yield query(read, ...parameters));
    });
}

export interface Delete {
  readonly table: string;
  readonly key: Columns;
  /** Rows that say which, by columns of the table. */
  readonly among?: { readonly rows: string; readonly columns: Readonly<Record<string, string>> };
  readonly where: string;
  readonly returning: string;
}

/** A DELETE that gives rows back. */
export function deleteReturning(dialect: Dialect, { table, key, among, where, returning }: Delete): Prepared {
  if (dialect.returns) {
    const named =
      among === undefined
        ? ''
        : `(${Object.keys(among.columns).join(', ')}) IN (SELECT ${Object.values(among.columns).join(', ')} FROM ${among.rows} AS a) AND `;
    return prepared(`DELETE FROM ${table} WHERE ${named}${where} RETURNING ${returning}`);
  }
  const matches = Object.entries(among?.columns ?? {}).map(([column, value]) => `${table}.${column} = a.${value}`);
  const source = among === undefined ? table : `${among.rows} AS a STRAIGHT_JOIN ${table}`;
  const read = `SELECT ${columnsOf(key, returning).join(', ')} FROM ${source} WHERE ${[...matches, where].join(' AND ')}${dialect.forUpdate}`;
  return (...parameters) =>
    inSteps(read, parameters, function* () {
      const rows = yield query(read, ...parameters);
      const keys = rows.map((row) => cellsOf(row, Object.keys(key)));
      if (keys.length > 0) yield dialect.deleteRows(table, key, keys);
      return rows;
    });
}

export interface Insert {
  readonly table: string;
  readonly columns: string;
  readonly values: string;
  /** Rows the values come from; they are `s`. */
  readonly from: string;
  /** The column that must not be taken, and where the rows have it. */
  readonly key: readonly [column: string, value: string];
  /** What tells the row that was inserted from the one that was there, likewise. */
  readonly identity: readonly [column: string, value: string];
}

/** Inserts the rows whose key is free; gives back key and identity of those. */
export function insertReturning(dialect: Dialect, insert: Insert): Prepared {
  const { table, columns, values, from, key, identity } = insert;
  const sql = `INSERT INTO ${table} (${columns}) SELECT ${values} FROM ${from} AS s WHERE true${dialect.onConflict(table, [key[0]])}`;
  if (dialect.returns) return prepared(`${sql} RETURNING ${key[0]}, ${identity[0]}`);
  const read = `SELECT i.${key[0]}, i.${identity[0]} FROM ${from} AS s STRAIGHT_JOIN ${table} AS i
    WHERE i.${key[0]} = s.${key[1]} AND i.${identity[0]} = s.${identity[1]}`;
  return (...parameters) =>
    inSteps(sql, parameters, function* () {
      const before = new Set((yield query(read, ...parameters)).map((row) => row[key[0]]));
      yield run(sql, ...parameters);
      return (yield query(read, ...parameters)).filter((row) => !before.has(row[key[0]]));
    });
}

const prepared =
  (sql: string): Prepared =>
  (...parameters) =>
    query(sql, ...parameters);

const inSteps = (sql: string, parameters: readonly unknown[], steps: () => Script<readonly Row[]>): Statement => ({
  ...query(sql, ...parameters),
  steps,
});

/** Keys and given back columns as they are, and what will change as it will be. */
function newValues({ key, set, returning }: Omit<Update, 'where'>, alias: string): string {
  const kept = columnsOf(key, returning).filter((column) => !(column in set));
  const fields = [
    ...kept.map((column) => `${alias}.${column}`),
    ...Object.entries(set).map(([column, value]) => `${value} AS ${column}`),
  ];
  return fields.join(', ');
}

const columnsOf = (key: Columns, returning: string): string[] => [
  ...new Set([...Object.keys(key), ...returning.split(',').map((column) => column.trim())]),
];

/** Writes what `newValues` gave. */
function writeOf(
  dialect: Dialect,
  { table, key, set }: Pick<Update, 'table' | 'key' | 'set'>,
): (rows: readonly Row[]) => Script<readonly Row[]> {
  const changed = Object.keys(set);
  // The database makes numbers of texts where a column wants them.
  const columns: Columns = { ...key, ...Object.fromEntries(changed.map((column) => [column, 'text' as const])) };
  const sql = dialect.updateFrom(
    `${table} AS i`,
    `${dialect.rows(dialect.parameter(1), columns)} AS t`,
    Object.fromEntries(changed.map((column) => [column, `t.${column}`])),
    Object.keys(key)
      .map((column) => `i.${column} = t.${column}`)
      .join(' AND '),
  );
  const names = Object.keys(columns);
  return function* (rows) {
    if (rows.length > 0) yield run(sql, bulk(rows.map((row) => cellsOf(row, names))));
    return rows;
  };
}

const cellsOf = (row: Row, columns: readonly string[]): Cell[] => columns.map((column) => row[column] as Cell);
