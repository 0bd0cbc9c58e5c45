import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { temporaryDirectory } from '../support/engine.js';
import { buildInto } from './built-lib.js';

const directory = temporaryDirectory();
beforeAll(() => buildInto(directory.path));
afterAll(() => directory.remove());

/**
 * A process that runs `body` as an orchestration with the activities `bad`, which fails, and `slow`, which answers when `bad`
 * has failed, and prints what came of it.
 */
const script = (name: string, body: string, inputs: readonly unknown[], during: string): string => `
import { DurableClient } from './lib/client/index.js';
import { TypeOrmProvider } from './lib/providers/typeorm/index.js';
import { DurableRuntime, Registry } from './lib/runtime/index.js';

const registry = new Registry();
const run = ${body};
registry.addOrchestration({ name: 'Program', create: () => ({ run }) });
registry.addActivity({ name: 'bad', run: async () => { throw new Error('boom'); } });
registry.addActivity({
  name: 'slow',
  run: async () => {
    await until(async () => {
      const { items } = await client.management.readExecutionHistory('i-0');
      return items.some(({ kind }) => kind === 'ActivityFailed');
    });
    return 'slow';
  },
});
const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: '${name}.sqlite' } });
const lines = [];
const at = (level) => (message) => void lines.push(level + ': ' + message);
const log = { debug: at('debug'), log: at('log'), warn: at('warn'), error: at('error') };
const runtime = new DurableRuntime({ provider, registry, log });
await runtime.start();
const client = new DurableClient(runtime);
const listeners = process.listenerCount('unhandledRejection') + process.listenerCount('rejectionHandled');
const ended = [];
for (const [index, input] of ${JSON.stringify(inputs)}.entries()) {
  const id = 'i-' + index;
  await client.startOrchestration('Program', input, { instanceId: id });
  await (${during})(client, id);
  await until(async () => {
    ended[index] = await client.getOrchestrationStatus(id);
    return !['Pending', 'Running'].includes(ended[index].status);
  });
}
const left = process.listenerCount('unhandledRejection') + process.listenerCount('rejectionHandled') - listeners;
await runtime.stop();
const reasons = ended.map(({ suspension }) => suspension?.reason);
console.log(JSON.stringify({ status: ended[0].status, reasons, lines, left }));

async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}
`;

interface Ran {
  readonly code: number | null;
  /** Of the first instance. */
  readonly status?: string;
  /** Why each was suspended. */
  readonly reasons?: readonly (string | null)[];
  readonly lines?: readonly string[];
  readonly left?: number;
  readonly errors: string;
}

/** One instance for each of `inputs`; `during` is what a client does to it. */
async function inOwnProcess(
  name: string,
  body: string,
  inputs: readonly unknown[] = [null],
  during = '() => undefined',
): Promise<Ran> {
  const file = join(directory.path, `${name}.mjs`);
  writeFileSync(file, script(name, body, inputs, during));
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

describe('A call off the stand, in code nobody awaits,', () => {
  const CALLS = [
    'kv.get(k)',
    'kv.keys()',
    'newGuid()',
    'random()',
    'sideEffect()',
    'scheduleActivity(slow)',
    'shield()',
  ];
  const CALL = `({
    'kv.get(k)': () => ctx.kv.get('k').length,
    'kv.keys()': () => ctx.kv.keys(),
    'newGuid()': () => ctx.newGuid(),
    'random()': () => ctx.random(),
    'sideEffect()': () => ctx.sideEffect(() => ({ done: true })).done,
    'scheduleActivity(slow)': () => ctx.scheduleActivity('slow'),
    'shield()': () => ctx.shield(async () => undefined),
  })[call]`;

  it.each([
    ['a helper', `(async () => { await tick(); call(); })()`],
    ['a bare callback', `setImmediate(() => setImmediate(call))`],
  ])('suspends its instance, names the call and does not end the process: %s', async (kind, act) => {
    const ran = await inOwnProcess(
      `off-stand-${kind.replace(' ', '-')}`,
      `async (ctx, call) => {
        ctx.kv.set('k', 'kept');
        const tick = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        await ((call) => void ${act})(${CALL});
        await ctx.scheduleTimer('1h');
      }`,
      CALLS,
    );
    expect(ran).toMatchObject({ code: 0, errors: '' });
    expect(ran.reasons).toEqual(CALLS.map((call) => expect.stringContaining(call)));
  });
});

describe('continueAsNew() after a cancellation', () => {
  it('is refused, and leaves no rejection that nobody handled', async () => {
    const ran = await inOwnProcess(
      'continued-after-cancellation',
      `async (ctx) => {
        const caught = await ctx.scheduleTimer('1h').catch((error) => error);
        void ctx.continueAsNew();
        return String(await ctx.continueAsNew().catch((error) => error === caught));
      }`,
      [null],
      `async (client, id) => {
        await until(async () => (await client.management.readExecutionHistory(id)).items.length > 0);
        await client.cancelInstance(id);
      }`,
    );
    expect(ran).toMatchObject({ code: 0, status: 'Completed', errors: '' });
    expect(ran.lines!.filter((line) => /^(warn|error)/.test(line))).toEqual([]);
  });
});
