import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { temporaryDirectory } from '../support/engine.js';
import { buildInto, type Patch } from './built-lib.js';
import { PLANTED_BUGS } from './planted-bugs.js';

const SOURCES = ['lib/core', 'lib/replay', 'test/replay'];
/** As many as CI runs of the real engine. */
const PROGRAMS = 2_000;
const LIMIT_MS = 60_000;

const directories: ReturnType<typeof temporaryDirectory>[] = [];
afterAll(() => directories.forEach((directory) => directory.remove()));

/** The command of `npm run replay`, over an engine with a bug. */
async function replayWith(
  patch: Patch | undefined,
  programs: number,
): Promise<{ code: number | null; output: string }> {
  const directory = temporaryDirectory();
  directories.push(directory);
  buildInto(directory.path, SOURCES, patch);
  const args = [join('test', 'replay', 'random-run.js'), '--programs', String(programs), '--seed', '20260'];
  const child = spawn(process.execPath, args, {
    cwd: directory.path,
    env: { ...process.env, NODE_OPTIONS: '' },
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, output };
}

describe('Random programs', () => {
  it('pass over the engine as it is', async () => {
    const { code, output } = await replayWith(undefined, 100);
    expect(output).toMatch(/100 of 100 programs, \d+ events[^]*\nok/);
    expect(code).toBe(0);
  });

  it.each(PLANTED_BUGS)(
    'find a planted bug: $name',
    async (bug) => {
      const { code, output } = await replayWith(bug, PROGRAMS);
      expect(output).toContain('FAILED: ');
      expect(output).toMatch(/Again: npm run replay -- --seed \d+ --path [\d:]+/);
      // Small enough to read: the outline of the program, without what surrounds it.
      const outline = output.slice(output.indexOf('\nprogram\n'), output.indexOf('\n{"node"')).trim().split('\n');
      expect(outline.length).toBeLessThanOrEqual(10);
      expect(code).toBe(1);
    },
    2 * LIMIT_MS,
  );
});
