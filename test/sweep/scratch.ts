import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory in memory where there is one: thousands of databases are written, and how fast a disk is does not matter. */
export function scratchDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'nest-durable-sweep-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
