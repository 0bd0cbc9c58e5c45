import type { HistoryEvent } from '../../lib/core/history-event.js';
import { ModelProvider, ModelStore, type Fault, type Place } from '../../lib/testing/index.js';
import type { Message } from '../../lib/core/message.js';
import type { Provider } from '../../lib/provider/index.js';
import { chanceOf, randomOf } from './chance.js';
import { NO_FAULTS, type CallFaults } from './faults.js';
import type { Life } from './life.js';
import type { Plan } from './plan.js';
import { ParsedTexts, type Rows, type SimulatedStore } from './store.js';
import type { World } from './world.js';

/** The model of a database server: several engines at once, transactions that overlap statement by statement. */
export class ModelRows implements SimulatedStore {
  readonly oneEngine = false;
  readonly atomicCalls = false;
  private readonly store = new ModelStore();
  private readonly texts = new ParsedTexts();
  private faults: CallFaults;
  private places = 0;

  constructor(
    private readonly plan: Plan,
    private readonly world: World,
  ) {
    this.faults = plan.faults;
  }

  provider(life: Life): Provider {
    const { world, plan } = this;
    const random = randomOf(plan.seed, `model ${life.name}`);
    const schedule = {
      step: (label: string): Promise<void> =>
        new Promise((resolve) => world.after(random.next() < 0.8 ? 0 : 1, label, resolve)),
    };
    return new ModelProvider(
      this.store,
      {
        schedule,
        chance: () => random.next(),
        setTimer: (callback, ms) => world.after(ms, 'the server goes on', callback),
        faults: { at: (place) => this.faultAt(place) },
      },
      { name: life.name, lanes: plan.lanes },
    );
  }

  private faultAt({ provider, method, at }: Place): Fault | undefined {
    const chance = (what: string): number =>
      chanceOf(this.plan.seed, `${provider} ${method} ${at} ${this.places} ${what}`);
    this.places++;
    const { before, after, slow, slowMs } = this.faults;
    if (at === 'commit' && chance('lost') < after / 2)
      return {
        kind: 'lost-answer',
        ms: Math.ceil(chance('ms') * slowMs),
        outcome: chance('outcome') < 0.5 ? 'commit' : 'rollback',
      };
    if (at === 'statement' && chance('error') < before / 10) return { kind: 'error' };
    if (at !== 'answer' && chance('slow') < slow / 10) return { kind: 'delay', ms: Math.ceil(chance('ms') * slowMs) };
    return undefined;
  }

  crashed(provider: Provider): Promise<void> {
    return provider.close();
  }

  version(): number {
    let count = 0;
    for (const commits of this.store.commits.values()) count += commits;
    return count;
  }

  heal(): void {
    this.faults = NO_FAULTS;
  }

  rows(): Rows {
    const { tables } = this.store;
    const all = <R extends object>(table: { readonly committed: ReadonlyMap<string, R> }): R[] => [
      ...table.committed.values(),
    ];
    const { texts } = this;
    return {
      instances: new Map(
        all(tables.instances).map((row) => [
          row.instanceId,
          {
            ...row,
            suspendedCode: row.suspension?.code ?? null,
            suspendedReason: row.suspension?.reason ?? null,
            parent: row.parent?.instanceId ?? null,
          },
        ]),
      ),
      turns: all(tables.history)
        .sort((a, b) => a.executionId - b.executionId || a.firstEventId - b.firstEventId)
        .map((row) => ({ ...row, events: texts.of<HistoryEvent[]>(row.events) })),
      messages: all(tables.messages).map(({ instanceId, seq, kind, name, body }) => ({
        instanceId,
        seq,
        message:
          kind === 'external-event' || kind === 'queue-message'
            ? { kind, name: name!, data: body }
            : texts.of<Message>(body),
      })),
      activities: all(tables.activities),
      timers: all(tables.timers),
      kv: all(tables.kv),
      nodes: new Set(tables.nodes.committed.keys()),
    };
  }

  async close(): Promise<void> {
    // It was never anywhere but here.
  }
}
