import type { ColumnType, Dialect } from './dialect.js';

/** `jsonb_each` (SQLite 3.51) parses the parameter once; before it, `json_each` does the same more slowly. */
export function sqliteDialect(sqliteVersion: string): Dialect {
  const each = isAtLeast(sqliteVersion, 3, 51) ? 'jsonb_each' : 'json_each';
  return {
    name: 'sqlite',
    parameter: (index) => `?${index}`,
    rows(parameter: string, columns: Readonly<Record<string, ColumnType>>): string {
      const fields = Object.keys(columns).map((column, index) => `value ->> ${index} AS ${column}`);
      return `(SELECT ${fields.join(', ')} FROM ${each}(${parameter}))`;
    },
    list: (parameter) => `(SELECT value FROM json_each(${parameter}))`,
    same: (left, right) => `${left} IS ${right}`,
    types: { key: 'TEXT', text: 'TEXT', integer: 'INTEGER' },
    clusteredTable: 'WITHOUT ROWID',
  };
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [foundMajor = 0, foundMinor = 0] = version.split('.').map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}
