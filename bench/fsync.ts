import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the disk allows: appends of 4 KiB a second, each synced before the next. */
export function fsyncRate(samples = 300): number {
  const directory = mkdtempSync(join(tmpdir(), 'nest-durable-fsync-'));
  const file = openSync(join(directory, 'file'), 'w');
  const block = Buffer.alloc(4_096, 1);
  const startedAt = performance.now();
  for (let index = 0; index < samples; index++) {
    writeSync(file, block);
    fdatasyncSync(file);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  closeSync(file);
  rmSync(directory, { recursive: true });
  return samples / seconds;
}
