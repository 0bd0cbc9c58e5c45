import { inParallel, startBenchEngine, withDirectory, type BenchEngine } from './engine.js';

const INSTANCES = 100_000;

const megabytes = (): number => {
  for (let round = 0; round < 4; round++) globalThis.gc?.();
  return process.memoryUsage().rss / 2 ** 20;
};

async function withWaiting<T>(measure: (engine: BenchEngine, before: number) => Promise<T>): Promise<T> {
  return withDirectory(async (file) => {
    const engine = await startBenchEngine(file, { cacheIdle: 500 });
    await inParallel(2_000, 200, async (index) => {
      const handle = await engine.client.startOrchestration('hello', 'warm', { instanceId: `warm-${index}` });
      await handle.result();
    });
    await until(() => engine.runtime.status.cachedExecutions === 0);
    const before = megabytes();
    await inParallel(INSTANCES, 1_000, (index) =>
      engine.client.startOrchestration('wait', undefined, { instanceId: `wait-${index}` }),
    );
    await until(() => engine.runtime.status.cachedExecutions === 0);
    const result = await measure(engine, before);
    await engine.stop();
    return result;
  });
}

/** MB by which the process grew, once all are evicted. */
export const waitingMemory = (): Promise<{ value: number; note: string }> =>
  withWaiting(async (engine, before) => {
    const after = megabytes();
    const handle = engine.client.getHandle(null, 'wait-77777');
    await handle.raiseEvent('go', 'still here');
    const answer = await handle.result({ timeout: '10s' });
    if (answer !== 'still here') throw new Error(`an evicted instance answered ${String(answer)}`);
    return { value: after - before, note: `${before.toFixed(0)} to ${after.toFixed(0)} MB resident` };
  });

/** Percent of one core while nothing happens. */
export const waitingCpu = (): Promise<{ value: number; note: string }> =>
  withWaiting(async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const [startedAt, used] = [performance.now(), process.cpuUsage()];
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const { user, system } = process.cpuUsage(used);
    return { value: (user + system) / 10 / (performance.now() - startedAt), note: 'over 10 s' };
  });

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}
