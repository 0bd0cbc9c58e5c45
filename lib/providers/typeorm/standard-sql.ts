import type { Dialect } from './dialect.js';

type StandardSql = Pick<
  Dialect,
  'characters' | 'returns' | 'updateFrom' | 'deleteIn' | 'onConflict' | 'inserted' | 'partialIndex' | 'matching'
>;

/** What SQLite and PostgreSQL write alike. */
export const standardSql: StandardSql = {
  characters: (text) => `length(${text})`,
  returns: true,
  updateFrom: (table, rows, set, where) => `UPDATE ${table} SET ${assignments(set)} FROM ${rows} WHERE ${where}`,
  deleteIn: (table, column, values) => `DELETE FROM ${table} WHERE ${column} IN (${values})`,
  onConflict: (_table, key, update) =>
    update === undefined
      ? ` ON CONFLICT (${key.join(', ')}) DO NOTHING`
      : ` ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${assignments(update)}`,
  inserted: (column) => `excluded.${column}`,
  partialIndex: (table, { name, columns, condition }) => [
    `CREATE INDEX ${indexOf(table, name)} ON ${table} (${columns}) WHERE ${condition}`,
  ],
  matching: ({ condition }) => condition,
};

export const assignments = (set: Readonly<Record<string, string>>): string =>
  Object.entries(set)
    .map(([column, value]) => `${column} = ${value}`)
    .join(', ');

/** An index lives in the schema of its table and is named without it. */
export const indexOf = (table: string, name: string): string =>
  table.endsWith('"') ? `"${table.split('"').at(-2)!}_${name}"` : `${table}_${name}`;
