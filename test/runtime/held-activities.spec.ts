import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { join } from 'node:path';
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
let engine: TestEngine | undefined;
const file = (): string => join(directory.path, 'durable.sqlite');

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await engine?.stop().catch(() => undefined);
  engine = undefined;
  directory.remove();
});

async function boot(orchestrations: Record<string, Body>, activities: Activities, settings = {}): Promise<TestEngine> {
  engine = await startEngine(file(), registryOf(orchestrations, activities), { shutdownGrace: 0, ...settings });
  return engine;
}

/** Ends an engine as a kill would: it writes nothing more, and only its lock goes. */
async function kill(victim: TestEngine): Promise<void> {
  await victim.provider.close();
  void victim.stop().catch(() => undefined);
}

function rows(sql: string): Record<string, unknown>[] {
  const database = new Sqlite(file());
  try {
    return database.prepare(sql).all() as Record<string, unknown>[];
  } finally {
    database.close();
  }
}
const activityRows = () =>
  rows('SELECT schedule_id, node, attempt, crashes FROM durable_activity ORDER BY schedule_id');
const held = (): unknown => rows('SELECT held FROM durable_instance')[0]!['held'];

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

const Ask = async (ctx: OrchestrationContext, retry?: { maxAttempts: number; initialInterval: number }) =>
  ctx.scheduleActivity('work', [], retry && { retry });

describe('an activity its instance holds', () => {
  it('has no row, and its result ends it', async () => {
    const work = gate();
    const { client } = await boot({ Ask }, { work: work.run });
    await client.startOrchestration('Ask', undefined, { instanceId: 'i' });
    await eventually(() => work.runs === 1);
    expect([activityRows(), held()]).toEqual([[], 1]);
    work.open('done');
    expect(await client.getResult('i', '10s')).toBe('done');
    expect([activityRows(), held()]).toEqual([[], 0]);
  });

  it('gets a row from the next engine when its process dies, which counts the crash', async () => {
    const work = gate();
    const first = await boot({ Ask }, { work: work.run });
    await first.client.startOrchestration('Ask', undefined, { instanceId: 'i' });
    await eventually(() => work.runs === 1);
    await kill(first);
    const { client } = await boot({ Ask }, { work: work.run });
    await eventually(() => work.runs === 2);
    expect(activityRows()).toMatchObject([{ attempt: 1, crashes: 1 }]);
    expect(held()).toBe(0);
    work.open('done');
    expect(await client.getResult('i', '10s')).toBe('done');
  });

  it('gets only what it lost back, not what has a row or a result', async () => {
    const [slow, tagged] = [gate(), gate()];
    const runs = { quick: 0 };
    const All = async (ctx: OrchestrationContext) =>
      Promise.all([
        ctx.scheduleActivity('quick'),
        ctx.scheduleActivity('slow'),
        ctx.scheduleActivity('elsewhere', [], { tag: 'gpu' }),
      ]);
    const activities = { quick: () => `quick ${++runs.quick}`, slow: slow.run, elsewhere: tagged.run };
    const first = await boot({ All }, activities);
    await first.client.startOrchestration('All', undefined, { instanceId: 'i' });
    await eventually(() => slow.runs === 1 && held() === 1);
    await kill(first);
    const { client } = await boot({ All }, activities, { tags: ['gpu'] });
    await eventually(() => slow.runs === 2 && tagged.runs === 1);
    slow.open('slow');
    tagged.open('far');
    expect(await client.getResult('i', '10s')).toEqual(['quick 1', 'slow', 'far']);
    expect(runs.quick).toBe(1);
  });

  it('gets a row when an attempt fails, and keeps the count over a restart', async () => {
    const attempts: number[] = [];
    const work = (context: { attempt: number }) => {
      attempts.push(context.attempt);
      if (context.attempt < 3) throw new Error('not yet');
      return 'third';
    };
    const first = await boot({ Ask }, { work } as never);
    const retry = { maxAttempts: 5, initialInterval: 1_000 };
    await first.client.startOrchestration('Ask', retry, { instanceId: 'i' });
    await eventually(() => activityRows().length === 1);
    expect(activityRows()).toMatchObject([{ attempt: 2, crashes: 0, node: null }]);
    expect(held()).toBe(0);
    await kill(first);
    const { client } = await boot({ Ask }, { work } as never);
    expect(await client.getResult('i', '20s')).toBe('third');
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('keeps its result when the instance is suspended meanwhile, and does not run again', async () => {
    const work = gate();
    const { client, runtime } = await boot({ Ask }, { work: work.run });
    await client.startOrchestration('Ask', undefined, { instanceId: 'i' });
    await eventually(() => work.runs === 1);
    await client.suspendInstance('i');
    work.open('kept');
    await eventually(() => runtime.status.runningActivities === 0);
    await client.resumeInstance('i');
    expect(await client.getResult('i', '10s')).toBe('kept');
    expect(work.runs).toBe(1);
  });

  it('runs on when an engine suspends its instance, and its result waits for mended code', async () => {
    const work = gate();
    const First = async (ctx: OrchestrationContext) => {
      const result = ctx.scheduleActivity('work');
      await ctx.scheduleWait('go');
      ctx.setCustomStatus('x'.repeat(100));
      return result;
    };
    const first = await boot({ First }, { work: work.run }, { limits: { maxCustomStatusBytes: 50 } });
    const handle = await first.client.startOrchestration('First', undefined, { instanceId: 'i' });
    await eventually(() => work.runs === 1);
    await first.client.raiseEvent('i', 'go', null);
    await eventually(() => activityRows().length === 1 && held() === 0);
    expect((await handle.status()).status).toBe('Suspended');
    work.open('kept');
    await eventually(() => activityRows().length === 0);
    await first.stop();
    const { client } = await boot({ First }, { work: work.run });
    await client.resumeInstance('i');
    expect(await client.getResult('i', '10s')).toBe('kept');
    expect(work.runs).toBe(1);
  });

  it('is handed back by a process that ends, without a crash or an attempt', async () => {
    const work = gate();
    const first = await boot({ Ask }, { work: work.run });
    await first.client.startOrchestration('Ask', undefined, { instanceId: 'i' });
    await eventually(() => work.runs === 1);
    await first.stop();
    expect(activityRows()).toEqual([{ schedule_id: 2, node: null, attempt: 1, crashes: 0 }]);
    const { client } = await boot({ Ask }, { work: work.run });
    await eventually(() => work.runs === 2);
    work.open('done');
    expect(await client.getResult('i', '10s')).toBe('done');
  });

  it('leaves nothing behind when it loses a select, is left by continue-as-new or by an end', async () => {
    const work = gate();
    const Race = async (ctx: OrchestrationContext, round: number) => {
      const wait = ctx.scheduleWait('go');
      await ctx.select({ work: ctx.scheduleActivity('work'), wait });
      if (round === 1) {
        void ctx.scheduleActivity('work');
        await ctx.scheduleWait('go');
        await ctx.continueAsNew(2);
      }
      void ctx.scheduleActivity('work');
      await ctx.scheduleWait('go');
      return 'over';
    };
    const { client } = await boot({ Race }, { work: work.run });
    await client.startOrchestration('Race', 1, { instanceId: 'i' });
    const heldAfter: unknown[] = [];
    for (let event = 1; event <= 4; event++) {
      await eventually(() => work.runs === event);
      heldAfter.push(held());
      await client.raiseEvent('i', 'go', null);
    }
    expect(await client.getResult('i', '10s')).toBe('over');
    expect(heldAfter).toEqual([1, 1, 1, 1]);
    expect([activityRows(), held()]).toEqual([[], 0]);
    work.open('late'); // its schedule is closed, nobody is told
    expect(await client.management.findStuck()).toEqual([]);
  });

  it('never leaves the cache while it runs', async () => {
    const work = gate();
    const { client, runtime } = await boot({ Ask }, { work: work.run }, { cacheSize: 1 });
    for (const instanceId of ['a', 'b', 'c']) await client.startOrchestration('Ask', undefined, { instanceId });
    await eventually(() => work.runs === 3);
    expect(runtime.status.cachedExecutions).toBe(3);
    for (const run of [1, 2, 3]) work.open(run, run);
    expect(await Promise.all(['a', 'b', 'c'].map((id) => client.getResult(id, '10s')))).toEqual([1, 2, 3]);
  });
});
