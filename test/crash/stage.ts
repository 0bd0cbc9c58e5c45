import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { files, type Files } from './files.js';
import { readLedger, type ActivityLine, type ClientLine } from './ledger.js';
import { integrityOfFile, takeSnapshot, withClient, type Snapshot } from './snapshot.js';
import { verify } from './verify.js';
import { VictimProcess, type Life } from './victim-process.js';

const program = fileURLToPath(new URL('./victim.js', import.meta.url));
const READY_WITHIN_MS = 30_000;
const FINISH_WITHIN_MS = 60_000;

/** One directory with a database, its ledgers, and the processes that work on it one after the other. */
export class Stage {
  readonly paths: Files;
  readonly violations: string[] = [];
  readonly most = { instanceCrashes: 0, activityCrashes: 0 };
  /** Of the engine; each is a process. */
  lives = 0;
  private livesBeside = 0;
  private readonly openBefore = new Map<number, Snapshot['openActivities']>();

  constructor(
    readonly directory: string,
    readonly seed: number,
    private readonly lease = '15s',
  ) {
    mkdirSync(directory, { recursive: true });
    this.paths = files(directory);
  }

  engine(scenario = 'campaign', more: Partial<Life> = {}): VictimProcess {
    return this.process({ epoch: ++this.lives, scenario, ...more });
  }

  /** A client-only process. */
  beside(): VictimProcess {
    return this.process({ epoch: ++this.livesBeside, scenario: 'beside' });
  }

  private process(life: Omit<Life, 'seed'>): VictimProcess {
    return new VictimProcess(program, this.directory, this.paths, { seed: this.seed, lease: this.lease, ...life });
  }

  async ready(process: VictimProcess): Promise<boolean> {
    const answer = await Promise.race([process.says('ready'), after(READY_WITHIN_MS).then(() => false)]);
    if (!answer) this.violations.push(`life ${this.lives} did not become ready`);
    return answer;
  }

  /** Between two lives: what every instant must leave behind. Whoever still writes is stopped meanwhile. */
  async look(others: readonly VictimProcess[], integrity: boolean, alive = others.length > 0): Promise<void> {
    for (const process of others) await process.stop();
    const snapshot = await takeSnapshot(this.paths, { integrity, alive }).finally(() => {
      for (const process of others) process.resume();
    });
    if (snapshot === undefined) return;
    const after = `after life ${this.lives}`;
    this.openBefore.set(this.lives + 1, snapshot.openActivities);
    for (const key of snapshot.twofold) this.violations.push(`${key}: outstanding ${after}, and recorded`);
    for (const id of snapshot.stuck) this.violations.push(`${id}: stuck ${after}`);
    for (const id of snapshot.suspended) this.violations.push(`${id}: suspended ${after}`);
    if (snapshot.damage !== undefined) this.violations.push(`the file ${after}: ${snapshot.damage}`);
    this.most.instanceCrashes = Math.max(this.most.instanceCrashes, snapshot.most.instanceCrashes);
    this.most.activityCrashes = Math.max(this.most.activityCrashes, snapshot.most.activityCrashes);
  }

  /** A last engine ends all work, that of the process beside it first. */
  async finish(beside?: VictimProcess): Promise<number> {
    const begunAt = performance.now();
    const engine = this.engine();
    if (beside !== undefined) await this.told(beside, 'the process beside the engine');
    await this.told(engine, 'the last life');
    return performance.now() - begunAt;
  }

  async told(process: VictimProcess, who: string): Promise<void> {
    process.tell('finish');
    await this.ended(process, who);
  }

  async ended(process: VictimProcess, who: string): Promise<void> {
    const exit = await Promise.race([process.exit, after(FINISH_WITHIN_MS)]);
    if (exit === undefined) this.violations.push(`${who} did not end within ${FINISH_WITHIN_MS / 1_000} s`);
    else if (exit.code !== 0) this.violations.push(`${who} ended with ${JSON.stringify(exit)}`);
    await process.kill('SIGKILL');
  }

  /** What the ledgers say, compared with what the store holds. `expected`: errors that engines report in such a campaign. */
  async check(expected?: RegExp): Promise<Record<string, number>> {
    const { paths, violations, openBefore } = this;
    const integrity = integrityOfFile(paths.database);
    if (integrity !== undefined) violations.push(`integrity_check: ${integrity}`);
    const activities = readLedger<ActivityLine>(paths.activities);
    const asked = [paths.clients, paths.clientsBeside].map((path) => readLedger<ClientLine>(path));
    const cut = activities.cut + asked.reduce((sum, ledger) => sum + ledger.cut, 0);
    if (cut > this.lives + this.livesBeside) violations.push(`${cut} cut lines in the ledgers`);
    const unexpected = this.engineErrors().filter((line) => expected?.test(line) !== true);
    for (const line of unexpected.slice(0, 20)) violations.push(`the engine reported: ${line}`);
    return withClient(paths.database, async (client) => {
      for (const id of await client.management.findStuck()) violations.push(`${id}: stuck at the end`);
      const clients = asked.flatMap(({ lines }) => lines);
      const verdict = await verify(client, { activities: activities.lines, clients, openBefore });
      violations.push(...verdict.violations);
      return verdict.figures;
    });
  }

  /** Lives in which an activity had begun and not ended. */
  livesInActivities(): Set<number> {
    const open = new Map<number, number>();
    for (const { epoch, kind } of readLedger<ActivityLine>(this.paths.activities).lines)
      open.set(epoch, (open.get(epoch) ?? 0) + (kind === 'begin' ? 1 : -1));
    return new Set([...open].filter(([, count]) => count > 0).map(([epoch]) => epoch));
  }

  private engineErrors(): string[] {
    if (!existsSync(this.paths.log)) return [];
    return readFileSync(this.paths.log, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"level":"error"'));
  }
}

/** A limit, which keeps no process alive. */
export const after = (ms: number): Promise<undefined> =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref());

/** What a campaign tells. */
export interface Report {
  readonly figures: Record<string, number | string>;
  readonly violations: readonly string[];
}

export const percent = (part: number, whole: number): string =>
  `${part} (${whole === 0 ? 100 : Math.round((100 * part) / whole)} %)`;

export const storeFigures = (figures: Record<string, number>): Report['figures'] => ({
  'instances, all shapes': figures['instances']!,
  executions: figures['executions']!,
  'history events': figures['events']!,
  'acknowledged starts': figures['starts']!,
  'acknowledged messages': figures['messages']!,
  'acknowledged restarts': figures['restarts']!,
  'requests in doubt': figures['inDoubt']!,
  'activities recorded': figures['activities']!,
  'attempts begun': figures['attempts']!,
  'activities repeated after an end': figures['repeated']!,
});
