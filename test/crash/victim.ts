// A program to be killed: it runs orchestrations of all shapes on a SQLite file, and writes down outside the database what
// its activities do and what its clients were promised. Started by `victim-process.ts`.
import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { DurableClient } from '../../lib/client/index.js';
import { isDurableError } from '../../lib/core/errors.js';
import type { Provider } from '../../lib/provider/index.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import {
  DurableRuntime,
  systemPorts,
  type EngineLog,
  type EngineOptions,
  type Ports,
  type Registry,
} from '../../lib/runtime/index.js';
import { files } from './files.js';
import { Ledger, readLedger, type ActivityLine, type ClientLine } from './ledger.js';
import { Load } from './load.js';
import { Random } from './random.js';
import { chainsRegistry, campaignRegistry, shutdownRegistry, type Receipt, type Watch } from './shapes.js';

const { values } = parseArgs({
  options: {
    directory: { type: 'string' },
    epoch: { type: 'string' },
    seed: { type: 'string', default: '1' },
    scenario: { type: 'string', default: 'campaign' },
  },
});
const directory = values.directory!;
const epoch = Number(values.epoch);
const paths = files(directory);

const say = (word: string): void => void writeSync(1, `${word}\n`);

// ---- what is in flight at the instant of a kill: one byte in a file ----

const state = openSync(paths.state, 'w');
const phases: string[] = [];
function during<T>(phase: string, work: () => T): T {
  phases.push(phase);
  writeSync(state, phase, 0);
  try {
    return work();
  } finally {
    phases.pop();
    writeSync(state, phases.at(-1) ?? '-', 0);
  }
}

const ports: Ports = { ...systemPorts, immediate: (callback) => systemPorts.immediate(() => during('t', callback)) };

/** better-sqlite3 commits before the call returns. */
function watched(provider: Provider): Provider {
  return new Proxy(provider, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      const method = (...args: unknown[]): unknown => Reflect.apply(value, target, args);
      return key === 'commit' ? (...args: unknown[]) => during('c', () => method(...args)) : method;
    },
  });
}

// ---- the ledgers ----

const activities = new Ledger<ActivityLine>(paths.activities);
let begun = 0;

const watch: Watch = async (context, body) => {
  const run = `${epoch}.${++begun}`;
  const { idempotencyKey, activityName: name, attempt } = context;
  const line = {
    epoch,
    key: `${context.instanceId}/${context.executionId}/${context.activityId}`,
    idempotencyKey,
    name,
    attempt,
    run,
  };
  activities.add({ kind: 'begin', ...line });
  let receipt: Receipt;
  try {
    receipt = await body(run);
  } catch (error) {
    activities.add({ kind: 'end', ...line, ok: false });
    throw error;
  }
  activities.add({ kind: 'end', ...line, ok: true });
  return receipt;
};

const engineLog = openSync(paths.log, 'a');
const logLine =
  (level: string) =>
  (message: string, fields?: unknown): void => {
    writeSync(engineLog, `${JSON.stringify({ epoch, level, message, fields })}\n`);
  };
const log: EngineLog = { debug: () => undefined, log: logLine('log'), warn: logLine('warn'), error: logLine('error') };

async function start(registry: Registry, options: EngineOptions = {}): Promise<DurableRuntime> {
  const provider = watched(new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: paths.database } }));
  const runtime = new DurableRuntime({ provider, registry, log, ports, shutdownGrace: '5s', ...options });
  await runtime.start();
  return runtime;
}

async function end(runtime: DurableRuntime): Promise<never> {
  await runtime.stop();
  activities.close();
  closeSync(state);
  process.exit(0);
}

// ---- scenarios ----

type Command = 'finish';
const commands = createInterface({ input: process.stdin });
const command = (name: Command): Promise<void> =>
  new Promise((resolve) => commands.on('line', (line) => (line === name ? resolve() : undefined)));
commands.on('close', () => process.exit(3)); // whoever started this program is gone

const scenarios: Record<string, () => Promise<void>> = {
  /** Mixed load until told to finish. */
  async campaign() {
    const finish = command('finish');
    const past = readLedger<ClientLine>(paths.clients).lines;
    const runtime = await start(campaignRegistry(watch));
    const load = new Load(
      new DurableClient(runtime),
      new Ledger<ClientLine>(paths.clients),
      epoch,
      new Random(Number(values.seed) + epoch * 7_919),
    );
    say('ready');
    load.resume(past);
    load.begin();
    await finish;
    await load.finished();
    await end(runtime);
  },

  /** The first process parks 1,000 instances in the middle of their chains; the next one brings them to their end. */
  async chains() {
    const parks = epoch === 1;
    let parked = 0;
    const registry = chainsRegistry(watch, () => {
      if (!parks) return Promise.resolve();
      if (++parked === 1_000) say('parked');
      return new Promise(() => undefined);
    });
    const runtime = await start(registry, { activityConcurrency: 1_000 });
    const client = new DurableClient(runtime);
    say('ready');
    if (parks)
      await Promise.all(
        Array.from({ length: 1_000 }, (_, index) =>
          client.startOrchestration('parked-chain', index, { instanceId: `chain-${index}` }),
        ),
      );
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => client.getResult(`chain-${index}`)));
    await end(runtime);
  },

  /** Told to shut down while activities run: some end in time, some never do, some fail because of it. */
  async shutdown() {
    const first = epoch === 1;
    let told = (): void => undefined;
    const asked = new Promise<void>((resolve) => (told = resolve));
    let running = 0;
    const registry = shutdownRegistry(watch, async (kind, signal) => {
      if (!first) return;
      if (++running === 30) say('running');
      if (kind === 'quick') await asked;
      else if (kind === 'stubborn') await new Promise(() => undefined);
      else await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('pool closed'))));
    });
    const runtime = await start(registry, { shutdownGrace: '300ms' });
    process.on('SIGTERM', () => {
      told();
      void end(runtime);
    });
    const client = new DurableClient(runtime);
    say('ready');
    const ids = Array.from({ length: 30 }, (_, index) => `${['quick', 'stubborn', 'failing'][index % 3]!}-${index}`);
    if (first)
      await Promise.all(
        ids.map((instanceId) => client.startOrchestration('one-activity', instanceId.split('-')[0], { instanceId })),
      );
    const results = Promise.all(ids.map((instanceId) => client.getResult(instanceId)));
    if (first)
      return void results.catch((error: unknown) => (isDurableError(error) ? undefined : Promise.reject(error)));
    await results;
    await end(runtime);
  },
};

await scenarios[values.scenario]!();
