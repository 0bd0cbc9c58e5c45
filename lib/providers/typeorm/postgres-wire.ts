import type { Row } from './dialect.js';

/** The parts of node-postgres that are used here. It is an optional peer: nothing of it is imported. */
export interface PgPool {
  readonly options?: Readonly<Record<string, unknown>>;
  connect(): Promise<PgClient>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  end(): Promise<void>;
}

export interface PgClient {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  query(query: PgSubmittable): unknown;
  /** With true or an error the connection is closed instead of kept. */
  release(destroy?: boolean | Error): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  readonly connection: { readonly stream: { destroy(): void } };
}

/** A connection of its own, beside a pool. */
export interface PgStandaloneClient {
  connect(): Promise<unknown>;
  query(query: PgSubmittable): unknown;
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  on(
    event: 'notification',
    listener: (message: { readonly channel: string; readonly payload?: string }) => void,
  ): unknown;
  end(): Promise<void>;
  readonly connection: { readonly stream: { destroy(): void; unref?(): void } };
}

/** What `client.query` takes beside texts: how pg-cursor and pg-query-stream are made. */
export interface PgSubmittable {
  callback: (error: unknown, result?: unknown) => void;
  submit(wire: PgWire): void;
  handleRowDescription(message: { readonly fields: readonly PgField[] }): void;
  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void;
  handleCommandComplete(): void;
  handleEmptyQuery(): void;
  handlePortalSuspended(): void;
  handleError(error: unknown): void;
  handleReadyForQuery(): void;
}

export interface PgField {
  readonly name: string;
  readonly dataTypeID: number;
}

export interface PgWire {
  readonly stream: { cork?(): void; uncork?(): void };
  parse(message: { name: string; text: string; types?: readonly number[] }): void;
  bind(message: { statement: string; values: readonly unknown[]; valueMapper: (value: unknown) => unknown }): void;
  describe(message: { type: 'S'; name: string }): void;
  execute(message: object): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
}

/** A prepared statement of one connection. */
export interface Prepared {
  readonly name: string;
  readonly sql: string;
  readonly types: readonly number[];
  /** Known once the server has described it; before that it is (again) to be parsed. */
  fields: readonly PgField[] | undefined;
}

export interface WireStep {
  readonly prepared: Prepared;
  readonly values: readonly unknown[];
}

/**
 * Several statements in one round trip: they go out together with one Sync behind them, the server runs them in order and
 * skips the rest at the first error.
 */
export class Pipeline implements PgSubmittable {
  private readonly results: Row[][] = [];
  private readonly described: boolean[] = [];
  private fields: readonly PgField[] = [];
  private rows: Row[] = [];
  private failure: unknown;

  /** `done` is called once, with one list of rows for each step. */
  constructor(
    private readonly steps: readonly WireStep[],
    public callback: (error: unknown, result?: unknown) => void,
  ) {}

  submit(wire: PgWire): void {
    wire.stream.cork?.();
    try {
      const parsed = new Set<Prepared>();
      for (const { prepared, values } of this.steps) {
        const isNew = prepared.fields === undefined && !parsed.has(prepared);
        this.described.push(isNew);
        if (isNew) {
          parsed.add(prepared);
          const { name, sql, types } = prepared;
          // What an earlier failure left under this name would be in the way; to close what is not there is no error.
          if (name !== '') wire.close({ type: 'S', name });
          wire.parse({ name, text: sql, types });
          wire.describe({ type: 'S', name });
        }
        wire.bind({ statement: prepared.name, values, valueMapper: textOf });
        wire.execute({});
      }
      wire.sync();
    } finally {
      wire.stream.uncork?.();
    }
    this.begin();
  }

  private begin(): void {
    const step = this.steps[this.results.length];
    this.rows = [];
    this.fields = step?.prepared.fields ?? [];
  }

  handleRowDescription({ fields }: { readonly fields: readonly PgField[] }): void {
    this.fields = fields;
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    const row: Record<string, unknown> = {};
    for (let index = 0; index < fields.length; index++) {
      const { name, dataTypeID } = this.fields[index]!;
      const text = fields[index]!;
      row[name] = text !== null && isWhole(dataTypeID) ? Number(text) : text;
    }
    this.rows.push(row);
  }

  handleCommandComplete(): void {
    const index = this.results.length;
    const { prepared } = this.steps[index]!;
    if (this.described[index] === true && prepared.name !== '') prepared.fields = this.fields;
    this.results.push(this.rows);
    this.begin();
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete();
  }

  handlePortalSuspended(): void {}

  /** The connection itself tells of the end of the pipeline, if it lives. */
  handleError(error: unknown): void {
    this.finish(error);
  }

  handleReadyForQuery(): void {
    this.finish(undefined);
  }

  private finish(error: unknown): void {
    if (this.failure !== undefined) return;
    this.failure = error ?? DONE;
    this.callback(error, this.results);
  }
}

const DONE = Symbol('done');
const INT8 = 20;
const INT2 = 21;
const INT4 = 23;
const isWhole = (type: number): boolean => type === INT8 || type === INT4 || type === INT2;

const textOf = (value: unknown): unknown =>
  value === null || Buffer.isBuffer(value) || typeof value === 'string' ? value : String(value);
