import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { drawPlan, type Plan, type Setting } from './plan.js';
import { shrink } from './shrink.js';
import { simulate, type Outcome } from './simulate.js';

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    store: { type: 'string', default: 'sqlite' },
    plan: { type: 'string' },
    trace: { type: 'boolean', default: false },
    /** Says which seed fails first, as JSON, and stops. */
    'first-failure': { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (options.plan !== undefined) return report(await simulate(JSON.parse(readFileSync(options.plan, 'utf8')) as Plan));
  const first = Number(options.seed);
  const count = Number(options.seeds);
  const totals = { seeds: 0, steps: 0, virtualSeconds: 0, instances: 0, events: 0 };
  const begun = performance.now();
  let failed = 0;
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await simulate(drawPlan(seed, options.store as Setting));
    totals.seeds++;
    totals.steps += outcome.steps;
    totals.virtualSeconds += Math.round(outcome.virtualMs / 1_000);
    totals.instances += outcome.figures['instances']!;
    totals.events += outcome.figures['events']!;
    if (options['first-failure']) {
      if (outcome.problems.length === 0) continue;
      console.log(JSON.stringify({ failing: { seed, problem: outcome.problems[0] } }));
      process.exitCode = 1;
      return;
    }
    if (outcome.problems.length === 0 && !(options.trace && count === 1)) continue;
    report(outcome);
    if (outcome.problems.length === 0) break;
    failed++;
    await reportSmaller(outcome);
    break;
  }
  console.log(JSON.stringify({ ...totals, failed, seconds: Math.round((performance.now() - begun) / 100) / 10 }));
  process.exitCode = failed > 0 ? 1 : 0;
}

function report({ plan, problems, traceEnd, steps, digest, rows }: Outcome): void {
  const failed = problems.length > 0;
  if (failed || options.trace) console.log(traceEnd.slice(options.trace ? 0 : -30).join('\n'));
  if (failed && options.trace) console.log(JSON.stringify(rows, null, 1));
  console.log(`seed ${plan.seed} (${plan.store}), ${steps} steps, trace ${digest.slice(0, 12)}`);
  for (const problem of problems.slice(0, 5)) console.log(`  ${problem}`);
}

/** A plan that is easier to follow, to be run again by itself. */
async function reportSmaller(failing: Outcome): Promise<void> {
  const { plan, problems, traceEnd, steps } = await shrink(failing);
  const directory = 'dist/simulation-failures';
  mkdirSync(directory, { recursive: true });
  const file = `${directory}/${plan.store}-${plan.seed}.json`;
  writeFileSync(file, JSON.stringify(plan, null, 2));
  console.log(
    `\nshrunk to ${plan.instances.length} instances, ${plan.nodes.length} nodes, ${plan.incidents.length} incidents, ${steps} steps:`,
  );
  console.log(traceEnd.slice(-60).join('\n'));
  for (const problem of problems.slice(0, 5)) console.log(`  ${problem}`);
  console.log(`again: npm run simulate -- --seed ${plan.seed} --seeds 1 --store ${options.store} --trace`);
  console.log(`smaller: npm run simulate -- --plan ${file} --trace`);
}

await main();
