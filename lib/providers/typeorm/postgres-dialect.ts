import type { Cell, ColumnType, Dialect } from './dialect.js';
import { standardSql } from './standard-sql.js';

/** PostgreSQL 15 and later. */
export const postgresDialect: Dialect = {
  ...standardSql,
  name: 'postgres',
  parameter: (index) => `$${index}`,
  rows,
  insertRows: (table, columns, added) => {
    const names = Object.keys(columns).join(', ');
    const arrays = Object.values(columns).map((type, index) => `$${index + 1}::${ARRAY[type]}`);
    return {
      sql: `INSERT INTO ${table} (${names}) SELECT * FROM unnest(${arrays.join(', ')})`,
      // One array for each column: cheaper to read than JSON, where whole histories are in it.
      parameters: Object.values(columns).map((type, index) => arrayOf(type, added, index)),
      returns: false,
    };
  },
  deleteRows: (table, key, keys) => {
    const matches = Object.keys(key).map((column) => `d.${column} = k.${column}`);
    return {
      sql: `DELETE FROM ${table} AS d USING ${rows('$1', key)} AS k WHERE ${matches.join(' AND ')}`,
      parameters: [JSON.stringify(keys)],
      returns: false,
    };
  },
  list: (parameter) =>
    `(SELECT e #>> '{}' AS value FROM jsonb_array_elements(${parameter}::jsonb) AS e WHERE jsonb_typeof(e) = 'string')`,
  typed: (parameter, type) => `CAST(${parameter} AS ${type === 'text' ? 'text' : 'bigint'})`,
  forUpdate: ' FOR NO KEY UPDATE',
  skipLocked: ' FOR UPDATE SKIP LOCKED',
  // Byte order: the same everywhere, and the cheapest.
  types: {
    key: 'text COLLATE "C"',
    text: 'text',
    integer: 'bigint',
    serial: 'bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY',
  },
  clusteredTable: '',
};

/**
 * The condition is always true. It makes the planner expect a single row instead of a hundred, so that it looks each one up by
 * key; else it may find it cheaper to read all of a table that is small when the plan is made.
 */
function rows(parameter: string, columns: Columns): string {
  const fields = Object.entries(columns).map(
    ([column, type], index) => `${CELL[type](`(e ->> ${index})`)} AS ${column}`,
  );
  return `(SELECT ${fields.join(', ')} FROM jsonb_array_elements(${parameter}::jsonb) AS e WHERE jsonb_typeof(e) = 'array')`;
}

const CELL: Readonly<Record<ColumnType, (cell: string) => string>> = {
  text: (cell) => cell,
  integer: (cell) => `${cell}::bigint`,
};
const ARRAY: Readonly<Record<ColumnType, string>> = { text: 'text[]', integer: 'bigint[]' };

type Columns = Readonly<Record<string, ColumnType>>;

const TEXT_OID = 25;
const BIGINT_OID = 20;
const HEADER_BYTES = 20;

/** A one-dimensional array in PostgreSQL's binary format. */
function arrayOf(type: ColumnType, rows: readonly (readonly Cell[])[], column: number): Buffer {
  let bytes = HEADER_BYTES;
  for (const row of rows) bytes += 4 + sizeOf(type, row[column]!);
  const buffer = Buffer.allocUnsafe(bytes);
  buffer.writeInt32BE(1, 0); // dimensions
  buffer.writeInt32BE(1, 4); // may hold nulls
  buffer.writeInt32BE(type === 'text' ? TEXT_OID : BIGINT_OID, 8);
  buffer.writeInt32BE(rows.length, 12);
  buffer.writeInt32BE(1, 16); // first index
  let at = HEADER_BYTES;
  for (const row of rows) at = writeCell(buffer, at, type, row[column]!);
  return buffer;
}

const sizeOf = (type: ColumnType, cell: Cell): number =>
  cell === null ? 0 : type === 'text' ? Buffer.byteLength(cell as string) : 8;

function writeCell(buffer: Buffer, at: number, type: ColumnType, cell: Cell): number {
  if (cell === null) return buffer.writeInt32BE(-1, at);
  if (type === 'text') {
    const length = buffer.write(cell as string, at + 4);
    buffer.writeInt32BE(length, at);
    return at + 4 + length;
  }
  buffer.writeInt32BE(8, at);
  buffer.writeInt32BE(Math.floor((cell as number) / 2 ** 32), at + 4);
  return buffer.writeUInt32BE((cell as number) >>> 0, at + 8);
}
