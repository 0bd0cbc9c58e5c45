import type { ColumnType, Dialect } from './dialect.js';
import { indexOf } from './standard-sql.js';

type Columns = Readonly<Record<string, ColumnType>>;

export type MysqlServer = 'mariadb' | 'mysql';

/**
 * MariaDB 10.6 and MySQL 8.0 and later. Parameters are `?1`, of which `MysqlSession` makes literals; `?1[]` are the elements of a
 * JSON array.
 */
export function mysqlDialect(server: MysqlServer): Dialect {
  // Byte order, in which case, accents and spaces at the end count: not a collation of the server's choice.
  const text = `CHARACTER SET utf8mb4 COLLATE ${server === 'mariadb' ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin'}`;
  const rows = (parameter: string, columns: Columns): string => {
    const fields = Object.entries(columns).map(
      ([column, type], index) =>
        `${column} ${type === 'text' ? `LONGTEXT ${text}` : 'BIGINT'} PATH '$[${index}]' ERROR ON ERROR`,
    );
    return `JSON_TABLE(${parameter}, '$[*]' COLUMNS (${fields.join(', ')}))`;
  };
  return {
    name: 'mysql',
    parameter: (index) => `?${index}`,
    rows,
    insertRows: (table, columns, added) => ({
      sql: `INSERT INTO ${table} (${Object.keys(columns).join(', ')}) VALUES ?1`,
      parameters: [added],
      returns: false,
    }),
    deleteRows: (table, key, keys) => {
      const matches = Object.keys(key).map((column) => `d.${column} = k.${column}`);
      return {
        sql: `DELETE d FROM ${rows('?1', key)} AS k STRAIGHT_JOIN ${table} AS d WHERE ${matches.join(' AND ')}`,
        parameters: [JSON.stringify(keys)],
        returns: false,
      };
    },
    list: (parameter) => `(${parameter}[])`,
    typed: (parameter) => parameter,
    characters: (value) => `char_length(${value})`,
    returns: false,
    // STRAIGHT_JOIN: from the rows to the table by its key, never the other way round, which would lock rows in passing.
    updateFrom: (table, source, set, where) => {
      const name = table.split(' AS ').at(-1)!;
      return `UPDATE ${source} STRAIGHT_JOIN ${table} SET ${qualified(name, set)} WHERE ${where}`;
    },
    deleteIn: (table, column, values) =>
      `DELETE d FROM (${values}) AS s STRAIGHT_JOIN ${table} AS d WHERE d.${column} = s.${column}`,
    // Not INSERT IGNORE, which ignores much more than that.
    onConflict: (table, [column], update) =>
      ` ON DUPLICATE KEY UPDATE ${qualified(table, update ?? { [column!]: `${table}.${column!}` })}`,
    inserted: (column) => `VALUES(${column})`,
    forUpdate: ' FOR UPDATE',
    skipLocked: ' FOR UPDATE SKIP LOCKED',
    // Stored: indexes on computed columns have a history of defects.
    partialIndex: (table, { name, columns, condition }) => [
      `ALTER TABLE ${table} ADD COLUMN is_${name} TINYINT AS (${condition}) STORED`,
      `CREATE INDEX ${indexOf(table, name)} ON ${table} (is_${name}, ${columns})`,
    ],
    matching: ({ name }) => `is_${name} = 1`,
    // Two keys side by side have to fit into an index of 3,072 bytes.
    types: {
      key: `VARCHAR(384) ${text}`,
      text: `LONGTEXT ${text}`,
      integer: 'BIGINT',
      serial: 'BIGINT AUTO_INCREMENT PRIMARY KEY',
    },
    clusteredTable: '',
  };
}

const qualified = (table: string, set: Readonly<Record<string, string>>): string =>
  Object.entries(set)
    .map(([column, value]) => `${table}.${column} = ${value}`)
    .join(', ');
