import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { temporaryDirectory } from '../support/engine.js';
import { buildInto } from './built-lib.js';

const directory = temporaryDirectory();
beforeAll(() => buildInto(directory.path));
afterAll(() => directory.remove());

/** A process that runs `body` as an orchestration with the activities `bad` (fails) and `slow`, and prints what came of it. */
const script = (name: string, body: string): string => `
import { DurableClient } from './lib/client/index.js';
import { TypeOrmProvider } from './lib/providers/typeorm/index.js';
import { DurableRuntime, Registry } from './lib/runtime/index.js';

const registry = new Registry();
const run = ${body};
registry.addOrchestration({ name: 'Program', create: () => ({ run }) });
registry.addActivity({ name: 'bad', run: async () => { throw new Error('boom'); } });
registry.addActivity({ name: 'slow', run: () => new Promise((resolve) => setTimeout(resolve, 50, 'slow')) });
const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: '${name}.sqlite' } });
const lines = [];
const at = (level) => (message) => void lines.push(level + ': ' + message);
const log = { debug: at('debug'), log: at('log'), warn: at('warn'), error: at('error') };
const runtime = new DurableRuntime({ provider, registry, log });
await runtime.start();
const client = new DurableClient(runtime);
const listeners = process.listenerCount('unhandledRejection') + process.listenerCount('rejectionHandled');
await client.startOrchestration('Program', undefined, { instanceId: 'i-1' });
let status;
for (;;) {
  status = await client.getOrchestrationStatus('i-1');
  if (['Completed', 'Failed', 'Suspended'].includes(status.status)) break;
  await new Promise((resolve) => setTimeout(resolve, 5));
}
const left = process.listenerCount('unhandledRejection') + process.listenerCount('rejectionHandled') - listeners;
await runtime.stop();
console.log(JSON.stringify({ status: status.status, lines, left }));
`;

interface Ran {
  readonly code: number | null;
  readonly status?: string;
  readonly lines?: readonly string[];
  readonly left?: number;
  readonly errors: string;
}

async function inOwnProcess(name: string, body: string): Promise<Ran> {
  const file = join(directory.path, `${name}.mjs`);
  writeFileSync(file, script(name, body));
  const child = spawn(process.execPath, [file], { cwd: directory.path, env: { ...process.env, NODE_OPTIONS: '' } });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (errors += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, errors, ...(JSON.parse(output.trim() || '{}') as object) };
}

describe('A helper promise that rejects', () => {
  it('before it is awaited does not end the process, and is caught where it is awaited', async () => {
    const ran = await inOwnProcess(
      'awaited-later',
      `async (ctx) => {
        const helper = async () => { await ctx.scheduleActivity('bad'); };
        const pending = helper();
        await ctx.scheduleActivity('slow');
        try { await pending; } catch { return 'caught'; }
      }`,
    );
    expect(ran).toMatchObject({ code: 0, status: 'Completed', errors: '' });
    expect(ran.lines!.filter((line) => /^(warn|error)/.test(line))).toEqual([]);
  });

  it('and is never awaited does not end the process, and is warned of when the execution ends', async () => {
    const ran = await inOwnProcess(
      'never-awaited',
      `async (ctx) => {
        const helper = async () => { await ctx.scheduleActivity('bad'); };
        void helper();
        return ctx.scheduleActivity('slow');
      }`,
    );
    expect(ran).toMatchObject({ code: 0, status: 'Completed', errors: '' });
    expect(ran.lines!.filter((line) => line.startsWith('warn'))).toEqual([expect.stringContaining('boom')]);
  });

  it('in every one of many turns leaves no listener behind', async () => {
    const ran = await inOwnProcess(
      'many-turns',
      `async (ctx) => {
        for (let n = 0; n < 30; n++) {
          void (async () => { await ctx.scheduleActivity('bad'); })();
          await ctx.scheduleTimer(1);
        }
      }`,
    );
    expect(ran).toMatchObject({ code: 0, status: 'Completed', errors: '', left: 0 });
  });

  it('because it awaited what is not durable suspends its instance and does not end the process', async () => {
    const ran = await inOwnProcess(
      'foreign-helper',
      `async (ctx) => {
        const helper = async () => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          ctx.setCustomStatus('from nowhere');
        };
        void helper();
        await ctx.scheduleTimer('1h');
      }`,
    );
    expect(ran).toMatchObject({ code: 0, status: 'Suspended', errors: '' });
  });
});
