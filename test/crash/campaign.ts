// `npm run crash -- --kills 100 --pauses 20 --power-cuts 20 --io-errors 10 --poison 1 [--seed 7] [--directory d]`
// Real processes under mixed load that are killed, stopped, cut off from power and refused by the disk; afterwards what was
// promised is compared with what the store holds. Exits with 1 on any violation, and keeps the files.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runIoErrors } from './io-errors.js';
import { KillCampaign } from './kills.js';
import { PauseCampaign } from './pauses.js';
import { runPoison } from './poison.js';
import { PowerCutCampaign } from './power-cuts.js';
import { Stage, type Report } from './stage.js';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '0' },
    pauses: { type: 'string', default: '0' },
    'power-cuts': { type: 'string', default: '0' },
    'io-errors': { type: 'string', default: '0' },
    poison: { type: 'string', default: '0' },
    seed: { type: 'string' },
    directory: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const directory = values.directory ?? mkdtempSync(join(tmpdir(), 'nest-durable-crash-'));
mkdirSync(directory, { recursive: true });

/** `undefined`: this machine cannot do it, which was said. */
type Campaign = (stage: Stage, count: number) => Promise<Report | undefined>;

const campaigns: Record<string, Campaign> = {
  kills: (stage, count) => new KillCampaign(stage).run(count),
  pauses: (stage, count) => new PauseCampaign(stage).run(count),
  'power-cuts': (stage, count) => new PowerCutCampaign(stage).run(count),
  'io-errors': runIoErrors,
  poison: runPoison,
};
const LEASES: Record<string, string> = { pauses: '600ms' };

const asked = Object.entries(values).flatMap(([name, count]) =>
  name in campaigns && Number(count) > 0 ? [{ name, count: Number(count) }] : [],
);
let violated = false;
for (const { name, count } of asked.length > 0 ? asked : [{ name: 'kills', count: 30 }]) await run(name, count);
if (!violated && values.directory === undefined) rmSync(directory, { recursive: true, force: true });
process.exitCode = violated ? 1 : 0;

async function run(name: string, count: number): Promise<void> {
  const startedAt = performance.now();
  const stage = new Stage(join(directory, name), seed, LEASES[name]);
  console.log(`${count} ${name}, seed ${seed}, ${stage.directory}`);
  const report = await campaigns[name]!(stage, count);
  if (report === undefined) return;
  const { figures, violations } = report;
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  for (const [what, value] of Object.entries({ ...figures, seconds, violations: violations.length }))
    console.log(`  ${what.padEnd(36)}${String(value).padStart(12)}`);
  if (violations.length === 0) return;
  violated = true;
  writeFileSync(join(stage.directory, 'violations.json'), JSON.stringify({ seed, figures, violations }, undefined, 1));
  for (const violation of violations.slice(0, 50)) console.log(`VIOLATION ${violation}`);
  console.log(`kept: ${stage.directory}; again: npm run crash -- --${name} ${count} --seed ${seed}`);
}
