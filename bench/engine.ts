import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DurableClient,
  DurableRuntime,
  Registry,
  TypeOrmProvider,
  type EngineOptions,
  type OrchestrationContext,
} from 'nest-durable';

export interface BenchEngine {
  readonly client: DurableClient;
  readonly runtime: DurableRuntime;
  stop(): Promise<void>;
}

export function benchRegistry(): Registry {
  const registry = new Registry();
  const orchestration = (name: string, run: (ctx: OrchestrationContext, input: never) => Promise<unknown>): void => {
    registry.addOrchestration({ name, create: () => ({ run: run as never }) });
  };
  orchestration('hello', (ctx, name: string) => ctx.scheduleActivity('greet', [name]));
  orchestration('chain', async (ctx, steps: number) => {
    let value = 0;
    for (let step = 0; step < steps; step++) value = await ctx.scheduleActivity<number>('increment', [value]);
    return value;
  });
  // Its sixth step does not return in the process that is to be killed there.
  orchestration('gated-chain', async (ctx, steps: number) => {
    let value = 0;
    for (let step = 0; step < steps; step++)
      value = await ctx.scheduleActivity<number>(step === 5 ? 'gated' : 'increment', [value]);
    return value;
  });
  orchestration('fan-out', async (ctx, width: number) => {
    const results = await ctx.join(
      Array.from({ length: width }, (_, index) => ctx.scheduleActivity<number>('increment', [index])),
    );
    return results.length;
  });
  orchestration('wait', (ctx) => ctx.scheduleWait('go'));
  registry.addActivity({ name: 'greet', run: async ([name]) => `Hello, ${String(name)}!` });
  const gated = process.argv[1]?.endsWith('recovery-victim.js') === true;
  registry.addActivity({
    name: 'gated',
    run: ([value]) => (gated ? new Promise(() => undefined) : (value as number) + 1),
  });
  registry.addActivity({ name: 'increment', run: async ([value]) => (value as number) + 1 });
  return registry;
}

export async function startBenchEngine(file: string, options: EngineOptions = {}): Promise<BenchEngine> {
  const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: file } });
  const runtime = new DurableRuntime({ provider, registry: benchRegistry(), ...options });
  await runtime.start();
  return { client: new DurableClient(runtime), runtime, stop: () => runtime.stop() };
}

/** A fresh file in a directory of its own, removed afterwards. */
export async function withDirectory<T>(work: (file: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'nest-durable-bench-'));
  try {
    return await work(join(directory, 'durable.sqlite'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs `total` pieces of work, `width` at a time. */
export async function inParallel(
  total: number,
  width: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < total) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, total) }, lane));
}
