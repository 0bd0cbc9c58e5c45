import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startBenchEngine, withDirectory } from './engine.js';

const INSTANCES = 10_000;

/** Seconds from the restart to the first step that resumed; all must complete. */
export const recovery = (): Promise<{ value: number; note: string }> =>
  withDirectory(async (file) => {
    await killedMidChain(file);
    const startedAt = performance.now();
    const engine = await startBenchEngine(file);
    while (engine.runtime.counters.turns === 0) await new Promise((resolve) => setImmediate(resolve));
    const first = (performance.now() - startedAt) / 1_000;
    for (let index = 0; index < INSTANCES; index++) {
      const value = await engine.client.getResult(`chain-${index}`);
      if (value !== 20) throw new Error(`chain-${index} gave ${String(value)}`);
    }
    const all = (performance.now() - startedAt) / 1_000;
    await engine.stop();
    return { value: first, note: `all ${INSTANCES.toLocaleString('en')} complete after ${all.toFixed(1)} s` };
  });

/** A process starts the chains and is killed when every one of them is under way. */
function killedMidChain(file: string): Promise<void> {
  const script = fileURLToPath(new URL('./recovery-victim.js', import.meta.url));
  return new Promise((resolve, reject) => {
    const child = fork(script, [file, String(INSTANCES)], { execArgv: [] });
    child.on('message', () => child.kill('SIGKILL'));
    child.on('error', reject);
    child.on('exit', () => resolve());
  });
}
