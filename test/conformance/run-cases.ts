import { describe, it } from '@jest/globals';
import { conformanceCases, runConformanceCase, type ConformanceFixture } from '../../lib/testing/index.js';

/** Makes a test of every case of the suite. What a fixture lacks for a case fails it here: ours bring everything along. */
export function runCasesOn(storage: string, openFixture: () => Promise<ConformanceFixture>): void {
  const cases = conformanceCases();
  describe(`${storage}:`, () => {
    for (const theme of new Set(cases.map((one) => one.theme))) {
      describe(`${theme}:`, () => {
        it.each(cases.filter((one) => one.theme === theme).map((one) => [one.name, one] as const))(
          '%s',
          async (_, one) => {
            const reason = await runConformanceCase(one, openFixture);
            if (reason !== undefined) throw new Error(`skipped: ${reason}`);
          },
        );
      });
    }
  });
}
