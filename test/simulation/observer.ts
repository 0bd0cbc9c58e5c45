import type { Batch, BatchResult } from '../../lib/provider/batch.js';
import type { ActivityContext } from '../../lib/core/activity-context.js';
import { isFinal, problemsOfChange, problemsOfState, viewsOf, type InstanceView } from './invariants.js';
import type { CommitWatch } from './simulated-provider.js';
import type { Rows, SimulatedStore } from './store.js';

/** Looks at the store whenever something was committed, and says what should not be. */
export class Observer implements CommitWatch {
  views = new Map<string, InstanceView>();
  rows: Rows | undefined;
  private version = -1;

  constructor(
    private readonly store: SimulatedStore,
    private readonly failed: (problem: string) => void,
  ) {}

  look(): void {
    const version = this.store.version();
    if (version === this.version) return;
    this.version = version;
    const rows = this.store.rows();
    const views = viewsOf(rows);
    for (const [id, view] of views) {
      for (const problem of problemsOfState(view, views)) this.failed(`${id}: ${problem}`);
      const before = this.views.get(id);
      if (before !== undefined) for (const problem of problemsOfChange(before, view)) this.failed(`${id}: ${problem}`);
      if (view.row.status === 'Suspended' && view.row.suspendedCode !== 'ERR_DURABLE_SUSPENDED')
        this.failed(`${id}: P8 suspended by the engine: ${view.row.suspendedCode} ${view.row.suspendedReason}`);
    }
    for (const id of this.views.keys()) if (!views.has(id)) this.failed(`${id}: it is gone`);
    this.rows = rows;
    this.views = views;
  }

  // ---- what was accepted, where a call is one moment ----

  before(): void {
    if (this.store.atomicCalls) this.look();
  }

  /** Fences and claims, by their definition in the contract. */
  after(node: string, batch: Batch, { verdicts }: BatchResult): void {
    if (!this.store.atomicCalls) return;
    const { rows, views } = this;
    if (rows !== undefined)
      for (const [index, item] of batch.items.entries()) {
        if (verdicts[index]?.kind !== 'accepted') continue;
        if (item.kind === 'turn' || item.kind === 'keep-activities') this.checkFence(node, item, rows, views);
        else if (item.kind === 'complete-activity' || item.kind === 'retry-activity')
          this.checkClaim(node, item, views);
      }
    this.look();
  }

  private checkFence(
    node: string,
    item: {
      readonly instanceId: string;
      readonly generation: string;
      readonly expectedTurn: number;
      readonly kind: string;
    },
    rows: Rows,
    views: ReadonlyMap<string, InstanceView>,
  ): void {
    if (this.isRepeated(item)) return;
    const row = views.get(item.instanceId)?.row;
    if (row === undefined) return; // started in the same batch
    const why =
      row.generation !== item.generation
        ? isFinal(row.status) && item.expectedTurn === 0
          ? undefined // restarted in the same batch
          : 'of another life'
        : row.turn !== item.expectedTurn
          ? `at turn ${item.expectedTurn}, the instance is at ${row.turn}`
          : isFinal(row.status)
            ? 'of a finished instance'
            : row.status === 'Suspended' && item.kind === 'turn'
              ? 'of a suspended instance'
              : row.owner !== null && row.owner !== node && rows.nodes.has(row.owner)
                ? `of ${node}, ${row.owner} owns it`
                : undefined;
    if (why !== undefined) this.failed(`${item.instanceId}: I-17 a ${item.kind} was accepted ${why}`);
  }

  /** A batch that is asked about again answers as it did. */
  private isRepeated(item: object): boolean {
    if (this.accepted.has(item)) return true;
    this.accepted.add(item);
    return false;
  }
  private readonly accepted = new WeakSet<object>();

  private checkClaim(
    node: string,
    item: {
      readonly instanceId: string;
      readonly executionId: number;
      readonly scheduleId: number;
      readonly claim: number;
      readonly kind: string;
    },
    views: ReadonlyMap<string, InstanceView>,
  ): void {
    if (this.isRepeated(item)) return;
    const row = views
      .get(item.instanceId)
      ?.activities.find((one) => one.executionId === item.executionId && one.scheduleId === item.scheduleId);
    // None yet: it got its row in the same batch.
    if (row !== undefined && (row.claim !== item.claim || row.node !== node))
      this.failed(
        `${item.instanceId}: I-17 a ${item.kind} of claim ${item.claim} by ${node} was accepted, ${row.node} has claim ${row.claim}`,
      );
  }

  // ---- what activities and clients ask ----

  recorded(
    { instanceId, executionId, activityId, idempotencyKey }: ActivityContext,
    keyOf: KeyOf,
  ): 'no' | 'open' | 'closed' | 'gone' {
    this.look();
    const view = this.views.get(instanceId);
    if (view === undefined || keyOf(view.row.generation, executionId, activityId) !== idempotencyKey) return 'gone';
    const history = view.executions[executionId - 1] ?? [];
    const scheduled = history[activityId - 1];
    if (scheduled?.kind !== 'ActivityScheduled') return 'no';
    const outcome = history.some(
      (event) =>
        (event.kind === 'ActivityCompleted' || event.kind === 'ActivityFailed') && event.scheduleId === activityId,
    );
    return outcome ? 'closed' : 'open';
  }

  isFinal(instanceId: string): boolean {
    const view = this.views.get(instanceId);
    return view !== undefined && isFinal(view.row.status);
  }
}

type KeyOf = (generation: string, executionId: number, activityId: number) => string;
