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
  /** Inserts rows; a conflict is an error. The values of a row are in the order of the columns. */
  insertRows(
    table: string,
    columns: Readonly<Record<string, ColumnType>>,
    rows: readonly (readonly Cell[])[],
  ): Statement;
  /** Deletes the rows with these keys; keys that are not there are no error. */
  deleteRows(table: string, key: Readonly<Record<string, ColumnType>>, rows: readonly (readonly Cell[])[]): Statement;
  /** The values of a JSON array of strings, as a table expression with one column `value`. */
  list(parameter: string): string;
  /** A parameter that may be null, for where the database wants to know of which type. */
  typed(parameter: string, type: ColumnType): string;
  /** How many characters a text has. */
  characters(text: string): string;
  /** UPDATE, DELETE and INSERT can give rows back. Where they cannot, `statements/returning.ts` makes two of one. */
  readonly returns: boolean;
  /** An UPDATE whose values come from other rows. `table` and `rows` have names of their own. */
  updateFrom(table: string, rows: string, set: Readonly<Record<string, string>>, where: string): string;
  /** A DELETE of the rows whose column has one of the values a query gives. */
  deleteIn(table: string, column: string, values: string): string;
  /** At the end of an INSERT, for a row whose key is taken: it is left alone, or updated. */
  onConflict(table: string, key: readonly string[], update?: Readonly<Record<string, string>>): string;
  /** In such an update: what the INSERT would have stored. */
  inserted(column: string): string;
  /** Makes a condition quick to find rows by, in the order of the columns. */
  partialIndex(table: string, index: PartialIndex): string[];
  /** The rows of a partial index. */
  matching(index: PartialIndex): string;
  /** At the end of a SELECT: nobody else changes its rows before this transaction ends. */
  readonly forUpdate: string;
  /** At the end of a SELECT: it takes its rows for this transaction and leaves out those another one has taken. */
  readonly skipLocked: string;
  /** The column types of the schema. */
  readonly types: {
    readonly key: string;
    readonly text: string;
    readonly integer: string;
    /** A primary key of integers that the database gives in rising order. */
    readonly serial: string;
  };
  /** What follows the column list of a table whose rows live in its primary key. */
  readonly clusteredTable: string;
}

/** An index of those rows only that fulfil a condition. */
export interface PartialIndex {
  readonly name: string;
  readonly columns: string;
  readonly condition: string;
}

export type ColumnType = 'text' | 'integer';

/** A value of a bulk row: payloads are strings, moments and counters safe integers. */
export type Cell = string | number | null;

/** One SQL statement with its parameters. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  /** It gives rows back. */
  readonly returns: boolean;
  /**
   * What it gives unless something is out of the ordinary; as many rows mean that it is so. Who waits for a server goes on with
   * them before the answer is there, and begins again without when they were wrong.
   */
  readonly likely?: readonly Row[];
  /** Run it once for each of these, instead of once with `parameters`. Only SQLite makes such statements. */
  readonly each?: readonly (readonly Cell[])[];
  /** Run these in its place; what they return are its rows. Only for databases without RETURNING. */
  readonly steps?: () => Script<readonly Row[]>;
}

export type Row = Readonly<Record<string, unknown>>;

/**
 * A transaction as a value: it yields statements and is given their rows. SQLite runs it in one synchronous function, a
 * server dialect awaits each statement; what is decided in between is written once.
 */
export type Script<Result> = Generator<Statement, Result, readonly Row[]>;
