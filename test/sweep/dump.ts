import Sqlite from 'better-sqlite3';

/** Every row of every table, as another connection sees it. */
export function dumpOf(path: string): string {
  const database = new Sqlite(path);
  try {
    const names = database
      .prepare(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite_%' ORDER BY name",
      )
      .pluck()
      .all() as string[];
    const tables = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
      .pluck()
      .all() as string[];
    const rows = tables.map((table) => [table, rowsOf(database, table)]);
    return JSON.stringify({ names, rows }, undefined, 1);
  } finally {
    database.close();
  }
}

/** When a migration was applied is the one fact that a repeated run does not repeat. */
function rowsOf(database: Sqlite.Database, table: string): string[] {
  const rows = database.prepare(`SELECT * FROM ${table}`).all() as Record<string, unknown>[];
  return rows
    .map((row) => JSON.stringify('applied_at' in row ? { ...row, applied_at: 0 } : row))
    .sort((a, b) => (a < b ? -1 : 1));
}

/** The lines in which two dumps differ, a few of them. */
export function difference(one: string, other: string): string {
  const [mine, theirs] = [one.split('\n'), other.split('\n')];
  const less = theirs.filter((line) => !mine.includes(line)).map((line) => `- ${line.trim()}`);
  const more = mine.filter((line) => !theirs.includes(line)).map((line) => `+ ${line.trim()}`);
  return [...less, ...more].slice(0, 6).join(' ').slice(0, 600);
}
