// A program to be killed: it runs orchestrations of all shapes on a SQLite file, and writes down outside the database what
// its activities do and what its clients were promised. Started by `victim-process.ts`.
import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { DurableClient } from '../../lib/client/index.js';
import type { Duration } from '../../lib/core/duration.js';
import { isDurableError } from '../../lib/core/errors.js';
import type { Provider } from '../../lib/provider/index.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import {
  DurableRuntime,
  systemPorts,
  type EngineLog,
  type RuntimeOptions,
  type Ports,
  type Registry,
} from '../../lib/runtime/index.js';
import { files } from './files.js';
import { Ledger, readLedger, type ActivityLine, type ClientLine } from './ledger.js';
import { Load, type LoadSettings } from './load.js';
import { Random } from './random.js';
import { poisonIds, poisonRegistry } from './poison-shapes.js';
import { chainsRegistry, campaignRegistry, pause, shutdownRegistry, type Receipt, type Watch } from './shapes.js';

const { values } = parseArgs({
  options: {
    directory: { type: 'string' },
    epoch: { type: 'string' },
    seed: { type: 'string', default: '1' },
    scenario: { type: 'string', default: 'campaign' },
    lease: { type: 'string', default: '15s' },
  },
});
const directory = values.directory!;
const epoch = Number(values.epoch);
const paths = files(directory);

const say = (word: string): void => void writeSync(1, `${word}\n`);

// ---- what is in flight at the instant of a kill: one byte in a file ----

const beside = values.scenario === 'beside';
const state = openSync(beside ? paths.stateBeside : paths.state, 'w');
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

const watch: Watch = async (context, body, life) => {
  const run = `${epoch}.${++begun}`;
  const { idempotencyKey, activityName: name, attempt } = context;
  const line = {
    epoch,
    key: `${context.instanceId}${life === undefined ? '' : `~${life}`}/${context.executionId}/${context.activityId}`,
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

const defaults: Partial<RuntimeOptions> = { lease: values.lease as Duration, nodeName: beside ? 'beside' : 'engine' };

async function start(registry: Registry, options: Partial<RuntimeOptions> = {}): Promise<DurableRuntime> {
  const provider = watched(new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: paths.database } }));
  const runtime = new DurableRuntime({ provider, registry, log, ports, shutdownGrace: '5s', ...defaults, ...options });
  await runtime.start();
  return runtime;
}

async function end(runtime: DurableRuntime): Promise<never> {
  await runtime.stop();
  activities.close();
  closeSync(state);
  process.exit(0);
}

async function work(ledger: string, options: Partial<RuntimeOptions>, settings: LoadSettings): Promise<void> {
  const finish = command('finish');
  const past = readLedger<ClientLine>(ledger).lines;
  const runtime = await start(campaignRegistry(watch), options);
  const random = new Random(Number(values.seed) + epoch * 7_919 + (beside ? 13 : 0));
  const load = new Load(new DurableClient(runtime), new Ledger<ClientLine>(ledger), epoch, random, settings);
  process.on('SIGTERM', () => {
    load.halt();
    void end(runtime);
  });
  say('ready');
  load.resume(past);
  load.begin();
  await finish;
  await load.finished();
  await end(runtime);
}

// ---- scenarios ----

const RECOVERED: LoadSettings = { openAtOnce: 0, label: 'r' };

type Command = 'finish';
const commands = createInterface({ input: process.stdin });
const command = (name: Command): Promise<void> =>
  new Promise((resolve) => commands.on('line', (line) => (line === name ? resolve() : undefined)));
commands.on('close', () => process.exit(3)); // whoever started this program is gone

const scenarios: Record<string, () => Promise<void>> = {
  /** Mixed load until told to finish, or to end at once: then it drains. */
  async campaign() {
    await work(paths.clients, {}, { openAtOnce: 40, label: '' });
  },

  /** The same from a process that runs nothing: it starts and sends beside the engine, whatever becomes of that. */
  async beside() {
    await work(paths.clientsBeside, { runsInstances: false }, { openAtOnce: 12, label: 'b' });
  },

  /** Ends what others began: nothing new is started. */
  async recover() {
    const past = [paths.clients, paths.clientsBeside].map((path) => readLedger<ClientLine>(path).lines);
    const runtime = await start(campaignRegistry(watch));
    say('ready');
    const loads = [paths.clients, paths.clientsBeside].map((path, index) => {
      const load = new Load(new DurableClient(runtime), new Ledger(path), epoch, new Random(1), RECOVERED);
      load.resume(past[index]!);
      return load;
    });
    for (const load of loads) load.begin();
    await Promise.all(loads.map((load) => load.finished()));
    await end(runtime);
  },

  /** Some of what it runs kills it. */
  async poison() {
    const runtime = await start(poisonRegistry(watch), { maxCrashes: 4 });
    const client = new DurableClient(runtime);
    say('ready');
    const ids = poisonIds();
    for (const id of ids) {
      await client.startOrchestration(id.split('-')[0]!, 1, { instanceId: id, idReuse: 'return-existing' });
    }
    for (const id of ids.filter((one) => !one.startsWith('deadly'))) await client.getResult(id);
    while ((await client.getOrchestrationStatus('deadly-1')).status !== 'Suspended') await pause(20);
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
