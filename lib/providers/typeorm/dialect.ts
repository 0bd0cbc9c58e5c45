/**
 * What differs between databases, and nothing else. Statements are written once (`statements/`), with the fragments a
 * dialect gives; a dialect never holds a statement.
 */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres' | 'mysql';
  /** The n-th bound parameter, from 1. */
  parameter(index: number): string;
  /**
   * A table expression of rows that arrive as ONE parameter: a JSON array of arrays of strings, safe integers and null.
   * Payloads are strings in it, never nested JSON (protocol 5).
   */
  rows(parameter: string, columns: Readonly<Record<string, ColumnType>>): string;
  /** The values of a JSON array of strings, as a table expression with one column `value`. */
  list(parameter: string): string;
  /** Equality in which null equals null. */
  same(left: string, right: string): string;
  /** The column types of the schema. */
  readonly types: { readonly key: string; readonly text: string; readonly integer: string };
  /** What follows the column list of a table whose rows live in its primary key. */
  readonly clusteredTable: string;
}

export type ColumnType = 'text' | 'integer';

/** One SQL statement with its parameters. `rows`: it gives rows back. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly returns: boolean;
}

export type Row = Readonly<Record<string, unknown>>;

/**
 * A transaction as a value: it yields statements and is given their rows. SQLite runs it in one synchronous function, a
 * server dialect awaits each statement; what is decided in between is written once.
 */
export type Script<Result> = Generator<Statement, Result, readonly Row[]>;
