import type { Cell, ColumnType, Dialect, Row, Statement } from '../dialect.js';
import type { Tables } from '../schema.js';

export type { Cell };

/** Builds statements for one dialect and prefix; SQL texts are made once and are the key of the prepared statement. */
export abstract class StatementSet {
  constructor(
    protected readonly dialect: Dialect,
    protected readonly tables: Tables,
  ) {}

  protected p(index: number): string {
    return this.dialect.parameter(index);
  }

  protected typed(index: number, type: ColumnType): string {
    return this.dialect.typed(this.p(index), type);
  }

  protected rows(index: number, columns: Readonly<Record<string, ColumnType>>): string {
    return this.dialect.rows(this.p(index), columns);
  }

  protected list(index: number): string {
    return this.dialect.list(this.p(index));
  }
}

export const run = (sql: string, ...parameters: readonly unknown[]): Statement => ({ sql, parameters, returns: false });
export const query = (sql: string, ...parameters: readonly unknown[]): Statement => ({
  sql,
  parameters,
  returns: true,
});
/** A query of which is known what it gives, unless something is out of the ordinary. */
export const likely = (statement: Statement, rows: readonly Row[]): Statement => ({ ...statement, likely: rows });
export const bulk = (rows: readonly (readonly Cell[])[]): string => JSON.stringify(rows);
