import { createHash, type Hash } from 'node:crypto';

const KEPT = 4_000;

/** What happened, line by line: equal for equal seeds. The hash covers every line; the end is kept for people. */
export class Trace {
  private readonly hash: Hash = createHash('sha256');
  private readonly last: string[] = [];
  count = 0;

  add(line: string): void {
    this.count++;
    this.hash.update(line).update('\n');
    this.last.push(line);
    if (this.last.length > 2 * KEPT) this.last.splice(0, KEPT);
  }

  end(lines: number): string[] {
    return this.last.slice(-lines);
  }

  digest(): string {
    return this.hash.copy().digest('hex');
  }
}
