import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildMutant, buildSimulation } from './build-simulation.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WITNESSES = join(ROOT, 'test/simulation/witnesses.json');
const { values: options } = parseArgs({
  options: {
    /** Seeds tried for each mutant in each store. */
    seeds: { type: 'string', default: '1000' },
    only: { type: 'string', default: '' },
    /** Mutants hunted at once. */
    parallel: { type: 'string', default: '2' },
    /** Remembers which seed caught which mutant. */
    write: { type: 'boolean', default: false },
  },
});

const base = join(ROOT, 'dist/mutants/base');
buildSimulation(base);
const { mutants, mutated } = await import(pathToFileURL(join(base, 'test/simulation/mutants.js')).href);
const known = JSON.parse(readFileSync(WITNESSES, 'utf8'));

/** Runs seeds against a build with one defect, until one of them fails: first the one that is known to. */
async function hunt(mutant, slot) {
  const directory = join(ROOT, `dist/mutants/${slot}`);
  buildMutant(base, directory, mutant, mutated);
  const inSql = mutant.changes.some(({ file }) => file.startsWith('lib/providers/'));
  const tries = [
    ...(known[mutant.name] === undefined ? [] : [[known[mutant.name].store, known[mutant.name].seed, 1]]),
    ['sqlite', 1, options.seeds],
    ['alone', 1, options.seeds],
    ...(inSql ? [] : [['model', 1, options.seeds]]),
  ];
  for (const [store, seed, seeds] of tries) {
    const found = await run(directory, store, seed, seeds);
    if (found !== undefined) return { store, ...found };
  }
  return undefined;
}

function run(directory, store, seed, seeds) {
  const args = ['--store', store, '--seed', String(seed), '--seeds', String(seeds), '--first-failure'];
  const child = spawn(process.execPath, [join(directory, 'test/simulation/main.js'), ...args]);
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (text += chunk));
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      const line = text
        .trim()
        .split('\n')
        .findLast((one) => one.startsWith('{"failing"'));
      if (line !== undefined) resolve(JSON.parse(line).failing);
      else if (code === 0) resolve(undefined);
      else reject(new Error(`the run of a mutant died: ${text.slice(-2_000)}`));
    });
  });
}

const witnesses = { ...known };
const waiting = mutants.filter(({ name }) => name.includes(options.only));
let caught = 0;
let survived = 0;
async function work(slot) {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const found = await hunt(mutant, slot);
    if (found === undefined) survived++;
    else {
      caught++;
      witnesses[mutant.name] = { store: found.store, seed: found.seed };
    }
    console.log(
      `${mutant.name}: ${found === undefined ? 'SURVIVED' : `${found.store} ${found.seed}, ${found.problem}`}`,
    );
  }
}
await Promise.all(Array.from({ length: Number(options.parallel) }, (_, index) => work(index + 1)));
console.log(`${caught} caught, ${survived} survived`);
if (options.write) {
  const sorted = Object.fromEntries(
    mutants.flatMap(({ name }) => (name in witnesses ? [[name, witnesses[name]]] : [])),
  );
  writeFileSync(WITNESSES, `${JSON.stringify(sorted, null, 2)}\n`);
}
process.exitCode = survived > 0 ? 1 : 0;
