import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { DurableClient } from '../../lib/client/index.js';
import { StorageError } from '../../lib/core/errors.js';
import type { Provider } from '../../lib/provider/index.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import { systemPorts } from '../../lib/runtime/ports.js';
import { DurableRuntime, type Ports, type RuntimeOptions } from '../../lib/runtime/index.js';
import { eventually, registryOf, temporaryDirectory } from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
const file = (): string => `${directory.path}/durable.sqlite`;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** The host's, with the timers that are set and neither rang nor were cancelled; all waiting takes a fiftieth of its time. */
function hastyPorts(): Ports & { readonly pending: Set<object> } {
  const pending = new Set<object>();
  return {
    ...systemPorts,
    pending,
    setTimer(callback, ms, options) {
      const timer = {};
      pending.add(timer);
      const ring = (): void => {
        pending.delete(timer);
        callback();
      };
      const cancel = systemPorts.setTimer(ring, ms / 50, options);
      return () => {
        pending.delete(timer);
        cancel();
      };
    },
  };
}

const Sleep = async (ctx: OrchestrationContext) => ctx.scheduleTimer('1h');
const sqlite = (): TypeOrmProvider => new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: file() } });

function made(provider: Provider, options: Partial<RuntimeOptions> = {}) {
  const ports = hastyPorts();
  const runtime = new DurableRuntime({
    provider,
    ports,
    registry: registryOf({ Sleep }),
    shutdownGrace: 0,
    ...options,
  });
  return { runtime, client: new DurableClient(runtime), ports };
}

/** Holds a call of the provider up, after or before it did its work. */
function holdUp(provider: Provider, method: 'open' | 'join' | 'takeOver' | 'resumeForBuild') {
  let go!: () => void;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const seen = { reached: false };
  const real = provider[method].bind(provider) as (...args: unknown[]) => Promise<unknown>;
  provider[method] = (async (...args: unknown[]) => {
    seen.reached = true;
    await gate;
    return real(...args);
  }) as never;
  return { go: () => go(), seen };
}

/** Another engine works at once on this file: nobody holds its lock, and nobody is registered. */
async function expectNothingLeft(): Promise<void> {
  const next = made(sqlite());
  await next.runtime.start();
  expect(next.runtime.status.state).toBe('running');
  const database = new Sqlite(file());
  expect(database.prepare('SELECT node FROM durable_node').all()).toEqual([{ node: next.runtime.status.node }]);
  database.close();
  await next.runtime.stop();
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: { code?: unknown }) => error.code,
  );

describe('a runtime that is stopped while it starts', () => {
  it.each(['open', 'join', 'takeOver', 'resumeForBuild'] as const)(
    'leaves nothing behind, during %s()',
    async (method) => {
      const provider = sqlite();
      const held = holdUp(provider, method);
      const { runtime, ports } = made(provider);
      const started = codeOf(runtime.start());
      await eventually(() => held.seen.reached);
      const stopped = runtime.stop();
      held.go();
      await stopped;
      expect(await started).toBe('ERR_DURABLE_RUNTIME_STOPPED');
      expect(runtime.status.state).toBe('stopped');
      expect(ports.pending.size).toBe(0);
      await expectNothingLeft();
    },
  );
});

describe('a runtime that cannot start', () => {
  it('leaves nothing behind when it fails as it begins its work', async () => {
    const provider = sqlite();
    provider.openHandlers = () => Promise.reject(new StorageError('broken', { retryable: false, code: 'ERR_TEST' }));
    const { runtime, ports } = made(provider);
    expect(await codeOf(runtime.start())).toBe('ERR_TEST');
    expect(runtime.status.state).toBe('stopped');
    expect(ports.pending.size).toBe(0);
    await expectNothingLeft();
  });

  it('says so to a client that comes before it has joined', async () => {
    const provider = sqlite();
    const held = holdUp(provider, 'join');
    const { runtime, client } = made(provider);
    const started = runtime.start();
    await eventually(() => held.seen.reached);
    expect(await codeOf(client.startOrchestration('Sleep'))).toBe('ERR_DURABLE_RUNTIME_STOPPED');
    held.go();
    await started;
    await runtime.stop();
  });
});

describe('a runtime that stops', () => {
  it('leaves no timer behind', async () => {
    const { runtime, client, ports } = made(sqlite());
    await runtime.start();
    await client.startOrchestration('Sleep');
    await runtime.stop();
    expect(ports.pending.size).toBe(0);
    await expectNothingLeft();
  });

  it('does so in time although another connection holds the write lock and does not give it back', async () => {
    const { runtime, client, ports } = made(sqlite());
    await runtime.start();
    const other = new Sqlite(file());
    other.exec('BEGIN IMMEDIATE');
    const start = codeOf(client.startOrchestration('Sleep'));
    await runtime.stop();
    expect(await start).toBe('ERR_DURABLE_RUNTIME_STOPPED');
    expect(ports.pending.size).toBe(0);
    other.close();
  });

  it('ends its work in time, too, when the storage is down', async () => {
    const provider = sqlite();
    const { runtime, client } = made(provider);
    await runtime.start();
    const commit = provider.commit.bind(provider);
    provider.commit = () => Promise.reject(new StorageError('down', { retryable: true, code: 'ERR_TEST' }));
    const start = codeOf(client.startOrchestration('Sleep'));
    await runtime.drainWork();
    provider.commit = commit;
    await runtime.stop();
    expect(await start).toBe('ERR_DURABLE_RUNTIME_STOPPED');
  });

  it('looks for nothing any more, although it could not look for runnable instances before', async () => {
    const provider = sqlite();
    const { runtime, ports } = made(provider);
    await runtime.start();
    let asked = 0;
    provider.runnable = () => {
      asked++;
      return Promise.reject(new StorageError('down', { retryable: true, code: 'ERR_TEST' }));
    };
    const other = made(sqlite(), { runsInstances: false });
    await other.runtime.start();
    await other.client.startOrchestration('Sleep');
    await eventually(() => asked > 0);
    await Promise.all([other.runtime.stop(), runtime.stop()]);
    await eventually(() => ports.pending.size === 0);
  });
});
