import type { Mutant } from '../test/simulation/mutants.js';

export function buildSimulation(directory: string): void;
export function buildMutant(
  base: string,
  directory: string,
  mutant: Mutant,
  mutated: (mutant: Mutant, file: string, source: string) => string,
): void;
