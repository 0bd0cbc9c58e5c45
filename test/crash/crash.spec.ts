import { beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../support/engine.js';
import { files } from './files.js';
import { readLedger, type ActivityLine } from './ledger.js';
import { next, PARKED_STEPS } from './shapes.js';
import { takeSnapshot, withClient } from './snapshot.js';
import { VictimProcess } from './victim-process.js';

// Real processes, killed. What is killed is compiled from the sources, whatever dist/lib holds.

const root = fileURLToPath(new URL('../..', import.meta.url));
const compiled = (program: string): string => `${root}dist/crash/test/crash/${program}.js`;
const environment = { ...process.env, NODE_OPTIONS: '' };

beforeAll(() => {
  const tsc = spawnSync(
    process.execPath,
    [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}test/crash/tsconfig.json`],
    {
      encoding: 'utf8',
      env: environment,
    },
  );
  if (tsc.status !== 0) throw new Error(`test/crash does not compile: ${tsc.stdout}${tsc.stderr}`);
}, 120_000);

describe('a process that is killed', () => {
  it('loses and repeats nothing over 16 kills at work, at its start and in its drain, beside a process that sends', () => {
    campaign('--kills', '16');
  }, 180_000);

  it('goes on with 1,000 instances in the middle of their chains, and runs each recorded step once', async () => {
    await inDirectory('chains', async ({ paths, live }) => {
      const first = live();
      expect(await first.says('parked')).toBe(true);
      expect(await first.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
      const between = await takeSnapshot(paths, { integrity: true });
      expect(between).toMatchObject({ twofold: [], stuck: [], suspended: [], damage: undefined });
      expect(between!.openActivities.size).toBe(1_000);

      expect(await live().exit).toEqual({ code: 0, signal: null });
      await withClient(paths.database, async (client) => {
        const page = await client.management.listInstances({ name: 'parked-chain' }, { limit: 1_000 });
        const outputs = new Map(
          page.items.map((item) => [item.instanceId, item.status === 'Completed' ? item.output : item.status]),
        );
        expect(outputs).toEqual(
          new Map(Array.from({ length: 1_000 }, (_, index) => [`chain-${index}`, chained(index)])),
        );
      });
      const begun = countBy(beginnings(paths.activities), ({ key }) => key);
      const gated = new Set(
        beginnings(paths.activities)
          .filter(({ name }) => name === 'gated')
          .map(({ key }) => key),
      );
      expect(begun.size).toBe(1_000 * PARKED_STEPS);
      expect(gated.size).toBe(1_000);
      for (const [key, times] of begun) expect([key, times]).toEqual([key, gated.has(key) ? 2 : 1]);
      expect(beginnings(paths.activities).every(({ attempt }) => attempt === 1)).toBe(true);
    });
  }, 120_000);
});

describe('a process that is stopped for longer than its lease', () => {
  it('goes on, or joins again where it was declared dead, and nothing is lost or done twice', () => {
    campaign('--pauses', '5');
  }, 180_000);
});

describe('a power cut', () => {
  it('leaves every acknowledged fact in the file, whatever was on its way to the disk', () => {
    campaign('--power-cuts', '4');
  }, 180_000);
});

describe('a file system that refuses calls', () => {
  it('holds up work and loses nothing', () => {
    campaign('--io-errors', '3');
  }, 180_000);
});

describe('orchestrations and activities that kill their process', () => {
  it('are stopped in the end, and nobody else with them', () => {
    campaign('--poison', '1');
  }, 180_000);
});

describe('a process that is asked to end', () => {
  it('lets running activities finish, and hands the others back without burning an attempt or counting a crash', async () => {
    await inDirectory('shutdown', async ({ paths, live }) => {
      const first = live();
      expect(await first.says('running')).toBe(true);
      expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
      const between = await takeSnapshot(paths, { integrity: false });
      expect(between).toMatchObject({ stuck: [], suspended: [], most: { instanceCrashes: 0, activityCrashes: 0 } });
      const handedBack = [...between!.openActivities.keys()].map((key) => key.split('-')[0]);
      expect(countBy(handedBack, (kind) => kind)).toEqual(
        new Map([
          ['stubborn', 10],
          ['failing', 10],
        ]),
      );

      expect(await live().exit).toEqual({ code: 0, signal: null });
      const lines = beginnings(paths.activities);
      expect(new Set(lines.map(({ attempt }) => attempt))).toEqual(new Set([1]));
      const lives = (kind: string): number[] =>
        lines.filter(({ key }) => key.startsWith(kind)).map(({ epoch }) => epoch);
      expect(countBy(lives('quick'), (epoch) => epoch)).toEqual(new Map([[1, 10]]));
      for (const kind of ['stubborn', 'failing'])
        expect(countBy(lives(kind), (epoch) => epoch)).toEqual(
          new Map([
            [1, 10],
            [2, 10],
          ]),
        );
      await withClient(paths.database, async (client) => {
        const { items } = await client.management.listInstances({}, { limit: 100 });
        expect(items.map((item) => (item.status === 'Completed' ? item.output : item.status))).toEqual(
          Array.from({ length: 30 }, () => 1),
        );
      });
    });
  }, 60_000);
});

/** Keeps its files if it fails, and says where they are and with which seed it runs again. */
function campaign(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiled('campaign'), ...args], {
    encoding: 'utf8',
    env: environment,
  });
  if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
}

function chained(value: number): number {
  for (let step = 0; step < PARKED_STEPS; step++) value = next(value);
  return value;
}

interface Lives {
  readonly paths: ReturnType<typeof files>;
  /** The next life of the victim. */
  readonly live: () => VictimProcess;
}

async function inDirectory(scenario: string, work: (lives: Lives) => Promise<void>): Promise<void> {
  const directory = temporaryDirectory();
  const paths = files(directory.path);
  const processes: VictimProcess[] = [];
  const live = (): VictimProcess => {
    const victim = new VictimProcess(compiled('victim'), directory.path, paths, {
      epoch: processes.length + 1,
      scenario,
      seed: 1,
    });
    processes.push(victim);
    return victim;
  };
  try {
    await work({ paths, live });
  } finally {
    for (const victim of processes) await victim.kill('SIGKILL');
    directory.remove();
  }
}

const beginnings = (path: string): ActivityLine[] =>
  readLedger<ActivityLine>(path).lines.filter(({ kind }) => kind === 'begin');

function countBy<T, K>(values: readonly T[], keyOf: (value: T) => K): Map<K, number> {
  const counts = new Map<K, number>();
  for (const value of values) counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1);
  return counts;
}
