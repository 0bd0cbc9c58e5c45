import { InstanceAlreadyExistsError, NodeDeclaredDeadError } from '../../core/errors.js';
import { failureOf } from '../../core/failure.js';
import { isFinal } from '../../core/instance.js';
import { ENGINE_FORMAT } from '../../core/limits.js';
import type { Message, StartMessage } from '../../core/message.js';
import type {
  AddressedMessage,
  Batch,
  BatchItem,
  BatchResult,
  Delivered,
  InstanceKey,
  NewChild,
  StartItem,
  TurnItem,
  Verdict,
} from '../../provider/batch.js';
import { claimActivities, commitActivities, completeActivities, keepActivities } from './commit-activities.js';
import { appendTurns, endInstances } from './commit-turns.js';
import { byCodePoint, keyOf, lifeOf, messageRow, type MessageRow, type StoredInstance } from './rows.js';
import type { Tables } from './store.js';
import { resume, suspend, suspectInstance } from './suspension.js';
import type { Transaction } from './transaction.js';

/** One batch as one transaction: the lane first, then the fence, then only what the fence let in. */
export async function commitBatch(
  tx: Transaction,
  tables: Tables,
  node: string,
  lane: number,
  batch: Batch,
): Promise<BatchResult> {
  const key = keyOf(node, lane);
  const [moved] = await tx.update(
    'lane',
    tables.lanes,
    (row) => (row.seq === batch.seq - 1 ? { ...row, seq: batch.seq, verdicts: '[]' } : undefined),
    { keys: [key] },
  );
  if (moved === undefined) return earlierResult(tx, tables, key, node, batch);
  const commit = new Commit(tx, tables, node, batch);
  await commit.run();
  const kept = commit.verdicts.map((verdict) => (verdict.kind === 'accepted' ? { kind: verdict.kind } : verdict));
  const verdicts = JSON.stringify(kept.map((it) => (it.kind === 'claimed' ? { kind: it.kind } : it)));
  await tx.update('verdicts', tables.lanes, (row) => ({ ...row, verdicts }), { keys: [key] });
  const { delivered, started, undeliverable } = commit;
  return { verdicts: commit.verdicts, delivered, started, undeliverable };
}

async function earlierResult(
  tx: Transaction,
  tables: Tables,
  key: string,
  node: string,
  { seq, items }: Batch,
): Promise<BatchResult> {
  const [row] = await tx.select('earlier verdicts', tables.lanes, (it) => keyOf(it.node, it.lane) === key);
  if (row === undefined) throw new NodeDeclaredDeadError(node);
  if (row.seq !== seq) throw new TypeError(`the lane is at ${row.seq}, batch ${seq} does not follow`);
  const verdicts = (JSON.parse(row.verdicts) as Verdict[]).map((verdict): Verdict =>
    verdict.kind === 'claimed' ? { kind: 'claimed', activities: undefined } : verdict,
  );
  const started = items.flatMap((item, index) =>
    item.kind === 'start' && verdicts[index]!.kind === 'accepted' ? [item.instanceId] : [],
  );
  return { verdicts, delivered: undefined, started, undeliverable: 0 };
}

interface Post extends AddressedMessage {
  /** Which item asked and wants a verdict; undefined: a consequence. */
  readonly item?: number;
}

/** What a transaction has come to so far. */
export class Commit {
  readonly verdicts: Verdict[];
  readonly turns: TurnItem[] = [];
  readonly delivered: Delivered[] = [];
  readonly started: string[] = [];
  undeliverable = 0;
  private readonly posts: Post[] = [];
  private readonly messages: MessageRow[] = [];

  constructor(
    readonly tx: Transaction,
    readonly tables: Tables,
    readonly node: string,
    readonly batch: Batch,
  ) {
    this.verdicts = batch.items.map(() => ({ kind: 'accepted' }));
  }

  async run(): Promise<void> {
    await this.startAsked();
    await this.fence();
    await this.startChildren();
    await suspend(this);
    await resume(this);
    await suspectInstance(this);
    await keepActivities(this);
    await completeActivities(this);
    await this.deliver();
    await appendTurns(this);
    await commitActivities(this);
    await endInstances(this);
    await claimActivities(this);
  }

  itemsOf<K extends BatchItem['kind']>(kind: K): [Extract<BatchItem, { kind: K }>, number][] {
    const entries = [...this.batch.items.entries()].filter(([, item]) => item.kind === kind);
    return entries.map(([index, item]) => [item as Extract<BatchItem, { kind: K }>, index]);
  }

  post(post: Post): void {
    this.posts.push(post);
  }

  refuse(index: number): void {
    this.verdicts[index] = { kind: 'refused' };
  }

  // ---- starts ----

  private async startAsked(): Promise<void> {
    const starts = this.itemsOf('start');
    await this.removeFinished(starts.map(([item]) => item));
    const lives = await this.begin(starts.map(([item]) => newInstance(item, undefined, this.batch.now)));
    for (const [item, index] of starts) {
      const { name, version, input } = item;
      if (lives.delete(lifeOf(item))) this.began(item, { kind: 'start', executionId: 1, name, version, input });
      else this.verdicts[index] = { kind: 'exists' };
    }
  }

  private async removeFinished(starts: readonly StartItem[]): Promise<void> {
    const ids = starts.filter(({ ifExists }) => ifExists === 'restart-if-finished').map(({ instanceId }) => instanceId);
    if (ids.length === 0) return;
    const { tx, tables } = this;
    const removed = await tx.remove('remove finished', tables.instances, ({ status }) => isFinal(status), unique(ids));
    const gone = new Set(removed.map(({ instanceId }) => instanceId));
    if (gone.size === 0) return;
    const ofThem = ({ instanceId }: { readonly instanceId: string }): boolean => gone.has(instanceId);
    for (const name of ['history', 'messages', 'activities', 'timers', 'kv'] as const)
      await tx.remove(`remove ${name}`, tables[name] as Tables['messages'], ofThem);
  }

  private async begin(rows: readonly StoredInstance[]): Promise<Set<string>> {
    if (rows.length === 0) return new Set();
    const sorted = [...rows].sort((a, b) => byCodePoint(a.instanceId, b.instanceId));
    return new Set((await this.tx.insert('start', this.tables.instances, sorted, 'nothing')).map(lifeOf));
  }

  private began(instance: InstanceKey, start: StartMessage): void {
    this.started.push(instance.instanceId);
    this.store(instance, 1, start);
  }

  private async startChildren(): Promise<void> {
    const children = this.turns.flatMap((turn) => turn.children.map((child) => ({ turn, child })));
    const rows = children.map(({ turn, child }) => newInstance(child, linkOf(turn, child), this.batch.now));
    const lives = await this.begin(rows);
    for (const { turn, child } of children) {
      const isIn = lives.delete(lifeOf(child));
      const parent = linkOf(turn, child);
      const { name, version, input } = child;
      if (isIn) this.began(child, { kind: 'start', executionId: 1, name, version, input, ...(parent && { parent }) });
      const answer = answerTo(child, isIn);
      if (answer !== undefined)
        this.post({ instanceId: turn.instanceId, generation: turn.generation, message: answer });
    }
  }

  // ---- turns ----

  private async fence(): Promise<void> {
    const asked = new Map(this.itemsOf('turn').map(([item, index]) => [lifeOf(item), { item, index }]));
    if (asked.size === 0) return;
    const ids = unique([...asked.values()].map(({ item }) => item.instanceId)).sort(byCodePoint);
    // One snapshot for the whole statement, taken when it looks at its first row.
    let alive: ReadonlySet<string> | undefined;
    const accepted = await this.tx.update(
      'fence',
      this.tables.instances,
      (row) => {
        const turn = asked.get(lifeOf(row))?.item;
        alive ??= new Set(this.tx.rows(this.tables.nodes).map(({ node }) => node));
        return turn && this.fits(row, turn, alive) ? this.advanced(row, turn) : undefined;
      },
      { keys: ids },
    );
    for (const { index } of asked.values()) this.refuse(index);
    for (const row of accepted) {
      const { item, index } = asked.get(lifeOf(row))!;
      this.verdicts[index] = { kind: 'accepted' };
      this.turns.push(item);
      if (item.toItself !== undefined) this.store(item, row.messagesIn, item.toItself);
      for (const message of item.messages) this.post(message);
    }
  }

  private fits({ turn, status, owner }: StoredInstance, item: TurnItem, alive: ReadonlySet<string>): boolean {
    const isOpen = status === 'Pending' || status === 'Running';
    return turn === item.expectedTurn && isOpen && (owner === null || owner === this.node || !alive.has(owner));
  }

  private advanced(row: StoredInstance, item: TurnItem): StoredInstance {
    return {
      ...row,
      turn: row.turn + 1,
      owner: item.keepOwnership ? this.node : null,
      messagesIn: row.messagesIn + (item.toItself === undefined ? 0 : 1),
      messagesSeen: row.messagesSeen + item.messagesSeen,
      status: item.ending?.status ?? 'Running',
      executionId: item.executionId,
      nextEventId: item.nextEventId,
      held: item.held,
      crashes: 0,
      suspect: null,
      updatedAt: this.batch.now,
    };
  }

  // ---- messages ----

  /** Each instance is counted up under its row lock; who is gone or finished takes nothing. */
  private async deliver(): Promise<void> {
    for (const [item, index] of this.itemsOf('send')) this.post({ ...item, item: index });
    const wanted = new Map<string, Post[]>();
    for (const post of this.posts) wanted.set(post.instanceId, [...(wanted.get(post.instanceId) ?? []), post]);
    const fitting = (row: StoredInstance): Post[] =>
      isFinal(row.status)
        ? []
        : wanted.get(row.instanceId)!.filter(({ generation }) => (generation ?? row.generation) === row.generation);
    const rows = await this.tx.update(
      'address',
      this.tables.instances,
      (row) => {
        const posts = fitting(row);
        return posts.length === 0 ? undefined : addressed(row, posts);
      },
      { keys: [...wanted.keys()].sort(byCodePoint) },
    );
    const arrived = new Set<Post>();
    for (const row of rows) {
      const posts = fitting(row);
      for (const [index, post] of posts.entries()) {
        const seq = row.messagesIn - posts.length + index + 1;
        this.store(row, seq, post.message);
        arrived.add(post);
        if (post.item !== undefined) this.verdicts[post.item] = { kind: 'accepted', seq };
      }
    }
    await this.turnAway(this.posts.filter((post) => !arrived.has(post)));
    await this.tx.insert('messages', this.tables.messages, this.messages);
  }

  private async turnAway(posts: readonly Post[]): Promise<void> {
    if (posts.length === 0) return;
    const ids = new Set(posts.map(({ instanceId }) => instanceId));
    const known = await this.tx.select('who is known', this.tables.instances, (row) => ids.has(row.instanceId));
    const knownIds = new Set(known.map(({ instanceId }) => instanceId));
    for (const { item, instanceId } of posts) {
      if (item === undefined) this.undeliverable++;
      else this.verdicts[item] = { kind: knownIds.has(instanceId) ? 'finished' : 'not-found' };
    }
  }

  private store({ instanceId, generation }: InstanceKey, seq: number, message: Message): void {
    this.messages.push(messageRow(instanceId, seq, message));
    this.delivered.push({ instanceId, generation, seq, message });
  }
}

const unique = (ids: readonly string[]): string[] => [...new Set(ids)];

/** A termination wakes a suspended instance: it runs no code. */
function addressed(row: StoredInstance, posts: readonly Post[]): StoredInstance {
  const messagesIn = row.messagesIn + posts.length;
  if (!posts.some(({ message }) => message.kind === 'terminate')) return { ...row, messagesIn };
  return { ...row, messagesIn, status: row.status === 'Suspended' ? 'Running' : row.status, suspension: null };
}

const linkOf = ({ instanceId, generation }: TurnItem, { executionId, scheduleId, relation }: NewChild) =>
  relation === 'attached' ? { instanceId, generation, executionId, scheduleId } : undefined;

function answerTo({ executionId, scheduleId, instanceId, relation }: NewChild, isIn: boolean): Message | undefined {
  const failure = isIn ? undefined : failureOf(new InstanceAlreadyExistsError(instanceId), { stack: false });
  if (relation === 'detached') return { kind: 'detached-start', executionId, scheduleId, failure };
  return isIn ? undefined : { kind: 'child-completion', executionId, scheduleId, outcome: 'already-exists', failure };
}

const newInstance = (
  { instanceId, generation, name, version }: StartItem | NewChild,
  parent: StoredInstance['parent'],
  now: number,
): StoredInstance => ({
  instanceId,
  generation,
  name,
  version,
  status: 'Pending',
  executionId: 1,
  nextEventId: 1,
  turn: 0,
  owner: null,
  messagesIn: 1,
  messagesSeen: 0,
  held: 0,
  crashes: 0,
  suspect: null,
  cancelRequested: false,
  parent,
  customStatus: null,
  output: null,
  failure: null,
  suspension: null,
  failedBuilds: [],
  engineFormat: ENGINE_FORMAT,
  createdAt: now,
  updatedAt: now,
  endedAt: null,
});
