// `npm run sweep`: every call of the provider and a whole engine, with every fault at every statement.
import { CALLS } from './calls.js';
import { census } from './census.js';
import { EngineSweep } from './engine-sweep.js';
import { ProviderSweep } from './provider-sweep.js';
import { scratchDirectory } from './scratch.js';

const directory = scratchDirectory();
const startedAt = performance.now();
const seconds = (): string => `${((performance.now() - startedAt) / 1_000).toFixed(0)} s`;

const engine = new EngineSweep(directory.path);
await engine.working();
console.log('an engine at work:     ', withoutViolations(engine.figures), seconds());
await engine.booting();
console.log('and engines that start:', withoutViolations(engine.figures), seconds());

const { result, asked, unasked } = await census(() => new ProviderSweep(directory.path).run(CALLS));
console.log('the provider:          ', withoutViolations(result), seconds());
console.log(`${asked} SQL statements of the product, not reached: ${unasked.join(', ') || 'none'}`);

const violations = [...engine.figures.violations, ...result.violations];
for (const violation of violations) console.log(`VIOLATION ${violation}`);
console.log(`${violations.length} violations`);
if (violations.length === 0) directory.remove();
else console.log(`kept: ${directory.path}`);
process.exitCode = violations.length === 0 ? 0 : 1;

function withoutViolations<F extends { readonly violations: readonly string[] }>(figures: F): object {
  return { ...figures, violations: figures.violations.length };
}
