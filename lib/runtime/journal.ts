import { isDurableError, RuntimeStoppedError, type StorageError } from '../core/errors.js';
import { MAX_BATCH_CHARS, MAX_BATCH_ITEMS } from '../core/limits.js';
import type { BatchItem, BatchResult, Verdict } from '../provider/batch.js';
import type { Provider } from '../provider/provider.js';
import type { Ports } from './ports.js';
import { ThrottledLog, type EngineCounters, type EngineLog } from './telemetry.js';

/** What happens with an item once its fate is durable. */
export interface Outcome {
  settled(verdict: Verdict): void;
  /** The item itself is impossible (nothing of it is in), or the journal was closed before it got in. */
  failed(error: unknown): void;
}

interface Entry {
  readonly item: BatchItem;
  readonly outcome: Outcome;
  readonly chars: number;
}

interface Lane {
  /** The incarnation whose lane it is; another one's number says nothing about this one's. */
  readonly node: string;
  readonly index: number;
  seq: number;
  queue: Entry[];
  /** Items in the queue and on their way. */
  load: number;
  busy: boolean;
}

export interface JournalEvents {
  /** Turns are on the stand that will be here in a moment: the batch waits for them, a few rounds of the event loop at most. */
  gathering(): boolean;
  /** After a commit, before the outcomes of its items: what it stored for others. */
  committed(result: BatchResult): void;
  /** Another node took this one for dead: nothing may be written under this name any more. */
  declaredDead(): void;
}

const SLOW_DISK_MS = 2;
const SLOW_DISK_MS_PER_ITEM = 0.02;
const MAX_PAUSE_MS = 20;
const MAX_GATHERING_ROUNDS = 4;
const PATIENT_AFTER_MS = 250;
const PATIENCE_MS = 20;
const MAX_RETRY_MS = 1_000;

/**
 * The one way to durability: what has gathered is written in one transaction, and while that is on its way the next batch
 * gathers. Nobody waits for a timer: an idle journal commits at once, a busy one in large batches.
 *
 * Trouble is not failure: a batch that meets a transient error is kept and tried again, the same, under the same number,
 * so that one whose outcome was lost is not written twice. An item that is itself impossible is found by halving the
 * batch, and only that one fails.
 */
export class Journal {
  private lanes: Lane[] = [];
  private readonly quiet: ThrottledLog;
  private closed: Error | undefined = new RuntimeStoppedError('Nothing was stored yet');
  /** Declared dead: what is queued waits for the next incarnation. */
  private dead = false;
  private idle: (() => void)[] = [];

  constructor(
    private readonly provider: Provider,
    private readonly ports: Ports,
    private readonly counters: EngineCounters,
    private readonly events: JournalEvents,
    log: EngineLog,
  ) {
    this.quiet = new ThrottledLog(log, () => ports.clock.now());
  }

  /** Begins under a fresh incarnation, whose lanes stand at zero. What was still queued under the old one goes on here. */
  begin(node: string): void {
    const waiting = this.lanes.flatMap((lane) => lane.queue.splice(0));
    this.closed = undefined;
    this.dead = false;
    this.lanes = Array.from({ length: this.provider.lanes }, (_, index) => ({
      node,
      index,
      seq: 0,
      queue: [],
      load: 0,
      busy: false,
    }));
    for (const entry of waiting) this.carryOver(entry);
  }

  /**
   * What was not written under the old incarnation. Its turns were those of executions that were dropped with it, and what a
   * claim brought nobody would run: the pool that asked for it has been emptied.
   */
  private carryOver(entry: Entry): void {
    const { kind } = entry.item;
    if (kind === 'turn' || kind === 'claim-activities') entry.outcome.settled({ kind: 'refused' });
    else this.enqueue(entry);
  }

  submit(item: BatchItem, outcome: Outcome): void {
    if (this.closed !== undefined) return outcome.failed(this.closed);
    this.enqueue({ item, outcome, chars: sizeOf(item) });
  }

  /** Resolves when everything submitted so far and since is in. */
  async drained(): Promise<void> {
    while (this.lanes.some((lane) => lane.busy || lane.queue.length > 0)) {
      await new Promise<void>((resolve) => this.idle.push(resolve));
    }
  }

  /** Refuses what comes, fails what waits. */
  close(error: Error): void {
    this.closed = error;
    for (const lane of this.lanes) for (const entry of lane.queue.splice(0)) entry.outcome.failed(error);
  }

  private enqueue(entry: Entry): void {
    const lane = this.laneFor(entry.item);
    lane.queue.push(entry);
    lane.load++;
    if (lane.busy) return;
    lane.busy = true;
    this.ports.immediate(() => void this.pump(lane));
  }

  /**
   * What clients send keeps its order on the first lane. A turn may go to any: an instance has one at a time. Only the first
   * turn of a start that is on its way shares its batch.
   */
  private laneFor(item: BatchItem): Lane {
    const [first] = this.lanes as [Lane, ...Lane[]];
    if (item.kind !== 'turn' || item.expectedTurn === 0 || first.load < this.provider.laneFill) return first;
    let least = first;
    for (const lane of this.lanes) if (lane.load < least.load) least = lane;
    return least;
  }

  private async pump(lane: Lane): Promise<void> {
    while (lane.queue.length > 0 && this.closed === undefined && !this.dead) {
      await this.gather();
      const batch = takeBatch(lane.queue);
      const diskMs = await this.write(lane, batch);
      lane.load -= batch.length;
      // At most half of the event loop belongs to a slow disk (protocol 16); a large batch may take a little longer.
      if (diskMs > SLOW_DISK_MS + batch.length * SLOW_DISK_MS_PER_ITEM)
        await this.pause(Math.min(diskMs, MAX_PAUSE_MS));
      else await new Promise<void>((resolve) => this.ports.immediate(resolve));
    }
    lane.busy = false;
    if (!this.lanes.some((other) => other.busy)) for (const resolve of this.idle.splice(0)) resolve();
  }

  private async gather(): Promise<void> {
    for (let round = 0; round < MAX_GATHERING_ROUNDS && this.events.gathering(); round++) {
      await new Promise<void>((resolve) => this.ports.immediate(resolve));
    }
  }

  /** Milliseconds for which the disk held up the event loop. */
  private async write(lane: Lane, entries: readonly Entry[]): Promise<number> {
    const result = await this.commit(lane, entries);
    if (result === 'impossible') {
      const half = entries.length >> 1;
      return (await this.write(lane, entries.slice(0, half))) + (await this.write(lane, entries.slice(half)));
    }
    if (result === undefined) return 0;
    this.counters.undeliverable += result.undeliverable;
    this.events.committed(result);
    entries.forEach((entry, index) => entry.outcome.settled(result.verdicts[index]!));
    return result.diskMs ?? 0;
  }

  /** `undefined`: the outcomes were told already. */
  private async commit(lane: Lane, entries: readonly Entry[]): Promise<BatchResult | 'impossible' | undefined> {
    const items = entries.map((entry) => entry.item);
    const seq = lane.seq + 1;
    const since = this.ports.clock.mono();
    for (let attempt = 1; ; attempt++) {
      const waited = this.ports.clock.mono() - since;
      const patienceMs = waited > PATIENT_AFTER_MS && attempt % 16 === 0 ? PATIENCE_MS : 0;
      try {
        const startedAt = this.ports.clock.mono();
        const result = await this.provider.commit(
          lane.node,
          lane.index,
          { seq, now: this.ports.clock.now(), items },
          patienceMs,
        );
        lane.seq = seq;
        this.counters.commits++;
        this.counters.commitItems += items.length;
        this.counters.commitMs += this.ports.clock.mono() - startedAt;
        return result;
      } catch (error) {
        if (isDurableError(error) && error.code === 'ERR_DURABLE_NODE_DEAD')
          return this.die(lane, entries, attempt === 1, error);
        if (!isRetryable(error)) {
          if (entries.length > 1) return 'impossible';
          entries[0]!.outcome.failed(error);
          return undefined;
        }
        if (this.closed === undefined) await this.pauseAfter(error, attempt);
        if (this.closed !== undefined) {
          for (const entry of entries) entry.outcome.failed(this.closed);
          return undefined;
        }
      }
    }
  }

  /** The lane row is gone. A batch that was tried before may have been in: that cannot be known any more. */
  private die(lane: Lane, entries: readonly Entry[], unwritten: boolean, error: unknown): undefined {
    const isCurrent = this.lanes.includes(lane);
    if (isCurrent) {
      this.dead = true;
      this.events.declaredDead();
    }
    if (!unwritten) for (const entry of entries) entry.outcome.failed(error);
    else if (isCurrent) lane.queue.unshift(...entries);
    else for (const entry of entries) this.carryOver(entry);
    return undefined;
  }

  private pauseAfter(error: unknown, attempt: number): Promise<void> {
    const busy = isBusy(error);
    if (busy) this.counters.busyRetries++;
    else
      this.quiet.warn(
        String((error as StorageError).code),
        `storage trouble, trying again: ${(error as Error).message}`,
        { attempt },
      );
    // Against a busy neighbour a growing pause always loses; it stays at 1 to 3 ms (protocol 16).
    return this.pause(busy ? 1 + 2 * this.ports.chance() : Math.min(MAX_RETRY_MS, 2 ** Math.min(attempt, 10)));
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.ports.setTimer(resolve, ms));
  }
}

function takeBatch(queue: Entry[]): Entry[] {
  let chars = 0;
  let count = 0;
  while (
    count < queue.length &&
    count < MAX_BATCH_ITEMS &&
    (count === 0 || chars + queue[count]!.chars <= MAX_BATCH_CHARS)
  ) {
    chars += queue[count]!.chars;
    count++;
  }
  return queue.splice(0, count);
}

/** Characters of what can be large: payloads and history. */
function sizeOf(item: BatchItem): number {
  switch (item.kind) {
    case 'turn': {
      let chars = item.history?.events.length ?? 0;
      for (const activity of item.activities) chars += activity.args.length;
      for (const child of item.children) chars += child.input.length;
      for (const { value } of item.kv) chars += value?.length ?? 0;
      return (
        chars + (item.customStatus?.length ?? 0) + (item.ending?.status === 'Completed' ? item.ending.output.length : 0)
      );
    }
    case 'start':
      return item.input.length;
    case 'send':
      return 'data' in item.message ? item.message.data.length : 0;
    case 'complete-activity':
      return item.message.result?.length ?? 0;
    case 'keep-activities':
      return item.activities.reduce((chars, { args }) => chars + args.length, 0);
    default:
      return 0;
  }
}

const isRetryable = (error: unknown): boolean => isDurableError(error) && error.retryable;
const isBusy = (error: unknown): boolean =>
  isDurableError(error) && String(error.details['sqliteCode'] ?? '').startsWith('SQLITE_BUSY');
