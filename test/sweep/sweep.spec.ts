import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CALLS } from './calls.js';
import { census } from './census.js';
import { EngineSweep } from './engine-sweep.js';
import { FAULT_COUNT } from './faults.js';
import { ProviderSweep } from './provider-sweep.js';
import { scratchDirectory } from './scratch.js';

// The short form of `npm run sweep`: every point, with one fault of the twelve at each, every fault in turn.

let directory: ReturnType<typeof scratchDirectory>;
beforeEach(() => {
  directory = scratchDirectory();
});
afterEach(() => directory.remove());

/** Of fleets, which a SQLite file has none of; and what nobody asks for. */
const UNREACHED = ['InstanceStatements.adoptNamed', 'InstanceStatements.suspectsOf'];

describe('a statement that fails', () => {
  it('leaves the state before the call or the one after it, and the same call succeeds when the fault is over', async () => {
    const sweep = new ProviderSweep(directory.path, ({ contact, fault }) => contact % FAULT_COUNT === fault);
    const { result, unasked } = await census(() => sweep.run(CALLS));
    expect(result.violations).toEqual([]);
    expect(unasked.filter((statement) => !UNREACHED.includes(statement))).toEqual([]);
    expect(result.failed).toBeGreaterThan(200);
    expect(result.unknownOutcomes).toBeGreaterThan(0);
  }, 60_000);

  it('holds up an engine at work until the fault is over, and changes no outcome', async () => {
    const sweep = new EngineSweep(directory.path, ({ statement, fault }) => statement % FAULT_COUNT === fault);
    const { violations, cases, unreached } = await sweep.working();
    expect(violations).toEqual([]);
    expect(cases - unreached).toBeGreaterThan(20);
  }, 60_000);

  it('stops an engine that starts with an error that may be tried again, or not at all', async () => {
    const sweep = new EngineSweep(directory.path, ({ statement, fault }) => (statement * 5) % 36 === fault);
    const { violations, cases, unreached } = await sweep.booting();
    expect(violations).toEqual([]);
    expect(cases - unreached).toBeGreaterThan(10);
  }, 60_000);
});
