import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import pg from 'pg';
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

/** Set by `bench --db postgres`: the server to measure instead of SQLite files. */
const postgresUrl = process.env['BENCH_POSTGRES_URL'];

/** A schema stands for a file. */
const schemaOf = (file: string): string => basename(dirname(file));

export async function startBenchEngine(file: string, options: EngineOptions = {}): Promise<BenchEngine> {
  const provider =
    postgresUrl === undefined
      ? new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: file } })
      : new TypeOrmProvider({ storage: { type: 'postgres', url: postgresUrl }, schema: schemaOf(file) });
  const runtime = new DurableRuntime({ provider, registry: benchRegistry(), ...options });
  await runtime.start();
  return { client: new DurableClient(runtime), runtime, stop: () => runtime.stop() };
}

async function dropSchema(schema: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await client.end();
}

/** A fresh file in a directory of its own, or a schema that is named after it; removed afterwards. */
export async function withDirectory<T>(work: (file: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'nest-durable-bench-'));
  try {
    return await work(join(directory, 'durable.sqlite'));
  } finally {
    if (postgresUrl !== undefined) await dropSchema(basename(directory));
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
