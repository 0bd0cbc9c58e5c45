import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

export type Recorded<Entry> = Entry & { readonly at: string };

/**
 * A book in which lines are only added: the other side's memory in this sample (a bank, a warehouse), read again at the next
 * start. Each line goes in one synchronous write, so a killed process leaves it whole or not at all.
 */
export class Ledger<Entry extends { readonly key: string }> {
  private readonly byKey = new Map<string, Recorded<Entry>[]>();
  readonly entries: Recorded<Entry>[] = [];

  constructor(private readonly file: string) {
    mkdirSync(dirname(file), { recursive: true });
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    for (const line of text.split('\n')) if (line !== '') this.take(JSON.parse(line) as Recorded<Entry>);
  }

  append<E extends Entry>(entry: E): Recorded<E> {
    const recorded = { ...entry, at: new Date().toISOString() };
    appendFileSync(this.file, `${JSON.stringify(recorded)}\n`);
    this.take(recorded);
    return recorded;
  }

  /** The lines of one key, oldest first. */
  of(key: string): readonly Recorded<Entry>[] {
    return this.byKey.get(key) ?? [];
  }

  private take(entry: Recorded<Entry>): void {
    this.entries.push(entry);
    const lines = this.byKey.get(entry.key);
    if (lines === undefined) this.byKey.set(entry.key, [entry]);
    else lines.push(entry);
  }
}
