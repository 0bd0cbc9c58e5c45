import Sqlite from 'better-sqlite3';
import { isUndoing, sqliteErrorOf, type Fault } from './faults.js';

/** One call that reaches SQLite. */
export interface Contact {
  readonly how: 'open' | 'prepare' | 'run' | 'pragma' | 'exec';
  readonly text: string;
}

/** Settings of the handle: nothing of a disk can fail them. */
export const touchesNoFile = (text: string): boolean => /^(foreign_keys|busy_timeout) = /.test(text);

type Aim = (contact: Contact, index: number) => boolean;

/** Counts what reaches SQLite through its driver, and lets it fail. */
export class FaultSwitch {
  /** Everything since the last `watch` or `arm`. */
  contacts: Contact[] = [];
  /** Statements that met the fault. */
  hits = 0;
  /** Handles that were opened and not closed. */
  readonly handles = new Set<Sqlite.Database>();
  private fault: Fault | undefined;
  private aim: Aim = () => false;
  private healAfterHits = Infinity;

  watch(): void {
    this.contacts = [];
    this.heal();
  }

  /** The fault strikes where `aim` says so for the first time, and goes on as its span says. */
  arm(fault: Fault, aim: Aim, healAfterHits = Infinity): void {
    this.contacts = [];
    this.hits = 0;
    this.fault = fault;
    this.aim = aim;
    this.healAfterHits = healAfterHits;
  }

  heal(): void {
    this.fault = undefined;
  }

  get inTransaction(): boolean {
    return [...this.handles].some((handle) => handle.inTransaction && !handle.name.endsWith('.node-0'));
  }

  /** Carries a call out, or lets it meet the fault. */
  meet<R>(contact: Contact, handle: Sqlite.Database | undefined, carryOut: () => R): R {
    const { fault } = this;
    this.contacts.push(contact);
    if (fault === undefined || touchesNoFile(contact.text) || !this.strikes(contact, fault)) return carryOut();
    this.hits++;
    if (fault.span === 'once' || this.hits >= this.healAfterHits) this.heal();
    if (contact.text === 'ROLLBACK')
      carryOut(); // SQLite ends the transaction even where it reports an error
    else if (fault.kind === 'error-after') this.abandon(carryOut());
    else if (isUndoing(fault.kind) && handle?.inTransaction === true) handle.exec('ROLLBACK');
    throw sqliteErrorOf(fault.kind);
  }

  private strikes(contact: Contact, fault: Fault): boolean {
    if (this.hits > 0) return fault.span === 'until-healed';
    return this.aim(contact, this.contacts.length - 1);
  }

  /** Nobody learns of the handle that was opened before the error. */
  private abandon(opened: unknown): void {
    if (opened instanceof Sqlite) opened.close();
  }
}

type Driver = new (path: string, options?: Sqlite.Options) => FaultyDatabase;

/** better-sqlite3 with a switch, for the `driver` option of a TypeORM data source. */
export function faultyDriver(faults: FaultSwitch): Driver {
  return class extends FaultyDatabase {
    constructor(path: string, options?: Sqlite.Options) {
      super(faults, path, options);
    }
  };
}

/** What TypeORM and the provider use of a database. */
class FaultyDatabase {
  private readonly handle: Sqlite.Database;

  constructor(
    private readonly faults: FaultSwitch,
    path: string,
    options?: Sqlite.Options,
  ) {
    this.handle = faults.meet({ how: 'open', text: '' }, undefined, () => new Sqlite(path, options));
    faults.handles.add(this.handle);
  }

  get inTransaction(): boolean {
    return this.handle.inTransaction;
  }

  get open(): boolean {
    return this.handle.open;
  }

  prepare(sql: string) {
    const { faults, handle } = this;
    const statement = faults.meet({ how: 'prepare', text: sql }, handle, () => handle.prepare(sql));
    const meet = (carryOut: () => unknown): unknown => faults.meet({ how: 'run', text: sql }, handle, carryOut);
    return {
      reader: statement.reader,
      all: (...parameters: unknown[]) => meet(() => statement.all(...parameters)),
      run: (...parameters: unknown[]) => meet(() => statement.run(...parameters)),
    };
  }

  exec(sql: string): unknown {
    return this.faults.meet({ how: 'exec', text: sql }, this.handle, () => this.handle.exec(sql));
  }

  pragma(text: string, options?: Sqlite.PragmaOptions): unknown {
    return this.faults.meet({ how: 'pragma', text }, this.handle, () => this.handle.pragma(text, options));
  }

  close(): void {
    this.faults.handles.delete(this.handle);
    this.handle.close();
  }
}
