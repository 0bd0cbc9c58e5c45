import { strict as assert } from 'node:assert';
import { setImmediate as nextRound } from 'node:timers/promises';
import type { Message, StoredMessage } from '../../core/message.js';
import type { Batch, BatchItem, BatchResult, ClaimedActivity, Verdict } from '../../provider/batch.js';
import type { InstanceRow, LoadedInstance, LoadLimits, Provider } from '../../provider/provider.js';
import { same } from './check.js';
import { claim, generationOf } from './items.js';

export const ALL: LoadLimits = { bufferedMessages: 1_000, dueUntil: 0 };

/** One process that has joined: it commits like a journal, repeating the same batch as long as the trouble may pass. */
export class Node {
  /** What its clock shows; every batch takes one. */
  now = 1_000;
  private readonly seqs = new Map<number, number>();

  constructor(
    readonly name: string,
    readonly provider: Provider,
  ) {}

  batch(...items: BatchItem[]): Batch {
    return this.batchOn(0, ...items);
  }

  batchOn(lane: number, ...items: BatchItem[]): Batch {
    const seq = (this.seqs.get(lane) ?? 0) + 1;
    this.seqs.set(lane, seq);
    return { seq, now: this.now++, items };
  }

  commit(...items: BatchItem[]): Promise<BatchResult> {
    return this.send(this.batch(...items));
  }

  commitOn(lane: number, ...items: BatchItem[]): Promise<BatchResult> {
    return this.send(this.batchOn(lane, ...items), lane);
  }

  send(batch: Batch, lane = 0): Promise<BatchResult> {
    return persistently(() => this.provider.commit(this.name, lane, batch, 0));
  }

  /** A batch that the database can never take: its number is free again. */
  async refusedForGood(...items: BatchItem[]): Promise<{ readonly code?: unknown; readonly retryable?: unknown }> {
    const batch = this.batch(...items);
    this.seqs.set(0, batch.seq - 1);
    return rejectionOf(this.send(batch));
  }

  async verdicts(...items: BatchItem[]): Promise<readonly Verdict[]> {
    return (await this.commit(...items)).verdicts;
  }

  async kinds(...items: BatchItem[]): Promise<string[]> {
    return (await this.verdicts(...items)).map(({ kind }) => kind);
  }

  /** Everything of it must be accepted. */
  async accepted(...items: BatchItem[]): Promise<BatchResult> {
    const result = await this.commit(...items);
    same(
      result.verdicts.map(({ kind }) => kind),
      items.map(() => 'accepted'),
    );
    return result;
  }

  async claim(...settings: Parameters<typeof claim>): Promise<readonly ClaimedActivity[]> {
    return claimedOf(await this.commit(claim(...settings)));
  }

  async load(instanceId: string, limits: Partial<LoadLimits> = {}): Promise<LoadedInstance> {
    const [loaded, ...more] = await this.provider.load([instanceId], { ...ALL, ...limits });
    assert.ok(loaded !== undefined && more.length === 0, `${instanceId} is loaded once`);
    return loaded;
  }

  async messages(instanceId: string): Promise<Message[]> {
    return (await this.stored(instanceId)).map(({ message }) => message);
  }

  async seqsOf(instanceId: string): Promise<number[]> {
    return (await this.stored(instanceId)).map(({ seq }) => seq);
  }

  async counters(instanceId: string): Promise<[messagesIn: number, messagesSeen: number]> {
    const { messagesIn, messagesSeen } = await this.load(instanceId);
    return [messagesIn, messagesSeen];
  }

  async status(instanceId: string): Promise<InstanceRow> {
    const row = await this.provider.status(instanceId);
    assert.ok(row !== null, `${instanceId} exists`);
    return row;
  }

  runnable(afterId = '', limit = 1_000): Promise<string[]> {
    return this.provider.runnable(this.name, afterId, limit);
  }

  takeOver(nodes: 'all-others' | readonly string[], now = 2_000) {
    return persistently(() => this.provider.takeOver(this.name, nodes, now));
  }

  leave(): Promise<void> {
    return persistently(() => this.provider.leave(this.name));
  }

  private stored(instanceId: string): Promise<StoredMessage[]> {
    return this.provider.messagesAfter({ instanceId, generation: generationOf(instanceId) }, 0, 100_000);
  }
}

export function claimedOf({ verdicts }: BatchResult, index = 0): readonly ClaimedActivity[] {
  const verdict = verdicts[index]!;
  assert.ok(
    verdict.kind === 'claimed' && verdict.activities !== undefined,
    `the claim was answered with ${verdict.kind}`,
  );
  return [...verdict.activities].sort((a, b) => a.scheduleId - b.scheduleId);
}

/** As the contract has it: what is retryable decided nothing, or can be found out by asking the same again. */
export async function persistently<R>(attempt: () => Promise<R>): Promise<R> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      if ((error as { retryable?: unknown }).retryable !== true || attempts === 100_000) throw error;
    }
    await nextRound();
  }
}

export async function rejectionOf(
  promise: Promise<unknown>,
): Promise<{ readonly code?: unknown; readonly retryable?: unknown; readonly message: string }> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  assert.ok(outcome !== undefined, 'it must be rejected');
  return outcome.error as { message: string };
}
