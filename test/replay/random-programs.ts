import * as fc from 'fast-check';
import { check, explained, type Checked } from './random-check.js';
import { randomCase, smaller, type RandomCase } from './random-program.js';

export interface Trial {
  readonly programs: number;
  readonly seed: number;
  /** Where in the run of that seed the failure was, as it was printed: only that program runs. */
  readonly path?: string;
  readonly seen?: (checked: Checked) => void;
}

export interface Failing {
  readonly random: RandomCase;
  readonly seed: number;
  readonly path: string;
  /** Why, and the program: for people. */
  readonly message: string;
}

/** Runs random programs; of the first that does not repeat, the smallest that still does not. */
export async function findFailing({ programs, seed, path: from, seen }: Trial): Promise<Failing | undefined> {
  const property = fc.asyncProperty(randomCase, async (random) => {
    const checked = await check(random);
    seen?.(checked);
    if (checked.why !== undefined) throw new Error(checked.why);
  });
  const details = await withoutStacks(() => fc.check(property, { numRuns: programs, seed, path: from }));
  if (!details.failed) return undefined;
  const path = details.counterexamplePath!;
  const { random, why } = await withoutStacks(() => smallest(details.counterexample![0]));
  return { random, seed, path, message: `${explained(random, why)}\nseed ${seed}, path ${path}` };
}

/** fast-check makes lists shorter and numbers smaller; this takes programs apart until nothing more can go. */
async function smallest(random: RandomCase): Promise<{ random: RandomCase; why: string }> {
  for (const node of smaller(random.node)) {
    const less = { ...random, node };
    if ((await check(less)).why !== undefined) return smallest(less);
  }
  for (const index of random.messages.keys()) {
    const less = { ...random, messages: random.messages.toSpliced(index, 1) };
    if ((await check(less)).why !== undefined) return smallest(less);
  }
  return { random, why: (await check(random)).why! };
}

/** Errors are values here, and their stacks would cost more than everything else. */
async function withoutStacks<T>(run: () => Promise<T>): Promise<T> {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return await run();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
