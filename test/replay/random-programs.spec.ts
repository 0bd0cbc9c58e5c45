import { expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { programOf, randomCase, scriptOf } from './random-programs.js';
import { perform, plain, whyNotReplayable, whyNotSound } from './support.js';

const PROGRAMS = Number(process.env.REPLAY_PROGRAMS ?? 300);
/** `REPLAY_SEED` repeats a run that failed, or tries others. */
const SEED = Number(process.env.REPLAY_SEED ?? 20260);

// A failure prints the seed, and the smallest program and messages that still fail.
it(
  `${PROGRAMS} random programs decide the same again from every prefix of their history`,
  async () => {
    const endings = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(randomCase, async (random) => {
        const program = programOf(random.node);
        const script = scriptOf(random);
        const warm = await perform(program, script);
        const end = warm.fault?.code ?? warm.end?.kind ?? 'waits';
        endings.set(end, (endings.get(end) ?? 0) + 1);
        expect(warm.fault).toBeUndefined();
        expect(whyNotSound(warm.history)).toBeUndefined();
        expect(await whyNotReplayable(program, warm)).toBeUndefined();
        const cold = await perform(program, { ...script, cold: true });
        expect(cold.fault).toBeUndefined();
        expect(plain(cold.history)).toEqual(plain(warm.history));
        expect(cold.discarded).toEqual(warm.discarded);
      }),
      { numRuns: PROGRAMS, seed: SEED },
    );
    // Otherwise the programs would prove little.
    if (PROGRAMS >= 300) {
      const kinds = ['OrchestrationCompleted', 'OrchestrationFailed', 'OrchestrationCancelled', 'waits'];
      expect([...endings.keys()]).toEqual(expect.arrayContaining(kinds));
    }
  },
  30_000 + PROGRAMS * 100,
);
