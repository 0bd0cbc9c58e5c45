/**
 * Random programs for as long as one likes: `npm run replay -- --programs 1000000 [--seed S] [--path P]`.
 *
 * A failure prints the smallest program, and with its seed and path it is the only one that runs again.
 */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { findFailing } from './random-programs.js';

/** Programs of one seed: a failure is then repeated in seconds. */
const PROGRAMS_PER_SEED = 1_000;
const PROGRESS_MS = 5_000;

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    path: { type: 'string' },
  },
});
const programs = wholeNumber('programs', values.programs);
const firstSeed = wholeNumber('seed', values.seed);

const startedAt = performance.now();
let done = 0;
let events = 0;
let saidAt = startedAt;

console.log(`${programs} programs from seed ${firstSeed}`);
for (let seed = firstSeed; done < programs; seed++) {
  const failing = await findFailing({
    programs: Math.min(PROGRAMS_PER_SEED, programs - done),
    seed,
    path: values.path,
    seen: ({ performance: { executions } }) => {
      done++;
      for (const { history } of executions) events += history.length;
      if (performance.now() - saidAt >= PROGRESS_MS) say(seed);
    },
  });
  if (failing !== undefined) {
    console.log(`FAILED: ${failing.message}`);
    console.log(`Again: npm run replay -- --seed ${seed} --path ${failing.path}`);
    process.exitCode = 1;
    break;
  }
  if (values.path !== undefined) break;
}
if (process.exitCode !== 1) {
  say(undefined);
  console.log('ok');
}

function say(seed: number | undefined): void {
  saidAt = performance.now();
  const seconds = (saidAt - startedAt) / 1000;
  const rate = Math.round(done / seconds);
  const at = seed === undefined ? '' : `, seed ${seed}`;
  console.log(`${done} of ${programs} programs, ${events} events, ${seconds.toFixed(0)} s, ${rate} a second${at}`);
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    console.error(`--${name} must be a whole number from 0, not ${JSON.stringify(text)}`);
    process.exit(2);
  }
  return value;
}
