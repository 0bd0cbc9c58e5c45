import { inParallel, startBenchEngine, withDirectory, type BenchEngine } from './engine.js';

/** Seconds that `work` took on a warm engine of its own. */
async function timed(work: (engine: BenchEngine) => Promise<void>): Promise<number> {
  return withDirectory(async (file) => {
    const engine = await startBenchEngine(file);
    await inParallel(200, 50, async (index) => {
      const handle = await engine.client.startOrchestration('hello', 'warm', { instanceId: `warm-${index}` });
      await handle.result();
    });
    const startedAt = performance.now();
    await work(engine);
    const seconds = (performance.now() - startedAt) / 1_000;
    await engine.stop();
    return seconds;
  });
}

async function runAll(engine: BenchEngine, name: string, total: number, width: number, input: unknown): Promise<void> {
  await inParallel(total, width, async (index) => {
    const handle = await engine.client.startOrchestration(name, input, { instanceId: `${name}-${index}` });
    await handle.result();
  });
}

/** Instances per second: one activity each, 50 at a time. */
export const hello = async (): Promise<number> =>
  2_000 / (await timed((engine) => runAll(engine, 'hello', 2_000, 50, 'Ada')));
/** Steps per second: 200 instances of 20 sequential activities. */
export const chain = async (): Promise<number> =>
  4_000 / (await timed((engine) => runAll(engine, 'chain', 200, 200, 20)));
/** Activities per second: 50 instances of 100 parallel activities. */
export const fanOut = async (): Promise<number> =>
  5_000 / (await timed((engine) => runAll(engine, 'fan-out', 50, 50, 100)));
/** Steps per second of one chain. */
export const oneChain = async (steps: number): Promise<number> =>
  steps / (await timed((engine) => runAll(engine, 'chain', 1, 1, steps)));

/** Milliseconds from the call to the result, one at a time on an idle engine: sorted. */
export const roundTrips = (samples: number): Promise<number[]> =>
  withDirectory(async (file) => {
    const engine = await startBenchEngine(file);
    const times: number[] = [];
    for (let index = 0; index < samples + 50; index++) {
      const startedAt = performance.now();
      const handle = await engine.client.startOrchestration('hello', 'Ada', { instanceId: `trip-${index}` });
      await handle.result();
      if (index >= 50) times.push(performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await engine.stop();
    return times.sort((a, b) => a - b);
  });
