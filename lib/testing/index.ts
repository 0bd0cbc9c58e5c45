// For tests of storage and of engines: 'nest-durable/testing'. Nothing here belongs into an application's production code.

/**
 * The storage contract in memory, as nasty as a database server. A `ModelStore` is the server; each process has a
 * `ModelProvider` on it. Time, chance, order and faults come from its ports, so that a simulation can be all of them.
 */
export { ModelProvider, type ModelProviderOptions } from './model-provider.js';
export { ModelStore } from './model/store.js';
export type { Fault, Faults, ModelPorts, Place, Schedule } from './model/ports.js';

/**
 * What every storage must do, as data for any runner. A storage brings a `ConformanceFixture`; each case wants a fresh one:
 *
 * ```ts
 * for (const one of conformanceCases()) {
 *   test(`${one.theme}: ${one.name}`, async (t) => {
 *     const skipped = await runConformanceCase(one, openFixture);
 *     if (skipped !== undefined) t.skip(skipped);
 *   });
 * }
 * ```
 */
export {
  conformanceCases,
  runConformanceCase,
  type ConformanceCase,
  type ConformanceFixture,
} from './conformance/index.js';
