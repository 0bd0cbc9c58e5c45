import type { BatchItem, NewActivity, TurnItem } from '../../lib/provider/batch.js';
import type { ClaimedActivity } from '../../lib/provider/batch.js';
import type { LoadedInstance } from '../../lib/provider/provider.js';
import * as is from '../../lib/testing/conformance/items.js';
import { SeededSchedule } from './seeded-schedule.js';

export const IDS = ['a', 'b', 'B', 'c%', 'd'] as const;
const LIVES = ['one', 'two', 'three'] as const;

/** What the generator looks at, so that most of what it asks for makes sense. */
export interface View {
  readonly instances: ReadonlyMap<string, LoadedInstance>;
  readonly claims: readonly ClaimedActivity[];
}

/**
 * Batches drawn from a seed: mostly sensible, sometimes of an old turn, life or claim. They leave out what the contract
 * leaves open (two starts of one id, two turns that write to others, two outcomes of one claim, activities that are due at
 * the same moment).
 */
export class RandomBatches {
  private readonly random: () => number;
  private unique = 100;

  constructor(seed: number) {
    this.random = new SeededSchedule(seed).chance;
  }

  next(view: View, now: number): BatchItem[] {
    const touched = new Set<string>();
    const items: BatchItem[] = [];
    for (let count = 1 + this.below(6); count > 0; count--) {
      const item = this.item(view, now, touched, items.length === 0);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  private item(view: View, now: number, touched: Set<string>, isFirst: boolean): BatchItem | undefined {
    const id = this.pick(IDS);
    const seen = view.instances.get(id);
    const drawn = this.below(20);
    if (drawn < 9) return touched.has(id) ? undefined : (touched.add(id), this.turnOrStart(id, seen, now, isFirst));
    if (drawn < 12)
      return is.send(this.chance(0.1) ? 'nobody' : id, this.message(), this.chance(0.3) ? this.life(seen) : undefined);
    if (drawn < 13) return is.claim(1 + this.below(3), ['work', 'other'], this.chance(0.5) ? ['gpu'] : []);
    if (drawn < 16) return this.outcome(view, now, touched);
    if (drawn < 17) return is.suspend(id, this.chance(0.5) ? {} : { buildId: `b${this.below(3)}` });
    if (drawn < 18)
      return is.suspendByEngine(id, `b${this.below(3)}`, {
        generation: this.life(seen),
        expectedTurn: this.turn(seen),
      });
    if (drawn < 19) return is.resume(id);
    if (this.chance(0.5)) return is.suspect(id, this.turn(seen), { generation: this.life(seen) });
    const kept = [this.activity(now), this.activity(now)];
    return is.keep(id, this.turn(seen), kept, { generation: this.life(seen) });
  }

  private turnOrStart(id: string, seen: LoadedInstance | undefined, now: number, isFirst: boolean): BatchItem {
    if (seen === undefined || this.chance(0.1)) {
      const ifExists = this.chance(0.5) ? 'reject' : 'restart-if-finished';
      return is.start(id, { generation: this.pick(LIVES) + this.unique++, ifExists, input: `"${this.below(100)}"` });
    }
    return this.turnOf(id, seen, now, isFirst);
  }

  private turnOf(id: string, seen: LoadedInstance, now: number, isFirst: boolean): TurnItem {
    const { executionId, nextEventId } = seen;
    const continues = this.chance(0.1);
    const keepOwnership = this.chance(0.6);
    const count = this.below(4);
    const looked = Math.min(seen.messagesIn - seen.messagesSeen, this.below(4));
    const base = is.turn(id, this.turn(seen), {
      generation: this.life(seen),
      keepOwnership,
      held: keepOwnership ? this.below(3) : 0,
      messagesSeen: Math.max(0, looked),
      consumed: seen.messages.filter(() => this.chance(0.5)).map(({ seq }) => seq),
      executionId: continues ? executionId + 1 : executionId,
      nextEventId: continues ? 1 : nextEventId + count,
      activities: this.some(() => this.activity(now, executionId)),
      closedActivities: seen.activityRows.filter(() => this.chance(0.3)),
      timers: this.some(() => is.timer(this.unique++, now + this.below(40) - 20, executionId)),
      closedTimers: seen.dueTimers.filter(() => this.chance(0.5)),
      kv: this.some(() => ({ key: this.pick(['x', 'y', 'z']), value: this.chance(0.3) ? null : `${this.below(9)}` })),
    });
    return {
      ...base,
      ...(count > 0 && { history: is.events(executionId, nextEventId, ...this.events(count)) }),
      ...(this.chance(0.2) && { customStatus: `"${this.below(9)}"` }),
      ...(this.chance(0.1) && { changes: { version: `${1 + this.below(3)}.0.0`, cancelRequested: this.chance(0.5) } }),
      ...(continues
        ? { toItself: is.nextExecution(executionId + 1) }
        : this.chance(0.1) && { toItself: { kind: 'continue' } }),
      ...(isFirst && { children: this.children(executionId), messages: this.messages(seen) }),
      ...(!continues && this.chance(0.12) && { held: 0, ending: this.ending() }),
    };
  }

  private events(count: number): object[] {
    const kinds = ['KvCleared', 'WaitCreated', 'FutureCancelled', 'EventReceived'];
    return Array.from({ length: count }, () => ({ kind: this.pick(kinds), scheduleId: 1 + this.below(6) }));
  }

  private children(executionId: number) {
    const child = () =>
      is.child(this.chance(0.5) ? this.pick(IDS) : `child-${this.unique++}`, {
        executionId,
        scheduleId: this.unique++,
        generation: `life ${this.unique++}`,
        relation: this.chance(0.5) ? 'attached' : 'detached',
      });
    const children = this.some(child);
    return children.filter(
      ({ instanceId }, index) => children.findIndex((it) => it.instanceId === instanceId) === index,
    );
  }

  private messages(seen: LoadedInstance) {
    return this.some(() => ({
      instanceId: this.chance(0.2) ? 'nobody' : this.pick(IDS),
      message: this.message(),
      ...(this.chance(0.3) && { generation: seen.generation }),
    }));
  }

  private ending() {
    const failure = is.failure(`${this.below(9)}`);
    if (this.chance(0.5)) return is.completed;
    return { status: this.pick(['Failed', 'Cancelled', 'Terminated'] as const), failure };
  }

  private message() {
    const name = this.pick(['e', 'f']);
    const data = `${this.below(100)}`;
    return this.pick([
      is.event(name, data),
      is.queued(name, data),
      is.cancel(),
      this.chance(0.2) ? is.terminate() : is.event(name, data),
    ]);
  }

  private outcome({ claims }: View, now: number, touched: Set<string>): BatchItem | undefined {
    if (claims.length === 0) return undefined;
    const held = this.pick(claims);
    const key = `${held.instanceId}/${held.executionId}/${held.scheduleId}`;
    if (touched.has(key)) return undefined;
    touched.add(key);
    const claim = { ...held, claim: held.claim + (this.chance(0.1) ? 1 : 0) };
    const drawn = this.below(4);
    if (drawn === 0) return is.complete(claim);
    if (drawn === 1) return is.retry(claim, now + this.unique++ / 1_000);
    return drawn === 2 ? is.release(claim) : is.suspectActivity(claim);
  }

  /** Due at a moment of its own, so that it is known which is due the longest. */
  private activity(now: number, executionId = 1): NewActivity {
    const scheduleId = this.unique++;
    return is.activity(scheduleId, {
      executionId,
      name: this.pick(['work', 'other']),
      tag: this.pick([null, null, 'gpu']),
      claimed: this.chance(0.3),
      attempt: 1 + this.below(3),
      crashes: this.below(3),
      dueAt: now - 500_000 + scheduleId * 10,
      lastFailure: this.chance(0.3) ? is.failure() : null,
    });
  }

  private some<T>(make: () => T): T[] {
    return Array.from({ length: Math.max(0, this.below(5) - 2) }, make);
  }

  private turn(seen: LoadedInstance | undefined): number {
    return (seen?.turn ?? 0) + (this.chance(0.07) ? 1 : 0);
  }

  private life(seen: LoadedInstance | undefined): string {
    return this.chance(0.05) || seen === undefined ? 'older life' : seen.generation;
  }
}
