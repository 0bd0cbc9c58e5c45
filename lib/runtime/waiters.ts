import { InstanceNotFoundError, RuntimeStoppedError, WaitTimeoutError } from '../core/errors.js';
import { isFinal, type Ending } from '../core/instance.js';
import type { InstanceRow, Provider } from '../provider/provider.js';
import type { Ports } from './ports.js';

interface Waiter {
  resolve(ending: Ending): void;
  reject(error: Error): void;
  readonly cancelTimeout: (() => void) | undefined;
}

const MIN_POLL_MS = 10;
const MAX_POLL_MS = 100;
/** Where instances run in this process their end is told; the poll is only a safety net. */
const ENGINE_POLL_MS = 1_000;

/**
 * Callers that wait for the end of an instance. The process that ends it tells them at once; for an end elsewhere the
 * statuses of all of them are read in one query, soon at first and then up to ten times a second.
 */
export class Waiters {
  private readonly waiting = new Map<string, Set<Waiter>>();
  private cancelPoll: (() => void) | undefined;
  private pollMs = MIN_POLL_MS;
  private reading = false;
  private closed: Error | undefined;
  private readonly told = new Set<string>();

  constructor(
    private readonly provider: Provider,
    private readonly ports: Ports,
    /** The instance is in memory here: its end will be told. */
    private readonly isLive: (instanceId: string) => boolean,
    private readonly runsHere: () => boolean,
  ) {}

  /** @throws WaitTimeoutError, InstanceNotFoundError, RuntimeStoppedError */
  wait(instanceId: string, timeoutMs: number | undefined): Promise<Ending> {
    if (this.closed !== undefined) return Promise.reject(this.closed);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve,
        reject,
        cancelTimeout:
          timeoutMs === undefined
            ? undefined
            : this.ports.setTimer(() => {
                this.remove(instanceId, waiter);
                reject(new WaitTimeoutError(instanceId, 'result', timeoutMs));
              }, timeoutMs),
      };
      const others = this.waiting.get(instanceId);
      if (others === undefined) this.waiting.set(instanceId, new Set([waiter]));
      else others.add(waiter);
      this.pollMs = MIN_POLL_MS;
      if (this.isLive(instanceId)) this.pollLater();
      else this.ask(instanceId); // it may have ended before anybody waited
    });
  }

  /** Told by the process that ended it, after the commit. */
  ended(instanceId: string, ending: Ending): void {
    if (this.waiting.has(instanceId)) this.settle(instanceId, (waiter) => waiter.resolve(ending));
  }

  private ask(instanceId: string): void {
    this.told.add(instanceId);
    if (this.told.size === 1) this.ports.immediate(() => void this.read([...this.told]));
  }

  private async read(ids: readonly string[]): Promise<void> {
    this.told.clear();
    if (ids.length === 0) return this.pollLater();
    try {
      const rows = new Map((await this.provider.statuses(ids)).map((row) => [row.instanceId, row]));
      for (const id of ids) {
        const row = rows.get(id);
        if (row === undefined) this.settle(id, (waiter) => waiter.reject(new InstanceNotFoundError(id)));
        else if (isFinal(row.status)) this.settle(id, (waiter) => waiter.resolve(endingOf(row)));
      }
    } catch {
      // Read again with the next poll; the callers' own time limits hold meanwhile.
    }
    this.pollLater();
  }

  private pollLater(): void {
    if (this.cancelPoll !== undefined || this.waiting.size === 0) return;
    this.cancelPoll = this.ports.setTimer(() => void this.poll(), this.runsHere() ? ENGINE_POLL_MS : this.pollMs);
    this.pollMs = Math.min(MAX_POLL_MS, this.pollMs * 1.5);
  }

  private async poll(): Promise<void> {
    this.cancelPoll = undefined;
    if (this.reading) return;
    this.reading = true;
    try {
      const ids = [...this.waiting.keys()];
      await this.read(this.runsHere() ? ids : ids.filter((id) => !this.isLive(id)));
    } finally {
      this.reading = false;
      this.pollLater();
    }
  }

  private settle(instanceId: string, how: (waiter: Waiter) => void): void {
    const waiters = this.waiting.get(instanceId);
    this.waiting.delete(instanceId);
    for (const waiter of waiters ?? []) {
      waiter.cancelTimeout?.();
      how(waiter);
    }
  }

  private remove(instanceId: string, waiter: Waiter): void {
    const waiters = this.waiting.get(instanceId);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.waiting.delete(instanceId);
  }

  close(): void {
    this.closed = new RuntimeStoppedError('The result was not waited for');
    this.cancelPoll?.();
    this.cancelPoll = undefined;
    for (const id of [...this.waiting.keys()]) this.settle(id, (waiter) => waiter.reject(this.closed!));
  }
}

function endingOf(row: InstanceRow): Ending {
  return row.status === 'Completed'
    ? { status: row.status, output: row.output! }
    : { status: row.status as 'Failed' | 'Cancelled' | 'Terminated', failure: row.failure! };
}
