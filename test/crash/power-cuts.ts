import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { Random } from './random.js';
import { pause } from './shapes.js';
import { Stage, storeFigures, type Report } from './stage.js';
import { diskStateOf, type DiskState } from './wal.js';

/**
 * Images of the files as a power cut may leave them, each opened by a fresh engine that has to find every fact that was
 * acknowledged before, and to end all work.
 *
 * All processes are stopped, so that database, log and ledgers are of one instant; a copy of running files would mix
 * instants, whatever is copied first. There is no `-shm`: it lives in memory.
 *
 * Simulated: what SQLite had not yet waited for the disk for. The tail of the log behind the last synced commit is kept,
 * cut at any byte, or partly overwritten (sectors come to the disk in any order); pages that a checkpoint copies from the log
 * into the database file are torn, as if one had just begun. Not simulated: disks that lie about what they have, lost entries of directories, a file system that
 * comes back without its own journal.
 */
export class PowerCutCampaign {
  private readonly random: Random;
  private readonly count = { inWriting: 0, cut: 0, garbled: 0, checkpoints: 0, torn: 0, afterKill: 0 };
  private readonly totals: Record<string, number> = {};

  constructor(private readonly stage: Stage) {
    this.random = new Random(stage.seed);
  }

  async run(images: number): Promise<Report> {
    const { stage, random } = this;
    const beside = stage.beside();
    let engine = stage.engine();
    await Promise.all([stage.ready(beside), stage.ready(engine)]);
    for (let image = 1; image <= images; image++) {
      await pause(random.between(5, 250));
      const directory = join(stage.directory, `image-${image}`);
      for (const process of [engine, beside]) await process.stop();
      this.take(directory);
      await this.recover(directory, image);
      for (const process of [engine, beside]) process.resume();
      if (random.next() < 0.1) {
        await engine.kill('SIGKILL');
        await stage.look([beside], false);
        engine = stage.engine();
        await stage.ready(engine);
        this.count.afterKill++;
      }
    }
    await stage.told(beside, 'the process beside the engine');
    await stage.told(engine, 'the engine');
    await stage.check();
    const { count } = this;
    return {
      violations: stage.violations,
      figures: {
        images,
        'cut in the middle of a write': count.inWriting,
        'unsynced end of the log cut off': count.cut,
        'unsynced end of the log garbled': count.garbled,
        'cut in the middle of a checkpoint': count.checkpoints,
        'pages torn there': count.torn,
        'engines killed meanwhile': count.afterKill,
        ...storeFigures(this.totals),
      },
    };
  }

  private take(directory: string): void {
    mkdirSync(directory);
    const { paths } = this.stage;
    const state = diskStateOf(paths.database);
    for (const path of [paths.database, `${paths.database}-wal`, paths.activities, paths.clients, paths.clientsBeside])
      if (existsSync(path)) copyFileSync(path, join(directory, basename(path)));
    if (state !== undefined) this.loseUnsynced(join(directory, 'durable.sqlite'), state);
  }

  private loseUnsynced(database: string, state: DiskState): void {
    const { random, count } = this;
    const { syncedBytes, writtenBytes, pageSize, pagesInLog } = state;
    if (writtenBytes > syncedBytes) {
      count.inWriting++;
      const log = readFileSync(`${database}-wal`);
      const fate = random.next();
      if (fate < 0.4) {
        count.cut++;
        writeFileSync(`${database}-wal`, log.subarray(0, random.between(syncedBytes, writtenBytes)));
      } else if (fate < 0.8) {
        count.garbled++;
        garble(log, syncedBytes, writtenBytes, random);
        writeFileSync(`${database}-wal`, log);
      }
    }
    if (random.next() < 0.5) {
      count.checkpoints++;
      const file = readFileSync(database);
      for (const page of pagesInLog) {
        const from = (page - 1) * pageSize;
        if (random.next() < 0.5 || from + pageSize > file.length) continue;
        count.torn++;
        garble(file, from, from + pageSize, random);
      }
      writeFileSync(database, file);
    }
  }

  private async recover(directory: string, image: number): Promise<void> {
    const one = new Stage(directory, this.stage.seed);
    one.lives = this.stage.lives;
    await one.look([], true);
    await one.ended(one.engine('recover'), 'the engine on the image');
    for (const [name, value] of Object.entries(await one.check())) this.totals[name] = (this.totals[name] ?? 0) + value;
    this.stage.violations.push(...one.violations.map((violation) => `image ${image}: ${violation}`));
    if (one.violations.length === 0) rmSync(directory, { recursive: true, force: true });
  }
}

const SECTOR = 512;

/** Some of its sectors hold something else. */
function garble(bytes: Buffer, from: number, to: number, random: Random): void {
  for (let at = from; at < to; at += SECTOR) {
    if (random.next() < 0.5) continue;
    const end = Math.min(at + SECTOR, to);
    if (random.next() < 0.5) bytes.fill(0, at, end);
    else for (let byte = at; byte < end; byte++) bytes[byte] = random.between(0, 255);
  }
}
