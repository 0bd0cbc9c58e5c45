import { activityCases } from './cases/activities.js';
import { childCases } from './cases/children.js';
import { concurrencyCases } from './cases/concurrency.js';
import { fenceCases } from './cases/fence.js';
import { heldCases } from './cases/held.js';
import { historyCases } from './cases/history.js';
import { kvCases } from './cases/kv.js';
import { laneCases } from './cases/lanes.js';
import { listingCases } from './cases/listing.js';
import { loadingCases } from './cases/loading.js';
import { messageCases } from './cases/messages.js';
import { nodeCases } from './cases/nodes.js';
import { payloadCases } from './cases/payloads.js';
import { repeatingCases } from './cases/repeating.js';
import { startCases } from './cases/starts.js';
import { suspensionCases } from './cases/suspension.js';
import { timerCases } from './cases/timers.js';
import { wakingCases } from './cases/waking.js';
import type { ConformanceCase, ConformanceFixture } from './fixture.js';

/** Everything a storage must do, as data. Names are unique; run each on a fresh fixture. */
export const conformanceCases = (): readonly ConformanceCase[] => [
  ...laneCases,
  ...repeatingCases,
  ...fenceCases,
  ...startCases,
  ...childCases,
  ...messageCases,
  ...activityCases,
  ...heldCases,
  ...timerCases,
  ...kvCases,
  ...historyCases,
  ...loadingCases,
  ...wakingCases,
  ...listingCases,
  ...suspensionCases,
  ...nodeCases,
  ...concurrencyCases,
  ...payloadCases,
];

/** One case on a store of its own, which is closed whatever happens. Resolves with why it was skipped, if it was. */
export async function runConformanceCase(
  it: ConformanceCase,
  openFixture: () => Promise<ConformanceFixture>,
): Promise<string | undefined> {
  const fixture = await openFixture();
  try {
    const reason = it.skip(fixture);
    if (reason === undefined) await it.run(fixture);
    return reason;
  } finally {
    await fixture.close();
  }
}
