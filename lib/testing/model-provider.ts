import type { HistoryEvent } from '../core/history-event.js';
import type { StoredMessage } from '../core/message.js';
import type { Payload } from '../core/payload.js';
import type { Batch, BatchResult, ClaimedActivity, InstanceKey } from '../provider/batch.js';
import type {
  InstanceFilter,
  InstanceRow,
  LoadedInstance,
  LoadLimits,
  NodeRegistration,
  OpenHandlers,
  Page,
  PageRequest,
  Provider,
  StoredTimer,
  TakeOver,
  TimerCursor,
} from '../provider/provider.js';
import { commitBatch } from './model/commit.js';
import { join, leave, takeOver } from './model/nodes.js';
import type { Fault, ModelPorts, Place } from './model/ports.js';
import { Snapshot } from './model/reading.js';
import { claimedActivityOf } from './model/rows.js';
import type { ModelStore, Tables } from './model/store.js';
import { resumeForBuild } from './model/suspension.js';
import { Transaction, transient } from './model/transaction.js';

export interface ModelProviderOptions {
  /** For labels, logs and errors. Default `model`. */
  readonly name?: string;
  /** Batches in flight at once. Default 2. */
  readonly lanes?: number;
  /** Items that wait for one lane before turns go to another. Default 1: as many batches as possible overlap. */
  readonly laneFill?: number;
}

/**
 * The storage contract in memory, as nasty as a database server: commits take several steps and overlap, statements see what
 * was committed when they began, rows stay locked until the end of the transaction, answers come late or never, and rows
 * come back in any order where the contract promises none. One provider is one process; those of one store share the data.
 */
export class ModelProvider implements Provider {
  readonly name: string;
  readonly lanes: number;
  readonly laneFill: number;
  private readonly transactions = new Set<Transaction>();
  private state: 'new' | 'open' | 'closed' = 'new';
  private commitsElsewhere = 0;

  constructor(
    private readonly store: ModelStore,
    private readonly ports: ModelPorts,
    { name = 'model', lanes = 2, laneFill = 1 }: ModelProviderOptions = {},
  ) {
    this.name = name;
    this.lanes = lanes;
    this.laneFill = laneFill;
  }

  async open(): Promise<void> {
    await this.ports.schedule.step(`${this.name}/open`);
    this.state = 'open';
    this.commitsElsewhere = this.countCommitsElsewhere();
  }

  /**
   * Also how a process dies: at once, whatever is on its way. Transactions that have not reached COMMIT roll back; one whose
   * COMMIT is on its way ends as its fault said.
   */
  close(): Promise<void> {
    this.state = 'closed';
    for (const transaction of [...this.transactions]) {
      transaction.abort(connectionLost());
      transaction.end('rollback');
    }
    return Promise.resolve();
  }

  // ---- nodes ----

  async acquireEngine(signal: AbortSignal): Promise<void> {
    await this.ports.schedule.step(`${this.name}/acquireEngine`);
    signal.throwIfAborted();
  }

  join(registration: NodeRegistration): Promise<void> {
    return this.write('join', (tx, tables) => join(tx, tables, registration));
  }

  heartbeat(node: string, _now: number, leaseUntil: number): Promise<boolean> {
    return this.write('heartbeat', async (tx, { nodes }) => {
      const rows = await tx.update('heartbeat', nodes, (row) => ({ ...row, leaseUntil }), { keys: [node] });
      return rows.length === 1;
    });
  }

  takeOver(node: string, nodes: 'all-others' | readonly string[], now: number): Promise<TakeOver> {
    return this.write('takeOver', (tx, tables) => takeOver(tx, tables, node, nodes, now));
  }

  leave(node: string): Promise<void> {
    return this.write('leave', (tx, tables) => leave(tx, tables, node));
  }

  resumeForBuild(buildId: string, now: number): Promise<number> {
    return this.write('resumeForBuild', (tx, tables) => resumeForBuild(tx, tables, buildId, now));
  }

  // ---- the write path ----

  commit(node: string, lane: number, batch: Batch): Promise<BatchResult> {
    return this.write('commit', (tx, tables) => commitBatch(tx, tables, node, lane, batch));
  }

  // ---- reading ----

  load(instanceIds: readonly string[], limits: LoadLimits): Promise<LoadedInstance[]> {
    return this.read('load', (snapshot) => {
      const rows = [...new Set(instanceIds)].flatMap((id) => snapshot.instance(id) ?? []);
      return this.shuffled(rows).map((row) => snapshot.load(row, limits));
    });
  }

  messagesAfter({ instanceId, generation }: InstanceKey, afterSeq: number, limit: number): Promise<StoredMessage[]> {
    return this.read('messagesAfter', (snapshot) =>
      snapshot.messagesAfter(instanceId, generation, ({ seq }) => seq > afterSeq, limit),
    );
  }

  bufferedMessages(
    { instanceId, generation }: InstanceKey,
    kind: 'external-event' | 'queue-message',
    name: string,
    limit: number,
  ): Promise<StoredMessage[]> {
    return this.read('bufferedMessages', (snapshot) =>
      snapshot.messagesAfter(instanceId, generation, (row) => row.kind === kind && row.name === name, limit),
    );
  }

  runnable(node: string, afterId: string, limit: number): Promise<string[]> {
    return this.read('runnable', (snapshot) => snapshot.runnable(node, afterId, limit));
  }

  timers(after: TimerCursor | null, until: number, limit: number): Promise<StoredTimer[]> {
    return this.read('timers', (snapshot) => snapshot.timers(after, until, limit));
  }

  nextActivityDueAt(names: readonly string[], tags: readonly string[]): Promise<number | null> {
    return this.read('nextActivityDueAt', (snapshot) => snapshot.nextActivityDueAt(names, tags));
  }

  claimedActivities(node: string): Promise<ClaimedActivity[]> {
    return this.read('claimedActivities', (snapshot) =>
      this.shuffled(snapshot.all('activities').filter((row) => row.node === node)).map(claimedActivityOf),
    );
  }

  changedElsewhere(): Promise<boolean> {
    return this.read('changedElsewhere', () => {
      const before = this.commitsElsewhere;
      this.commitsElsewhere = this.countCommitsElsewhere();
      return this.commitsElsewhere !== before;
    });
  }

  async status(instanceId: string): Promise<InstanceRow | null> {
    return (await this.statuses([instanceId]))[0] ?? null;
  }

  statuses(instanceIds: readonly string[]): Promise<InstanceRow[]> {
    return this.read('statuses', (snapshot) => this.shuffled(snapshot.statuses(instanceIds)));
  }

  list(filter: InstanceFilter, page: PageRequest): Promise<Page<InstanceRow>> {
    return this.read('list', (snapshot) => snapshot.list(filter, page));
  }

  history(instanceId: string, executionId: number | undefined, page: PageRequest): Promise<Page<HistoryEvent>> {
    return this.read('history', (snapshot) => snapshot.history(instanceId, executionId, page));
  }

  kv(instanceId: string, key: string): Promise<Payload | null> {
    return this.read('kv', (snapshot) => snapshot.kv(instanceId).get(key) ?? null);
  }

  kvAll(instanceId: string): Promise<ReadonlyMap<string, Payload>> {
    return this.read('kvAll', (snapshot) => snapshot.kv(instanceId));
  }

  openHandlers(): Promise<OpenHandlers> {
    return this.read('openHandlers', (snapshot) => snapshot.openHandlers());
  }

  findStuck(): Promise<string[]> {
    return this.read('findStuck', (snapshot) => snapshot.findStuck());
  }

  // ---- the connection ----

  private async write<R>(method: string, script: (tx: Transaction, tables: Tables) => Promise<R>): Promise<R> {
    this.requireOpen();
    const arrive = (statement: string): Promise<unknown> => this.arrive({ method, at: 'statement', statement });
    const tx = new Transaction(async (statement) => void (await arrive(statement)), this.shuffled);
    this.transactions.add(tx);
    try {
      await this.arrive({ method, at: 'begin' });
      const result = await script(tx, this.store.tables);
      const lost = await this.arrive({ method, at: 'commit' });
      if (lost !== undefined) this.loseAnswer(tx, lost);
      this.finish(tx, 'commit');
      await this.arrive({ method, at: 'answer' });
      return result;
    } finally {
      if (this.transactions.has(tx)) this.finish(tx, 'rollback');
    }
  }

  private loseAnswer(tx: Transaction, { ms, outcome }: Extract<Fault, { kind: 'lost-answer' }>): never {
    this.transactions.delete(tx); // nobody holds it any more but the server
    this.ports.setTimer(() => this.finish(tx, outcome), ms);
    throw connectionLost();
  }

  private finish(tx: Transaction, outcome: 'commit' | 'rollback'): void {
    this.transactions.delete(tx);
    const { commits } = this.store;
    if (outcome === 'commit' && tx.hasWritten) commits.set(this, (commits.get(this) ?? 0) + 1);
    tx.end(outcome);
  }

  private async read<R>(method: string, read: (snapshot: Snapshot) => R): Promise<R> {
    this.requireOpen();
    await this.arrive({ method, at: 'begin' });
    const answer = read(new Snapshot(this.store.tables));
    await this.arrive({ method, at: 'answer' });
    return answer;
  }

  /** Every place where somebody else may go first, and where something may go wrong. */
  private async arrive(where: Omit<Place, 'provider'>): Promise<Extract<Fault, { kind: 'lost-answer' }> | undefined> {
    const { schedule, faults, setTimer } = this.ports;
    await schedule.step(`${this.name}/${where.method}/${where.statement ?? where.at}`);
    const fault = faults?.at({ provider: this.name, ...where });
    if (fault?.kind === 'delay') await new Promise<void>((done) => setTimer(done, fault.ms));
    if (this.state === 'closed') throw connectionLost();
    if (fault?.kind === 'error') throw fault.error ?? transient('ERR_DURABLE_STORAGE', `trouble at ${where.at}`);
    return fault?.kind === 'lost-answer' && where.at === 'commit' ? fault : undefined;
  }

  private requireOpen(): void {
    if (this.state !== 'open') throw new TypeError('the provider is not open');
  }

  private countCommitsElsewhere(): number {
    let count = 0;
    for (const [provider, commits] of this.store.commits) if (provider !== this) count += commits;
    return count;
  }

  /** Where no order is promised there is none. */
  private readonly shuffled = <T>(rows: readonly T[]): T[] => {
    const result = [...rows];
    for (let last = result.length - 1; last > 0; last--) {
      const other = Math.floor(this.ports.chance() * (last + 1));
      [result[last], result[other]] = [result[other]!, result[last]!];
    }
    return result;
  };
}

const connectionLost = (): Error => transient('ERR_DURABLE_CONNECTION_LOST', 'the connection is gone');
