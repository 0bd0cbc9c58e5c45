import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DurableClient } from '../../lib/client/index.js';
import type { Provider } from '../../lib/provider/index.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import type { TestStore } from './store.js';
import { DurableRuntime, Registry, type EngineLog, type RuntimeOptions } from '../../lib/runtime/index.js';

export type Body = (context: OrchestrationContext, input: never) => Promise<unknown>;
export type Activities = Record<string, (...args: never[]) => unknown>;

/** Orchestrations and activities as plain functions, by name. */
export function registryOf(orchestrations: Record<string, Body>, activities: Activities = {}): Registry {
  const registry = new Registry();
  for (const [key, run] of Object.entries(orchestrations)) {
    const [name, version] = key.split('@');
    registry.addOrchestration({ name: name!, version, create: () => ({ run: run as never }) });
  }
  for (const [name, run] of Object.entries(activities)) {
    registry.addActivity({ name, run: (args, context) => (run as (...args: unknown[]) => unknown)(...args, context) });
  }
  return registry;
}

/** A directory that goes with the test. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'nest-durable-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** What an engine said, for tests that must see it. */
export class RecordingLog implements EngineLog {
  readonly lines: { level: string; message: string; fields?: Readonly<Record<string, unknown>> }[] = [];
  debug = this.at('debug');
  log = this.at('log');
  warn = this.at('warn');
  error = this.at('error');

  private at(level: string) {
    return (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      this.lines.push({ level, message, fields });
    };
  }

  matching(pattern: RegExp): string[] {
    return this.lines.filter(({ message }) => pattern.test(message)).map(({ message }) => message);
  }
}

export interface TestEngine extends AsyncDisposable {
  readonly runtime: DurableRuntime;
  readonly client: DurableClient;
  readonly provider: Provider;
  readonly log: RecordingLog;
  stop(): Promise<void>;
}

type EngineSettings = Partial<RuntimeOptions> & {
  readonly wrap?: (provider: Provider) => Provider;
};

/** A runtime on a real SQLite file, or on another store. */
export async function startEngine(
  store: string | TestStore,
  registry: Registry,
  settings: EngineSettings = {},
): Promise<TestEngine> {
  const { wrap = (provider) => provider, ...options } = settings;
  const provider = wrap(
    typeof store === 'string'
      ? new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: store } })
      : store.provider(),
  );
  const log = new RecordingLog();
  const runtime = new DurableRuntime({ provider, registry, log, shutdownGrace: '2s', ...options });
  await runtime.start();
  const stop = (): Promise<void> => runtime.stop();
  return { runtime, client: new DurableClient(runtime), provider, log, stop, [Symbol.asyncDispose]: stop };
}

/** Waits for a condition instead of sleeping; the last error or value is in the message. */
export async function eventually<T>(
  ask: () => T | Promise<T>,
  holds: (value: T) => boolean = Boolean,
  withinMs = 10_000,
): Promise<T> {
  const until = Date.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await ask();
      if (holds(value)) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until)
      throw new Error(
        `still not so after ${withinMs} ms: ${last instanceof Error ? last.stack : JSON.stringify(last)}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
