import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from './random.js';
import { pause } from './shapes.js';
import { storeFigures, type Report, type Stage } from './stage.js';

/** What the kernel answers to the calls SQLite makes on its files: the n-th, and every m-th after it. */
const FAULTS = [
  { call: 'fsync', error: 'EIO' },
  { call: 'pwrite64', error: 'EIO' },
  { call: 'pwrite64', error: 'ENOSPC' },
  { call: 'pread64', error: 'EIO' },
] as const;

/** Lives whose system calls on the files of the database fail now and then; each is killed, and the next one goes on. */
export async function runIoErrors(stage: Stage, count: number): Promise<Report | undefined> {
  if (spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status !== 0) {
    console.log('  skipped: strace is not there, or may not trace');
    return undefined;
  }
  const random = new Random(stage.seed);
  const first = stage.engine();
  await stage.ready(first);
  await first.kill('SIGKILL');
  const figures: Record<string, number> = { 'lives that ran on': 0, 'starts that were refused': 0 };
  for (let life = 1; life <= count; life++) {
    const fault = random.of(FAULTS);
    const trace = join(stage.directory, `trace-${life}.log`);
    const engine = stage.engine('campaign', { under: injecting(stage, fault, trace, random) });
    const isReady = await engine.says('ready');
    const exit = await Promise.race([engine.exit, pause(random.between(500, 1_500))]);
    // A start may be refused; whoever runs must outlast it.
    figures[isReady ? 'lives that ran on' : 'starts that were refused']!++;
    if (isReady && exit !== undefined) stage.violations.push(`life ${stage.lives} ended: ${JSON.stringify(exit)}`);
    await engine.kill('SIGKILL');
    const name = `${fault.call} ${fault.error}, refused calls`;
    figures[name] = (figures[name] ?? 0) + injectedIn(trace);
    await stage.look([], true);
  }
  if (Object.entries(figures).every(([name, calls]) => !name.endsWith('refused calls') || calls === 0))
    stage.violations.push('no call was refused');
  await stage.finish();
  return { violations: stage.violations, figures: { ...figures, ...storeFigures(await stage.check()) } };
}

/** `-D`: the tracer is beside the process, which keeps its place and dies by the same signals. */
function injecting(
  { paths }: Stage,
  { call, error }: (typeof FAULTS)[number],
  trace: string,
  random: Random,
): string[] {
  const every = call === 'pwrite64' ? random.between(20, 200) : random.between(5, 40);
  const when = `${random.between(every, 2 * every)}+${every}`;
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=${when}`];
  const where = [paths.database, `${paths.database}-wal`].flatMap((path) => ['-P', path]);
  return ['strace', '-D', '-f', '-qq', '-o', trace, ...where, ...inject];
}

const injectedIn = (trace: string): number => readFileSync(trace, 'latin1').split('(INJECTED)').length - 1;
