import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildMutant, buildSimulation } from '../../scripts/build-simulation.mjs';
import { mutants, mutated, type Mutant } from './mutants.js';
import type { Setting } from './plan.js';

/** Which seed caught which defect, as `npm run simulate:mutants -- --write` found it. */
const witnesses = JSON.parse(readFileSync(join(import.meta.dirname, 'witnesses.json'), 'utf8')) as Record<
  string,
  { readonly store: Setting; readonly seed: number }
>;
/** An engine that changed takes other ways: a defect may show a few seeds later. */
const SEEDS = 60;

/** All of them take six minutes: `npm run simulate:mutants`. */
const SHORT = [
  'the fence ignores the generation',
  'a batch is not compared with its lane',
  'rows of a refused turn are written',
  'a retry loses its attempt',
  'a completion compares neither claim nor node',
];
const shortList = mutants.filter(({ name }) => SHORT.includes(name));

describe('the simulation', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'nest-durable-mutants-'));
    buildSimulation(join(directory, 'base'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('knows a seed for every defect', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(30);
    expect(Object.keys(witnesses).sort()).toEqual(mutants.map(({ name }) => name).sort());
  });

  it.each(shortList.map((mutant) => [mutant.name, mutant] as const))(
    'notices that %s',
    async (name, mutant) => {
      const { store, seed } = witnesses[name]!;
      const problem = await firstProblem(join(directory, 'base'), join(directory, 'mutant'), mutant, store, seed);
      expect(problem).toMatch(/\b[A-Z]{1,2}-?\d+\b/);
    },
    60_000,
  );
});

async function firstProblem(
  base: string,
  directory: string,
  mutant: Mutant,
  store: Setting,
  seed: number,
): Promise<string | undefined> {
  buildMutant(base, directory, mutant, mutated);
  const options = ['--store', store, '--seed', String(seed), '--seeds', String(SEEDS), '--first-failure'];
  const child = spawn(process.execPath, [join(directory, 'test/simulation/main.js'), ...options]);
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  await new Promise((resolve) => child.on('close', resolve));
  const line = text
    .trim()
    .split('\n')
    .findLast((one) => one.startsWith('{"failing"'));
  return line === undefined ? undefined : (JSON.parse(line) as { failing: { problem: string } }).failing.problem;
}
