import { expect, it } from '@jest/globals';
import { findFailing } from './random-programs.js';

const PROGRAMS = Number(process.env.REPLAY_PROGRAMS ?? 2_000);
/** With `REPLAY_PATH` the seed repeats one program that failed. `npm run replay` runs as many others as one likes. */
const SEED = Number(process.env.REPLAY_SEED ?? 20260);

/** Otherwise the programs would prove little. */
const ENDINGS = ['OrchestrationCancelled', 'OrchestrationCompleted', 'OrchestrationFailed', 'waits'];
const EVENTS = 26;

it(
  `${PROGRAMS} random programs decide and see the same again from every prefix of their history`,
  async () => {
    const endings = new Set<string>();
    const kinds = new Set<string>();
    const failing = await findFailing({
      programs: PROGRAMS,
      seed: SEED,
      path: process.env.REPLAY_PATH,
      seen: ({ ending, performance }) => {
        endings.add(ending);
        for (const { history } of performance.executions) for (const { kind } of history) kinds.add(kind);
      },
    });
    expect(failing?.message).toBeUndefined();
    if (PROGRAMS < 2_000) return;
    expect([...endings].sort()).toEqual(ENDINGS);
    // Every kind but `OrchestrationTerminated`, which no code decides.
    expect(kinds.size).toBe(EVENTS);
  },
  60_000 + PROGRAMS * 100,
);
