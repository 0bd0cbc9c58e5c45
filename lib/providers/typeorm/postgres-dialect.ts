import type { Cell, ColumnType, Dialect, Statement } from './dialect.js';

/** PostgreSQL 15 and later. */
export const postgresDialect: Dialect = {
  name: 'postgres',
  parameter: (index) => `$${index}`,
  rows: (parameter, columns) => {
    const fields = Object.entries(columns).map(
      ([column, type], index) => `${CELL[type](`(e ->> ${index})`)} AS ${column}`,
    );
    return `(SELECT ${fields.join(', ')} FROM jsonb_array_elements(${parameter}::jsonb) AS e)`;
  },
  insertRows: (table, columns, rows) => {
    const names = Object.keys(columns).join(', ');
    return run(`INSERT INTO ${table} (${names}) SELECT * FROM ${unnested(columns)}`, columns, rows);
  },
  deleteRows: (table, key, rows) => {
    const matches = Object.keys(key).map((column) => `d.${column} = k.${column}`);
    return run(
      `DELETE FROM ${table} AS d USING ${unnested(key)} AS k (${Object.keys(key).join(', ')}) WHERE ${matches.join(' AND ')}`,
      key,
      rows,
    );
  },
  list: (parameter) => `(SELECT value FROM jsonb_array_elements_text(${parameter}::jsonb))`,
  same: (left, right) => `${left} IS NOT DISTINCT FROM ${right}`,
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

const CELL: Readonly<Record<ColumnType, (cell: string) => string>> = {
  text: (cell) => cell,
  integer: (cell) => `${cell}::bigint`,
};
const ARRAY: Readonly<Record<ColumnType, string>> = { text: 'text[]', integer: 'bigint[]' };

type Columns = Readonly<Record<string, ColumnType>>;

/** One array for each column: cheaper to read than JSON, where whole histories are in it. */
const unnested = (columns: Columns): string =>
  `unnest(${Object.values(columns)
    .map((type, index) => `$${index + 1}::${ARRAY[type]}`)
    .join(', ')})`;

function run(sql: string, columns: Columns, rows: readonly (readonly Cell[])[]): Statement {
  const parameters = Object.values(columns).map((type, index) => arrayOf(type, rows, index));
  return { sql, parameters, returns: false };
}

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
