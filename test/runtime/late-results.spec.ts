import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MAX_DELIVERIES_PER_TURN } from '../../lib/core/limits.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import {
  eventually,
  registryOf,
  startEngine,
  temporaryDirectory,
  type Activities,
  type Body,
  type TestEngine,
} from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
let engines: TestEngine[];

beforeEach(() => {
  directory = temporaryDirectory();
  engines = [];
});
afterEach(async () => {
  for (const engine of engines) await engine.stop().catch(() => undefined);
  directory.remove();
});

async function boot(orchestrations: Record<string, Body>, activities: Activities, settings = {}): Promise<TestEngine> {
  const file = `${directory.path}/durable.sqlite`;
  const engine = await startEngine(file, registryOf(orchestrations, activities), { shutdownGrace: 0, ...settings });
  engines.push(engine);
  return engine;
}

/** Ends an engine as a kill would: it writes nothing more, and only its lock goes. */
async function kill(victim: TestEngine): Promise<void> {
  await victim.provider.close();
  void victim.stop().catch(() => undefined);
}

/** An activity that ends when the test says so. */
function gate() {
  const waiting: ((value: unknown) => void)[] = [];
  return {
    run: () => new Promise((resolve) => waiting.push(resolve)),
    get runs() {
      return waiting.length;
    },
    open: (value: unknown, run = waiting.length) => waiting[run - 1]!(value),
  };
}

const discardedOf = ({ runtime }: TestEngine): number => runtime.counters.discarded['execution over'] ?? 0;

describe('the late result of an execution that is over', () => {
  /** `slow` of the first execution and `work` of the second have the same number in their histories. */
  const Twice = async (ctx: OrchestrationContext, round: number) => {
    if (round === 2) return ctx.scheduleActivity('work');
    void ctx.scheduleActivity('slow').catch(() => undefined);
    await ctx.scheduleActivity('quick');
    return ctx.continueAsNew(2);
  };

  it('is not taken for the activity that has its number in the next one, whose process may then die', async () => {
    const [slow, work] = [gate(), gate()];
    const activities = { slow: slow.run, work: work.run, quick: () => 'quick' };
    const first = await boot({ Twice: Twice as Body }, activities);
    await first.client.startOrchestration('Twice', 1, { instanceId: 'i' });
    await eventually(() => slow.runs === 1 && work.runs === 1);
    slow.open('too late');
    await eventually(() => discardedOf(first) === 1);
    await first.client.raiseEvent('i', 'another turn');
    await kill(first);
    const { client } = await boot({ Twice: Twice as Body }, activities);
    await eventually(() => work.runs === 2);
    work.open('done');
    expect(await client.getResult('i', '10s')).toBe('done');
  });

  it('does not let the instance leave the cache while the activity of that number runs', async () => {
    const [slow, work] = [gate(), gate()];
    const activities = { slow: slow.run, work: work.run, quick: () => 'quick' };
    const engine = await boot({ Twice: Twice as Body, Idle: async (ctx) => ctx.scheduleWait('never') }, activities, {
      cacheSize: 1,
    });
    await engine.client.startOrchestration('Twice', 1, { instanceId: 'i' });
    await eventually(() => slow.runs === 1 && work.runs === 1);
    slow.open('too late');
    await eventually(() => discardedOf(engine) === 1);
    await engine.client.startOrchestration('Idle', undefined, { instanceId: 'other' });
    await engine.client.raiseEvent('other', 'nobody waits');
    work.open('done');
    expect(await engine.client.getResult('i', '5s')).toBe('done');
  });
});

describe('results that wait for an instance whose process died', () => {
  it('are results, although there are more of them than one turn takes: nothing of it runs again', async () => {
    const count = MAX_DELIVERIES_PER_TURN + 50;
    const slow = gate();
    const runs = { far: 0 };
    const activities = { slow: slow.run, far: () => `again ${++runs.far}` };
    const Fan = async (ctx: OrchestrationContext) => {
      const held = ctx.scheduleActivity('slow');
      const far = Array.from({ length: count }, () => ctx.scheduleActivity('far', [], { tag: 'gpu' }));
      return [await Promise.all(far), await held];
    };
    const first = await boot({ Fan }, activities);
    await first.client.startOrchestration('Fan', undefined, { instanceId: 'i' });
    await eventually(() => slow.runs === 1);
    await kill(first);
    // Another node runs the others and stores their results.
    const other = new TypeOrmProvider({
      storage: { type: 'better-sqlite3', database: `${directory.path}/durable.sqlite` },
    });
    await other.open();
    await other.join({ node: 'other', lanes: 1, buildId: 'b', now: Date.now(), leaseUntil: Date.now() + 60_000 });
    const claim = { kind: 'claim-activities' as const, limit: 1_000, names: ['far'], tags: ['gpu'] };
    const claimed = await other.commit('other', 0, { seq: 1, now: Date.now() + 1_000, items: [claim] }, 0);
    const [verdict] = claimed.verdicts;
    if (verdict?.kind !== 'claimed') throw new Error('nothing was claimed');
    const items = verdict.activities!.map(({ instanceId, generation, executionId, scheduleId, claim: number }) => ({
      kind: 'complete-activity' as const,
      instanceId,
      generation,
      executionId,
      scheduleId,
      claim: number,
      message: { kind: 'activity-completion' as const, executionId, scheduleId, attempts: 1, result: '"once"' },
    }));
    await other.commit('other', 0, { seq: 2, now: Date.now(), items }, 0);
    await other.close();
    const { client } = await boot({ Fan }, activities, { tags: ['gpu'] });
    await eventually(() => slow.runs === 2);
    slow.open('slow');
    expect(await client.getResult('i', '10s')).toEqual([Array.from({ length: count }, () => 'once'), 'slow']);
    expect(runs.far).toBe(0);
  });
});
