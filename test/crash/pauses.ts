import { statSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { Random } from './random.js';
import { pause } from './shapes.js';
import { storeFigures, type Report, type Stage } from './stage.js';
import type { VictimProcess } from './victim-process.js';

/** Of the processes of this campaign; see `campaign.ts`. */
const LEASE_MS = 600;
const STOPPED_MS = LEASE_MS * 1.5;

/**
 * Stops processes for longer than their lease and lets them go on. The file has one engine, and a stopped one keeps its
 * lock, so that nobody takes its place; the process beside it is declared dead when another engine starts meanwhile. Who is
 * stopped inside a commit keeps the write lock of the file: then only safety is asked, not that others go on.
 */
export class PauseCampaign {
  private readonly random: Random;
  private readonly count = { engine: 0, 'process beside': 0, inCommit: 0, declaredDead: 0, engineReplaced: 0 };

  constructor(private readonly stage: Stage) {
    this.random = new Random(stage.seed);
  }

  async run(pauses: number): Promise<Report> {
    const { stage } = this;
    const beside = stage.beside();
    await stage.ready(beside);
    let engine = await this.nextEngine();
    for (let done = 0; done < pauses; done++) {
      await pause(this.random.between(30, 200));
      const chance = this.random.next();
      if (chance < 0.4) await this.stopEngine(engine);
      else if (chance < 0.6) engine = await this.killStopped(engine, beside);
      else engine = await this.stopBeside(beside, engine, chance < 0.85);
    }
    await stage.told(beside, 'the process beside the engine');
    await stage.told(engine, 'the engine');
    const figures = await stage.check(/was declared dead: it drops/);
    const { count } = this;
    return {
      violations: stage.violations,
      figures: {
        'stops of the engine': count.engine,
        'stops of the process beside it': count['process beside'],
        'stops inside a commit': count.inCommit,
        'declared dead while stopped': count.declaredDead,
        'stopped engines killed': count.engineReplaced,
        ...storeFigures(figures),
      },
    };
  }

  private async nextEngine(): Promise<VictimProcess> {
    const engine = this.stage.engine();
    await this.stage.ready(engine);
    return engine;
  }

  private async stopEngine(engine: VictimProcess): Promise<void> {
    await this.stopFor(engine, 'engine');
    engine.resume();
  }

  /** The lock goes with the process, and the next engine goes on from there. */
  private async killStopped(engine: VictimProcess, beside: VictimProcess): Promise<VictimProcess> {
    await this.stopFor(engine, 'engine');
    await engine.kill('SIGKILL');
    this.count.engineReplaced++;
    await this.stage.look([beside], false);
    return this.nextEngine();
  }

  private async stopBeside(beside: VictimProcess, engine: VictimProcess, replace: boolean): Promise<VictimProcess> {
    const inCommit = await this.stopFor(beside, 'process beside');
    let next = engine;
    if (replace && !inCommit) {
      await engine.kill('SIGKILL');
      await this.stage.look([], false, true);
      next = await this.nextEngine();
      this.count.declaredDead++;
    }
    beside.resume();
    return next;
  }

  /** Whether it was stopped inside a commit; if not, the other process must have gone on meanwhile. */
  private async stopFor(process: VictimProcess, who: 'engine' | 'process beside'): Promise<boolean> {
    const { paths, violations } = this.stage;
    await process.stop();
    this.count[who]++;
    if (!canWrite(paths.database)) {
      this.count.inCommit++;
      await pause(STOPPED_MS);
      return true;
    }
    const other = who === 'engine' ? 'beside' : 'engine';
    const asked = statSync(paths.clients).size;
    const lease = leaseOf(paths.database, other);
    await pause(STOPPED_MS);
    if (leaseOf(paths.database, other) <= lease)
      violations.push(`the ${other} did not prolong its lease while the ${who} was stopped outside of a commit`);
    if (other === 'engine' && statSync(paths.clients).size === asked)
      violations.push(`the engine did no work while the ${who} was stopped outside of a commit`);
    return false;
  }
}

/** Does the one that was stopped leave the write lock to others? The one that runs holds it for moments only. */
function canWrite(path: string): boolean {
  const database = new Sqlite(path, { timeout: 400 });
  try {
    database.exec('BEGIN IMMEDIATE');
    database.exec('ROLLBACK');
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'SQLITE_BUSY') return false;
    throw error;
  } finally {
    database.close();
  }
}

function leaseOf(path: string, name: string): number {
  const database = new Sqlite(path, { readonly: true });
  try {
    return database
      .prepare('SELECT MAX(lease_until) FROM durable_node WHERE node LIKE ?')
      .pluck()
      .get(`${name}#%`) as number;
  } finally {
    database.close();
  }
}
