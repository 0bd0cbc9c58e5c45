import { describe, expect, it } from '@jest/globals';
import { drawPlan, type Setting } from './plan.js';
import { shrink } from './shrink.js';
import { simulate } from './simulate.js';

const SEEDS: Readonly<Record<Setting, number>> = { sqlite: 30, alone: 15, model: 40 };

describe.each(['sqlite', 'alone', 'model'] as const)('a simulation of %s', (store) => {
  it('holds its promises whatever goes wrong, and finishes when nothing does any more', async () => {
    for (let seed = 1; seed <= SEEDS[store]; seed++) {
      const outcome = await simulate(drawPlan(seed, store));
      if (outcome.problems.length === 0) continue;
      const { plan, problems, traceEnd } = await shrink(outcome);
      throw new Error(
        [`seed ${seed}:`, ...problems, 'shrunk:', JSON.stringify(plan), ...traceEnd.slice(-80)].join('\n'),
      );
    }
  }, 180_000);

  it('does the same again for the same seed, to the byte', async () => {
    for (let seed = 20_000; seed < 20_006; seed++) {
      const first = await simulate(drawPlan(seed, store));
      const second = await simulate(drawPlan(seed, store));
      expect({ seed, digest: second.digest, end: second.traceEnd }).toEqual({
        seed,
        digest: first.digest,
        end: first.traceEnd,
      });
    }
  }, 60_000);

  it('meets what it is meant to meet', async () => {
    const met = { incidents: 0, events: 0, instances: 0 };
    for (let seed = 30_000; seed < 30_020; seed++) {
      const { figures } = await simulate(drawPlan(seed, store));
      for (const key of ['incidents', 'events', 'instances'] as const) met[key] += figures[key]!;
    }
    expect(met.incidents).toBeGreaterThan(10);
    expect(met.instances).toBeGreaterThan(80);
    expect(met.events).toBeGreaterThan(500);
  }, 60_000);
});
