import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';

/** One attempt of an activity began, or ended. `key` names the schedule: instance/execution/activity, with `~life` behind an instance that is started again and again. */
export interface ActivityLine {
  readonly kind: 'begin' | 'end';
  readonly epoch: number;
  readonly key: string;
  readonly idempotencyKey: string;
  readonly name: string;
  readonly attempt: number;
  /** Unique per attempt that began; its result carries it, so that a recorded result names the run it came from. */
  readonly run: string;
  /** On `end`: it returned, or threw. */
  readonly ok?: boolean;
}

/**
 * What a client was about to ask (`try-*`), and what was acknowledged. A request without its acknowledgement is in doubt: it
 * happened or it did not.
 */
export type ClientLine = { readonly epoch: number; readonly instanceId: string } & (
  | { readonly kind: 'try-start'; readonly shape: string; readonly input: unknown }
  | { readonly kind: 'start' }
  /** The instance of a start in doubt turned out not to exist. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'try-send' | 'send'; readonly number: number }
  | { readonly kind: 'try-end' | 'end' }
  /** Started again under its id, and what became of one of its lives. */
  | { readonly kind: 'try-restart' | 'restart'; readonly life: number }
  | { readonly kind: 'life'; readonly life: number; readonly output: unknown }
  | { readonly kind: 'result'; readonly status: string; readonly output: unknown }
);

/** A file outside the database: each line is one write with O_APPEND, so that SIGKILL leaves whole lines behind it. */
export class Ledger<Line> {
  private readonly descriptor: number;

  constructor(path: string) {
    this.descriptor = openSync(path, 'a');
    writeSync(this.descriptor, '\n'); // the kernel may cut the last write of a killed process at the end of a page
  }

  add(line: Line): void {
    writeSync(this.descriptor, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** Lines cut by a kill are counted and left out: what they say was not yet said. */
export function readLedger<Line>(path: string): { lines: Line[]; cut: number } {
  const lines: Line[] = [];
  let cut = 0;
  if (!existsSync(path)) return { lines, cut };
  for (const text of readFileSync(path, 'utf8').split('\n')) {
    if (text === '') continue;
    try {
      lines.push(JSON.parse(text) as Line);
    } catch {
      cut++;
    }
  }
  return { lines, cut };
}
