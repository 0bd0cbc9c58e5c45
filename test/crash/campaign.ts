// `npm run crash -- --kills 100 [--seed 7] [--directory d]`: kills the victim at random instants, lets it end its work, and
// compares what it promised with what the store holds. Exits with 1 on any violation, and keeps the files.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { files } from './files.js';
import { readLedger, type ActivityLine, type ClientLine } from './ledger.js';
import { Random } from './random.js';
import { pause } from './shapes.js';
import { integrityOfFile, takeSnapshot, withClient, type Snapshot } from './snapshot.js';
import { verify } from './verify.js';
import { stateAt, VictimProcess } from './victim-process.js';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '30' }, seed: { type: 'string' }, directory: { type: 'string' } },
});
const kills = Number(values.kills);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const directory = values.directory ?? mkdtempSync(join(tmpdir(), 'nest-durable-crash-'));
mkdirSync(directory, { recursive: true });
const paths = files(directory);
const program = fileURLToPath(new URL('./victim.js', import.meta.url));
const FINISH_WITHIN_MS = 40_000;
const READY_WITHIN_MS = 30_000;
/** Kills that hit something: a turn, a commit, an activity. */
const LEAST_SHARE_IN_FLIGHT = 0.3;

interface Kill {
  readonly epoch: number;
  readonly when: 'boot' | 'work';
  readonly afterMs: number;
  readonly state: string;
}

const random = new Random(seed);
const violations: string[] = [];
const landed: Kill[] = [];
const openBefore = new Map<number, Snapshot['openActivities']>();
const most = { instanceCrashes: 0, activityCrashes: 0 };
let bootMs = 400;

console.log(`${kills} kills, seed ${seed}, ${directory}`);
const startedAt = performance.now();

for (let epoch = 1; epoch <= kills; epoch++) await live(epoch);
const finishMs = await finish(kills + 1);
const activities = readLedger<ActivityLine>(paths.activities);
const clients = readLedger<ClientLine>(paths.clients);
const { figures } = await check();
report();

async function live(epoch: number): Promise<void> {
  const victim = new VictimProcess(program, directory, paths, epoch, 'campaign', seed);
  const begunAt = performance.now();
  const when = random.next() < 0.15 ? 'boot' : 'work';
  let afterMs = random.between(5, 400);
  if (when === 'boot') afterMs = Math.round(bootMs * (0.3 + 0.8 * random.next()));
  else if (await ready(victim, epoch)) bootMs = performance.now() - begunAt;
  await Promise.race([pause(afterMs), victim.exit]);
  const exit = await victim.kill('SIGKILL');
  if (exit.signal !== 'SIGKILL') violations.push(`life ${epoch} ended by itself: ${JSON.stringify(exit)}`);
  landed.push({ epoch, when, afterMs, state: stateAt(paths) });
  await look(epoch);
}

async function ready(victim: VictimProcess, epoch: number): Promise<boolean> {
  const answer = await Promise.race([victim.says('ready'), pause(READY_WITHIN_MS).then(() => false)]);
  if (!answer) violations.push(`life ${epoch} did not become ready`);
  return answer;
}

/** Between two lives: what every instant must leave behind. */
async function look(epoch: number): Promise<void> {
  const snapshot = await takeSnapshot(paths, { integrity: epoch % 10 === 0 });
  if (snapshot === undefined) return;
  openBefore.set(epoch + 1, snapshot.openActivities);
  for (const key of snapshot.twofold) violations.push(`${key}: outstanding after life ${epoch}, and recorded`);
  for (const id of snapshot.stuck) violations.push(`${id}: stuck after life ${epoch}`);
  for (const id of snapshot.suspended) violations.push(`${id}: suspended after life ${epoch}`);
  if (snapshot.damage !== undefined) violations.push(`the file after life ${epoch}: ${snapshot.damage}`);
  most.instanceCrashes = Math.max(most.instanceCrashes, snapshot.most.instanceCrashes);
  most.activityCrashes = Math.max(most.activityCrashes, snapshot.most.activityCrashes);
}

async function finish(epoch: number): Promise<number> {
  const begunAt = performance.now();
  const victim = new VictimProcess(program, directory, paths, epoch, 'campaign', seed);
  victim.tell('finish');
  const exit = await Promise.race([victim.exit, pause(FINISH_WITHIN_MS).then(() => undefined)]);
  if (exit === undefined) violations.push(`the last life did not end its work within ${FINISH_WITHIN_MS / 1_000} s`);
  else if (exit.code !== 0) violations.push(`the last life ended with ${JSON.stringify(exit)}`);
  await victim.kill('SIGKILL');
  return performance.now() - begunAt;
}

async function check() {
  const integrity = integrityOfFile(paths.database);
  if (integrity !== undefined) violations.push(`integrity_check: ${integrity}`);
  if (activities.cut + clients.cut > kills) violations.push(`${activities.cut + clients.cut} cut lines in the ledgers`);
  return withClient(paths.database, async (client) => {
    for (const id of await client.management.findStuck()) violations.push(`${id}: stuck at the end`);
    const verdict = await verify(client, { activities: activities.lines, clients: clients.lines, openBefore });
    violations.push(...verdict.violations);
    return verdict;
  });
}

function report(): void {
  const inActivity = new Set<number>();
  for (const epoch of landed.map((kill) => kill.epoch)) {
    const lines = activitiesOf(epoch);
    if (lines.begun > lines.ended) inActivity.add(epoch);
  }
  const count = (holds: (kill: Kill) => boolean): number => landed.filter(holds).length;
  const inFlight = count((kill) => kill.state !== '-' || inActivity.has(kill.epoch));
  const share = landed.length === 0 ? 1 : inFlight / landed.length;
  if (share < LEAST_SHARE_IN_FLIGHT)
    violations.push(`only ${inFlight} of ${landed.length} kills hit something in flight`);
  if (kills > 0 && figures['starts']! < kills) violations.push(`only ${figures['starts']} starts were acknowledged`);
  const errors = engineErrors();
  for (const line of errors.slice(0, 20)) violations.push(`the engine reported: ${line}`);
  const table: Record<string, number | string> = {
    kills: landed.length,
    'kills while booting': count((kill) => kill.when === 'boot'),
    'kills in a commit': count((kill) => kill.state === 'c'),
    'kills in a turn': count((kill) => kill.state === 't'),
    'kills with activities running': inActivity.size,
    'kills in flight': `${inFlight} (${Math.round(share * 100)} %)`,
    'instances, all shapes': figures['instances']!,
    executions: figures['executions']!,
    'history events': figures['events']!,
    'acknowledged starts': figures['starts']!,
    'acknowledged messages': figures['messages']!,
    'requests in doubt': figures['inDoubt']!,
    'activities recorded': figures['activities']!,
    'attempts begun': figures['attempts']!,
    'activities repeated after a kill': figures['repeated']!,
    'most crashes counted, instance': most.instanceCrashes,
    'most crashes counted, activity': most.activityCrashes,
    'last life, s': (finishMs / 1_000).toFixed(1),
    seconds: ((performance.now() - startedAt) / 1_000).toFixed(1),
    violations: violations.length,
  };
  for (const [name, value] of Object.entries(table)) console.log(`${name.padEnd(34)}${String(value).padStart(12)}`);
  if (violations.length === 0) {
    if (values.directory === undefined) rmSync(directory, { recursive: true, force: true });
    return;
  }
  writeFileSync(join(directory, 'violations.json'), JSON.stringify({ seed, landed, violations }, undefined, 1));
  for (const violation of violations.slice(0, 50)) console.log(`VIOLATION ${violation}`);
  console.log(`kept: ${directory}; again: npm run crash -- --kills ${kills} --seed ${seed}`);
  process.exitCode = 1;
}

function activitiesOf(epoch: number): { begun: number; ended: number } {
  const lines = activities.lines.filter((line) => line.epoch === epoch);
  const begun = lines.filter((line) => line.kind === 'begin').length;
  return { begun, ended: lines.length - begun };
}

function engineErrors(): string[] {
  if (!existsSync(paths.log)) return [];
  return readFileSync(paths.log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"level":"error"'));
}
