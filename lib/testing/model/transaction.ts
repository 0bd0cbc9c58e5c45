import { StorageError } from '../../core/errors.js';

/** Committed rows, and who holds which of them. */
export class Table<R extends object> {
  readonly committed = new Map<string, R>();
  readonly locks = new Map<string, RowLock>();

  constructor(
    readonly name: string,
    readonly keyOf: (row: R) => string,
    /** Columns a row cannot be without. */
    readonly required: readonly (keyof R & string)[],
  ) {}
}

interface RowLock {
  holder: Transaction;
  readonly waiting: Waiter[];
}
interface Waiter {
  readonly transaction: Transaction;
  readonly grant: () => void;
  readonly fail: (error: Error) => void;
}

type AnyTable = Table<object>;
/** The changed row; null deletes it; undefined: it is not one of those that are meant. Pure: it is asked more than once. */
export type Change<R> = (row: R) => R | null | undefined;

/**
 * READ COMMITTED as PostgreSQL does it. A statement sees what was committed when it began, and its own transaction's writes.
 * A write locks its row until the end of the transaction; who meets a locked row waits, then looks at the row as it is by
 * then, and leaves it alone if it no longer fits. A circle of waiting is a deadlock of the one that closes it.
 */
export class Transaction {
  private readonly written = new Map<AnyTable, Map<string, object | null>>();
  private readonly locked: [AnyTable, string][] = [];
  private waitsFor: RowLock | undefined;
  private ended = false;

  constructor(
    private readonly arrive: (statement: string) => Promise<void>,
    private readonly shuffled: <T>(rows: readonly T[]) => T[],
  ) {}

  // ---- statements: each begins with a place where others may go first ----

  /** The rows that changed, as they are now, in no order (`RETURNING`). */
  async update<R extends object>(
    statement: string,
    table: Table<R>,
    change: Change<R>,
    selection: Selection<R> = {},
  ): Promise<R[]> {
    await this.arrive(statement);
    return this.shuffled(await this.writeMatching(statement, table, change, selection));
  }

  /** The rows deleted. */
  async remove<R extends object>(
    statement: string,
    table: Table<R>,
    which: (row: R) => boolean,
    keys?: readonly string[],
  ): Promise<R[]> {
    const removed: R[] = [];
    const change = (row: R): null | undefined => (which(row) ? null : undefined);
    await this.update(statement, table, change, { keys, onDelete: (row) => removed.push(row) });
    return removed;
  }

  /** Rows that are there already: an error, or left alone. The rows that came in. */
  async insert<R extends object>(
    statement: string,
    table: Table<R>,
    rows: readonly R[],
    conflict: 'error' | 'nothing' = 'error',
  ): Promise<R[]> {
    await this.arrive(statement);
    const inserted: R[] = [];
    for (const row of rows) {
      requireColumns(table, row);
      const key = table.keyOf(row);
      const isNew = await this.lock(statement, table, key);
      if (this.get(table, key) === undefined) {
        this.put(table, key, row);
        inserted.push(row);
      } else {
        if (isNew) this.unlockLast();
        if (conflict === 'error') throw permanent(`${table.name} has a row ${key} already`);
      }
    }
    return this.shuffled(inserted);
  }

  /** What a statement that begins now sees. */
  async select<R extends object>(statement: string, table: Table<R>, which: (row: R) => boolean): Promise<R[]> {
    await this.arrive(statement);
    return this.shuffled(this.rows(table).filter(which));
  }

  // ---- the rows a statement sees ----

  get<R extends object>(table: Table<R>, key: string): R | undefined {
    const own = this.written.get(table as unknown as AnyTable)?.get(key) as R | null | undefined;
    return own === undefined ? table.committed.get(key) : (own ?? undefined);
  }

  rows<R extends object>(table: Table<R>): R[] {
    const own = this.written.get(table as unknown as AnyTable);
    if (own === undefined) return [...table.committed.values()];
    const rows = [...table.committed].filter(([key]) => !own.has(key)).map(([, row]) => row);
    return [...rows, ...([...own.values()].filter((row) => row !== null) as R[])];
  }

  // ---- the end ----

  end(outcome: 'commit' | 'rollback'): void {
    if (this.ended) return;
    this.ended = true;
    if (outcome === 'commit') this.publish();
    for (const [table, key] of this.locked.splice(0)) this.passOn(table, key);
  }

  /** The connection is gone: whatever it waits for, it no longer does. */
  abort(error: Error): void {
    const lock = this.waitsFor;
    const index = lock?.waiting.findIndex(({ transaction }) => transaction === this) ?? -1;
    if (index >= 0) lock!.waiting.splice(index, 1)[0]!.fail(error);
  }

  get hasWritten(): boolean {
    return this.written.size > 0;
  }

  private publish(): void {
    for (const [table, rows] of this.written) {
      for (const [key, row] of rows) {
        if (row === null) table.committed.delete(key);
        else table.committed.set(key, row);
      }
    }
  }

  // ---- writing ----

  private async writeMatching<R extends object>(
    statement: string,
    table: Table<R>,
    change: Change<R>,
    { keys, order, limit = Infinity, skipLocked = false, onDelete }: Selection<R>,
  ): Promise<R[]> {
    const seen = keys === undefined ? this.rows(table) : keys.flatMap((key) => this.get(table, key) ?? []);
    const matching = seen.filter((row) => change(row) !== undefined);
    if (order !== undefined) matching.sort(order);
    const changed: R[] = [];
    for (const key of matching.map(table.keyOf)) {
      if (changed.length === limit) break;
      if (skipLocked && this.isLockedByOther(table, key)) continue;
      const isNew = await this.lock(statement, table, key);
      const row = this.get(table, key);
      const next = row === undefined ? undefined : change(row);
      if (next === undefined) {
        if (isNew) this.unlockLast();
        continue;
      }
      this.put(table, key, next);
      if (next === null) onDelete?.(row!);
      else changed.push(next);
    }
    return changed;
  }

  private put<R extends object>(table: Table<R>, key: string, row: R | null): void {
    const plain = table as unknown as AnyTable;
    let rows = this.written.get(plain);
    if (rows === undefined) this.written.set(plain, (rows = new Map()));
    rows.set(key, row);
  }

  // ---- locks ----

  private isLockedByOther<R extends object>(table: Table<R>, key: string): boolean {
    const holder = table.locks.get(key)?.holder;
    return holder !== undefined && holder !== this;
  }

  /** True if this statement took the lock, false if the transaction had it. */
  private async lock<R extends object>(statement: string, table: Table<R>, key: string): Promise<boolean> {
    if (this.ended) throw transient('ERR_DURABLE_CONNECTION_LOST', 'the connection is gone');
    const lock = table.locks.get(key);
    if (lock?.holder === this) return false;
    if (lock === undefined) {
      table.locks.set(key, { holder: this, waiting: [] });
      this.locked.push([table as unknown as AnyTable, key]);
    } else {
      await this.wait(lock, statement, table.name);
      await this.arrive(`${statement}, after waiting`);
    }
    return true;
  }

  private async wait(lock: RowLock, statement: string, table: string): Promise<void> {
    for (let holder: Transaction | undefined = lock.holder; holder !== undefined; holder = holder.waitsFor?.holder)
      if (holder === this) throw transient('ERR_DURABLE_DEADLOCK', `deadlock on ${table} (${statement})`);
    this.waitsFor = lock;
    try {
      await new Promise<void>((grant, fail) => lock.waiting.push({ transaction: this, grant, fail }));
    } finally {
      this.waitsFor = undefined;
    }
  }

  private unlockLast(): void {
    this.passOn(...this.locked.pop()!);
  }

  private passOn(table: AnyTable, key: string): void {
    const lock = table.locks.get(key)!;
    const next = lock.waiting.shift();
    if (next === undefined) {
      table.locks.delete(key);
      return;
    }
    lock.holder = next.transaction;
    next.transaction.locked.push([table, key]);
    next.grant();
  }
}

export interface Selection<R> {
  /** Only these; default: every row. */
  readonly keys?: readonly string[] | undefined;
  readonly order?: ((a: R, b: R) => number) | undefined;
  readonly limit?: number;
  /** Rows somebody else holds are left out instead of waited for. */
  readonly skipLocked?: boolean;
  readonly onDelete?: ((row: R) => void) | undefined;
}

function requireColumns<R extends object>(table: Table<R>, row: R): void {
  for (const column of table.required)
    if (row[column] === null || row[column] === undefined) throw permanent(`${table.name}.${column} cannot be null`);
}

export const permanent = (problem: string): StorageError =>
  new StorageError(`The model refuses it: ${problem}.`, { retryable: false, code: 'ERR_DURABLE_STORAGE' });
export const transient = (code: string, problem: string): StorageError =>
  new StorageError(`The model: ${problem}.`, { retryable: true, code });
