import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import type { HistoryEvent } from '../../lib/core/history-event.js';
import { ENGINE_FORMAT } from '../../lib/core/limits.js';
import { buildInto, type Patch } from '../replay/built-lib.js';
import { temporaryDirectory } from '../support/engine.js';
import { explained, replayed } from './checking.js';
import { fileName, goldenFiles, readGolden, type GoldenFile } from './golden-file.js';
import { PLANTED_CHANGES } from './planted-changes.js';
import { PROGRAMS } from './programs.js';

const DIRECTORY = fileURLToPath(new URL('histories', import.meta.url));
const FILES = goldenFiles(DIRECTORY);

describe('Golden histories', () => {
  it.each(FILES)('%s replays as it was recorded', async (file) => {
    const golden = readGolden(DIRECTORY, file);
    const mismatch = await replayed(golden);
    expect(mismatch && explained(file, mismatch)).toBeUndefined();
  });

  it('exist of every program, in the format this version writes', () => {
    const missing = PROGRAMS.map(({ name }) => fileName(name, ENGINE_FORMAT)).filter((file) => !FILES.includes(file));
    expect(missing.map((file) => `${file}: npm run golden:record writes it`)).toEqual([]);
  });

  it('hold every kind of event', () => {
    const kinds: Record<HistoryEvent['kind'], true> = {
      OrchestrationStarted: true,
      ActivityScheduled: true,
      ActivityCompleted: true,
      ActivityFailed: true,
      TimerCreated: true,
      TimerFired: true,
      WaitCreated: true,
      EventReceived: true,
      DequeueCreated: true,
      MessageDequeued: true,
      SubOrchestrationScheduled: true,
      SubOrchestrationCompleted: true,
      SubOrchestrationFailed: true,
      DetachedStartScheduled: true,
      DetachedStartAnswered: true,
      CancelRequested: true,
      FutureCancelled: true,
      KvSet: true,
      KvDeleted: true,
      KvCleared: true,
      CustomStatusSet: true,
      SideEffectRecorded: true,
      OrchestrationCompleted: true,
      OrchestrationFailed: true,
      OrchestrationCancelled: true,
      OrchestrationTerminated: true,
      ContinuedAsNew: true,
    };
    const current = FILES.map((file) => readGolden(DIRECTORY, file)).filter(({ format }) => format === ENGINE_FORMAT);
    const recorded = current.flatMap(({ instances }) => instances.flatMap(({ executions }) => executions.flat()));
    expect(new Set(recorded.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)));
  });
});

describe('A history that differs', () => {
  const original = (): GoldenFile => readGolden(DIRECTORY, fileName('race-of-helpers', 1));

  /** As if another version had recorded it. */
  const altered = (change: (event: HistoryEvent) => HistoryEvent): GoldenFile => {
    const golden = original();
    const instances = golden.instances.map((instance) => ({
      ...instance,
      executions: instance.executions.map((events) => events.map(change)),
    }));
    return { ...golden, instances };
  };

  it('in what was decided breaks instances, and the message says so', async () => {
    const mismatch = await replayed(
      altered((event) => (event.kind === 'ActivityScheduled' ? { ...event, name: 'slower' } : event)),
    );
    expect(mismatch).toMatchObject({ breaks: true, where: expect.stringContaining('execution 1') });
    expect(explained('f', mismatch!)).toContain('would be suspended');
    expect(explained('f', mismatch!)).toContain('ActivityScheduled "slower"');
  });

  it('in the order in which helpers went on is a difference too', async () => {
    const args = original()
      .instances.flatMap(({ executions }) => executions.flat())
      .flatMap((event) => (event.kind === 'ActivityScheduled' ? [event.args] : []));
    const backwards = args.toReversed();
    expect(new Set(args).size).toBeGreaterThan(5);
    const mismatch = await replayed(
      altered((event) => (event.kind === 'ActivityScheduled' ? { ...event, args: backwards.shift()! } : event)),
    );
    expect(mismatch).toMatchObject({ breaks: false });
    expect(explained('f', mismatch!)).toContain('this version would write other events');
  });
});

const SOURCES = ['lib', 'test/golden', 'test/support', 'test/replay'];
const directories: ReturnType<typeof temporaryDirectory>[] = [];
afterAll(() => directories.forEach((directory) => directory.remove()));

/** The commands, in a process of their own, over an engine that may be changed. */
function built(patch?: Patch): (command: string, ...args: string[]) => { status: number | null; output: string } {
  const directory = temporaryDirectory();
  directories.push(directory);
  buildInto(directory.path, SOURCES, patch);
  return (command, ...args) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join('test', 'golden', command), ...args], {
      cwd: directory.path,
      env: { ...process.env, NODE_OPTIONS: '' },
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status, output: stdout + stderr };
  };
}

describe('npm run golden:check', () => {
  it('replays the histories of the present engine', () => {
    const { status, output } = built()('check.js', '--directory', DIRECTORY);
    expect(output).toContain(`${FILES.length} of ${FILES.length} replay as recorded`);
    expect(status).toBe(0);
  });

  it.each(PLANTED_CHANGES)('finds a change of the engine: $name', ({ finds, ...patch }) => {
    const { status, output } = built(patch)('check.js', '--directory', DIRECTORY);
    expect(output).toContain(`${fileName(finds, 1)}: `);
    expect(output).toContain('ENGINE_FORMAT');
    expect(status).toBe(1);
  });
});

describe('npm run golden:record', () => {
  it('records a program on a real engine, overwrites nothing unless it is forced to, and what it writes replays', async () => {
    const { path: target } = directories[directories.push(temporaryDirectory()) - 1]!;
    const run = built();
    const record = (...args: string[]) => run('record.js', '--directory', target, 'children', ...args);
    const file = fileName('children', ENGINE_FORMAT);
    expect(record()).toEqual({ status: 0, output: expect.stringContaining(`recorded ${file}`) });
    const first = readGolden(target, file);
    expect(await replayed(first)).toBeUndefined();
    expect(record()).toEqual({ status: 1, output: expect.stringContaining(`${file} exists and stays`) });
    expect(readGolden(target, file)).toEqual(first);
    expect(record('--force').status).toBe(0);
    expect(readGolden(target, file).instances[0]!.generation).not.toBe(first.instances[0]!.generation);
  }, 120_000);
});
