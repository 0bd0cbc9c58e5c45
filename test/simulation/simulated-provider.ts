import type { Batch, BatchResult } from '../../lib/provider/batch.js';
import type { Provider } from '../../lib/provider/index.js';
import { trouble, type Fate } from './faults.js';
import type { Life } from './life.js';
import type { SimulatedStore } from './store.js';
import type { World } from './world.js';

/** What surrounds the providers of one run. */
export interface Surroundings {
  readonly world: World;
  readonly store: SimulatedStore;
  readonly lock: EngineLock;
  /** What happens to this call; changes when everything heals. */
  fate(place: string, reads: boolean): Fate;
  /** Around every commit, for invariants of what was accepted. */
  readonly watch: CommitWatch;
}

export interface CommitWatch {
  before(node: string, batch: Batch): void;
  after(node: string, batch: Batch, result: BatchResult): void;
}

/** Who may be the engine on a file: one, while it lives and is not paused for longer than its lease. */
export interface EngineLock {
  tryAcquire(life: Life): boolean;
  release(life: Life): void;
}

const LOCK_POLL_MS = 50;

const WRITES: ReadonlySet<string> = new Set([
  'open',
  'join',
  'commit',
  'heartbeat',
  'takeOver',
  'leave',
  'resumeForBuild',
]);

/** Calls that an honest server never sees twice under one name do nothing the second time. */
const REPEATABLE: ReadonlySet<string> = new Set(['commit', 'heartbeat', 'takeOver', 'leave', 'resumeForBuild']);

/** A provider behind a network: every call and every answer takes its way through the schedule, and may go wrong. */
export class SimulatedProvider {
  private readonly calls = new Map<string, number>();

  private constructor(
    private readonly inner: Provider,
    private readonly life: Life,
    private readonly around: Surroundings,
  ) {}

  static around(inner: Provider, life: Life, around: Surroundings): Provider {
    const simulated = new SimulatedProvider(inner, life, around);
    return new Proxy(inner, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        if (key === 'acquireEngine') return simulated.acquireEngine;
        return (...args: unknown[]) => simulated.call(String(key), args);
      },
    });
  }

  private readonly acquireEngine: Provider['acquireEngine'] = async (signal, onWait) => {
    const { store, lock } = this.around;
    if (!store.oneEngine && store.atomicCalls) return;
    if (!store.oneEngine) return this.call('acquireEngine', [signal, onWait]) as Promise<void>;
    let said = false;
    while (!lock.tryAcquire(this.life)) {
      if (!said) onWait('the lock');
      said = true;
      await new Promise<void>((resolve) => this.life.ports.setTimer(resolve, LOCK_POLL_MS));
      if (signal.aborted) throw trouble('before');
    }
  };

  private call(method: string, args: readonly unknown[]): Promise<unknown> {
    const { world, store } = this.around;
    const count = (this.calls.get(method) ?? 0) + 1;
    this.calls.set(method, count);
    const place = `${this.life.name} ${method} ${count}`;
    const fate = method === 'close' ? CALM : this.around.fate(place, !WRITES.has(method));
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void, what: string): void =>
        void world.after(fate.delays[1], `${method} ${count} ${what}`, settle, this.life);
      world.after(fate.delays[0], `${this.life.name} ${method} ${count}${shown(method, args)}`, () => {
        if (this.life.dead && store.atomicCalls) return;
        if (fate.before) return answer(() => reject(trouble('before')), 'failed');
        const done = this.perform(method, args, fate.twice && REPEATABLE.has(method)).then(
          (result) => {
            if (fate.after) answer(() => reject(trouble('after')), 'was lost');
            else answer(() => resolve(result), 'came back');
          },
          (error: unknown) => answer(() => reject(error as Error), `was refused: ${String(error)}`),
        );
        return store.atomicCalls ? done : undefined;
      });
    });
  }

  private async perform(method: string, args: readonly unknown[], twice: boolean): Promise<unknown> {
    const call = this.inner[method as keyof Provider] as (...args: unknown[]) => Promise<unknown>;
    const run = (): Promise<unknown> => call.apply(this.inner, [...args]);
    if (method !== 'commit') {
      const result = await run();
      if (method === 'leave') this.around.lock.release(this.life);
      return twice ? run() : result;
    }
    const [node, , batch] = args as Parameters<Provider['commit']>;
    this.around.watch.before(node, batch);
    const result = (await run()) as BatchResult;
    this.around.watch.after(node, batch, result);
    const seen = twice ? ((await run()) as BatchResult) : result;
    // How long a real disk took is no part of a simulated world.
    return { ...seen, diskMs: undefined };
  }
}

const CALM: Fate = { before: false, after: false, twice: false, delays: [0, 0] };

function shown(method: string, args: readonly unknown[]): string {
  if (method !== 'commit') return '';
  const { seq, items } = args[2] as Batch;
  const kinds = items.map((item) =>
    'instanceId' in item
      ? `${item.kind} ${item.instanceId}${item.kind === 'turn' ? `@${item.expectedTurn}` : ''}`
      : item.kind,
  );
  return ` #${seq} [${kinds.join(', ')}]`;
}
