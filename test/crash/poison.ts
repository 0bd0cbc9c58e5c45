import { readLedger, type ActivityLine } from './ledger.js';
import { CALM_STEPS, poisonIds } from './poison-shapes.js';
import { next } from './shapes.js';
import { withClient } from './snapshot.js';
import { after, Stage, type Report } from './stage.js';

const MOST_LIVES = 40;
const LIFE_WITHIN_MS = 30_000;

/** Orchestrations and activities that kill their process, again and again: stopped in the end, and nobody else with them. */
export async function runPoison(stage: Stage, rounds: number): Promise<Report> {
  const figures = { deaths: 0, 'runs of the deadly activity': 0, 'innocents that ended well': 0 };
  const violations: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    const one = new Stage(`${stage.directory}/${round}`, stage.seed + round);
    figures.deaths += await untilItLives(one);
    await check(one, figures);
    violations.push(...one.violations.map((violation) => `round ${round}: ${violation}`));
  }
  return { figures, violations };
}

/** A supervisor that starts it again, as they do. */
async function untilItLives(stage: Stage): Promise<number> {
  for (let deaths = 0; deaths < MOST_LIVES; deaths++) {
    const process = stage.engine('poison');
    const exit = await Promise.race([process.exit, after(LIFE_WITHIN_MS)]);
    await process.kill('SIGKILL');
    if (exit === undefined) {
      stage.violations.push(`life ${stage.lives} neither died nor ended`);
      return deaths;
    }
    if (exit.code === 0) return deaths;
    if (exit.signal !== 'SIGKILL') stage.violations.push(`life ${stage.lives} ended with ${JSON.stringify(exit)}`);
  }
  stage.violations.push(`it still dies after ${MOST_LIVES} lives`);
  return MOST_LIVES;
}

async function check(stage: Stage, figures: Record<string, number>): Promise<void> {
  const say = (problem: string): unknown => stage.violations.push(problem);
  await withClient(stage.paths.database, async (client) => {
    const deadly = await client.getOrchestrationStatus('deadly-1');
    if (deadly.status !== 'Suspended' || deadly.suspension.code !== 'ERR_DURABLE_POISONED')
      say(`the deadly orchestration is ${JSON.stringify(deadly)}`);
    const hard = await client.getOrchestrationStatus('hard-1');
    if (hard.status !== 'Completed' || hard.output !== 'PoisonedError')
      say(`the caller of the deadly activity is ${JSON.stringify(hard)}`);
    for (const id of poisonIds().filter((one) => one.startsWith('calm'))) {
      const calm = await client.getOrchestrationStatus(id);
      if (calm.status !== 'Completed' || calm.output !== calmly(1)) say(`an innocent came to ${JSON.stringify(calm)}`);
      else figures['innocents that ended well']!++;
    }
    for (const id of await client.management.findStuck()) say(`${id}: stuck`);
  });
  const { lines } = readLedger<ActivityLine>(stage.paths.activities);
  figures['runs of the deadly activity']! += lines.filter(({ name }) => name === 'die').length;
}

function calmly(value: number): number {
  for (let step = 0; step < CALM_STEPS; step++) value = next(value);
  return value;
}
