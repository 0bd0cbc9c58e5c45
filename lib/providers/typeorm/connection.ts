import type { Dialect, Script, Statement } from './dialect.js';

/** How scripts reach one kind of database. */
export interface Connection {
  readonly dialect: Dialect;
  /** For logs and errors. */
  readonly name: string;
  /** What every transaction of a migration begins with, so that several booting processes come one after the other. */
  readonly beforeMigration?: readonly Statement[];
  /** Around a migration, where a transaction cannot hold others off: likewise. */
  migrateAlone?<R>(work: () => Promise<R>): Promise<R>;
  /** What stands for a table in statements. Default its bare name. */
  qualified?(table: string): string;
  /** One writing transaction; rolled back as a whole if the script throws. Waits for a lock at most `patienceMs`, default 0. */
  write<R>(script: () => Script<R>, patienceMs?: number): Promise<R>;
  /** How long the last `write` held up the event loop waiting for the disk. Milliseconds; 0 where it does not. */
  readonly lastDiskMs: number;
  /** One consistent snapshot. */
  read<R>(script: () => Script<R>): Promise<R>;
  /** Did another connection commit since the last call? */
  changedElsewhere(): Promise<boolean>;
  acquireEngine(signal: AbortSignal, onWait: (holder: string) => void): Promise<void>;
  close(): Promise<void>;
}
