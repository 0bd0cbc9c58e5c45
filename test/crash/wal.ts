import { existsSync, readFileSync } from 'node:fs';

const WAL_HEADER = 32;
const FRAME_HEADER = 24;

/**
 * How far a database in WAL mode has come to the disk, as SQLite itself keeps book of it in the shared memory beside the file
 * (https://www.sqlite.org/walformat.html). With `synchronous=FULL` a writer appends its frames, waits for the disk, and only
 * then moves `mxFrame`: what lies behind it in the log was not promised to anybody and may not be on the disk. A checkpoint,
 * of whatever process, writes pages from the log into the database file, waits for the disk, and then moves `nBackfill`.
 */
export interface DiskState {
  readonly pageSize: number;
  /** The log up to here is on the disk. Bytes. */
  readonly syncedBytes: number;
  /** The end of what was written to the log of this generation; behind it lie frames of earlier ones. */
  readonly writtenBytes: number;
  /** Pages, from 1, that a checkpoint may be writing into the database file at any instant: all of them are in the log. */
  readonly pagesInLog: readonly number[];
}

export function diskStateOf(database: string): DiskState | undefined {
  if (!existsSync(`${database}-wal`) || !existsSync(`${database}-shm`)) return undefined;
  const wal = readFileSync(`${database}-wal`);
  const shm = readFileSync(`${database}-shm`);
  // Two copies of the index header: a writer was between them, or nothing was written yet.
  if (wal.length < WAL_HEADER || shm.length < 136 || !shm.subarray(0, 48).equals(shm.subarray(48, 96)))
    return undefined;
  const pageSize = wal.readUInt32BE(8);
  const frame = FRAME_HEADER + pageSize;
  const salt = wal.subarray(16, 24);
  if (!shm.subarray(32, 40).equals(salt)) return undefined; // the log begins anew this instant
  const mxFrame = shm.readUInt32LE(16);
  const backfill = shm.readUInt32LE(96);
  const at = (index: number): number => WAL_HEADER + index * frame;
  let frames = mxFrame;
  while (at(frames + 1) <= wal.length && wal.subarray(at(frames) + 8, at(frames) + 16).equals(salt)) frames++;
  const pages = new Set<number>();
  for (let index = backfill; index < mxFrame; index++) pages.add(wal.readUInt32BE(at(index)));
  return { pageSize, syncedBytes: at(mxFrame), writtenBytes: at(frames), pagesInLog: [...pages] };
}
