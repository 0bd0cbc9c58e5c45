import { ENGINE_FORMAT } from '../../core/limits.js';
import { failureOf } from '../../core/failure.js';
import { InstanceAlreadyExistsError, NodeDeclaredDeadError } from '../../core/errors.js';
import type { Message, StartMessage } from '../../core/message.js';
import type {
  ActivityClaim,
  AddressedMessage,
  Batch,
  BatchItem,
  BatchResult,
  CompleteActivityItem,
  Delivered,
  InstanceKey,
  NewActivity,
  NewChild,
  ScheduleKey,
  StartItem,
  SuspendItem,
  TurnItem,
  Verdict,
} from '../../provider/batch.js';
import type { Row, Script, Statement } from './dialect.js';
import { claimedActivityOf, messageCells } from './rows.js';
import { likely, type Cell } from './statements/statement-set.js';
import type { RowNumbers } from './row-numbers.js';
import type { Statements } from './statements/statements.js';

const ACCEPTED: Verdict = Object.freeze({ kind: 'accepted' });
const REFUSED: Verdict = Object.freeze({ kind: 'refused' });
const MAX_FAILED_BUILDS = 8;

/** One journal batch as one transaction: lane, fence, then only rows of what was accepted. */
export function* commitScript(
  sql: Statements,
  node: string,
  lane: number,
  batch: Batch,
  numbers: RowNumbers,
): Script<BatchResult> {
  const earlier = yield* enterLane(sql, node, lane, batch.seq);
  if (earlier !== undefined) return resolved(batch, earlier);
  const commit = new Commit(sql, node, batch, numbers);
  const result = yield* commit.run();
  const exceptions = result.verdicts.flatMap((verdict, index) =>
    isPlainAcceptance(verdict) ? [] : [[index, stripped(verdict)]],
  );
  if (exceptions.length > 0) yield sql.lanes.keepVerdicts(node, lane, JSON.stringify(exceptions));
  return result;
}

/** `undefined`: the lane moved, the batch is new. Otherwise the verdicts of the batch that is in already. */
function* enterLane(sql: Statements, node: string, lane: number, seq: number): Script<string | undefined> {
  const advanced = yield sql.lanes.advance(node, lane, seq);
  if (advanced.length === 1) return undefined;
  const [row] = yield sql.lanes.read(node, lane);
  if (row === undefined) throw new NodeDeclaredDeadError(node);
  if (row['seq'] !== seq)
    throw new TypeError(`lane ${lane} of ${node} is at ${String(row['seq'])}, batch ${seq} does not follow`);
  return (row['verdicts'] as string | null) ?? '[]';
}

const isPlainAcceptance = (verdict: Verdict): boolean => verdict.kind === 'accepted';
/** What can be read back from the store is not kept twice. */
const stripped = (verdict: Verdict): Verdict =>
  verdict.kind === 'claimed' ? { kind: 'claimed', activities: undefined } : verdict;

function resolved(batch: Batch, exceptions: string): BatchResult {
  const verdicts: Verdict[] = batch.items.map(() => ACCEPTED);
  for (const [index, verdict] of JSON.parse(exceptions) as [number, Verdict][]) verdicts[index] = verdict;
  const started = batch.items.flatMap((item, index) =>
    item.kind === 'start' && verdicts[index]!.kind === 'accepted' ? [item.instanceId] : [],
  );
  return { verdicts, delivered: undefined, started, undeliverable: 0 };
}

interface Posted extends AddressedMessage {
  /** Which item asked, for its verdict; -1: a consequence, with nobody to tell. */
  readonly item: number;
}

class Commit {
  private readonly verdicts: Verdict[];
  private readonly turns: TurnItem[] = [];
  /** The number of each row in `turns`, by which histories are kept. */
  private readonly numbers: number[] = [];
  private readonly posts: Posted[] = [];
  private readonly arrived = new Set<Posted>();
  private readonly inboxes = new Map<string, { readonly generation: string; lastSeq: number }>();
  private readonly messageRows: Cell[][] = [];
  /** By generation: the starts of this batch whose first turn is not in it, too. */
  private readonly startMessages = new Map<string, Cell[]>();
  /** First turns that took their start before it became a row. */
  private readonly unwritten = new Set<TurnItem>();
  private readonly delivered: Delivered[] = [];
  private readonly started: string[] = [];
  private undeliverable = 0;

  constructor(
    private readonly sql: Statements,
    private readonly node: string,
    private readonly batch: Batch,
    private readonly rowNumbers: RowNumbers,
  ) {
    this.verdicts = batch.items.map(() => ACCEPTED);
  }

  *run(): Script<BatchResult> {
    yield* this.lockTouched();
    yield* this.startAsked();
    yield* this.fence();
    yield* this.startChildren();
    yield* this.suspendAndResume();
    yield* this.keepActivities();
    yield* this.completeActivities();
    yield* this.post();
    yield* this.append();
    yield* this.moveActivities();
    yield* this.end();
    yield* this.claim();
    const { verdicts, delivered, started, undeliverable } = this;
    return { verdicts, delivered, started, undeliverable };
  }

  private *itemsOf<K extends BatchItem['kind']>(kind: K): Iterable<[Extract<BatchItem, { kind: K }>, number]> {
    const { items } = this.batch;
    for (let index = 0; index < items.length; index++) {
      const item = items[index]!;
      if (item.kind === kind) yield [item as Extract<BatchItem, { kind: K }>, index];
    }
  }

  /**
   * A batch that changes rows of instances in several statements locks all of them first, in the order of their ids: two
   * journals never wait for each other in a circle.
   */
  private *lockTouched(): Script<void> {
    const ids = new Set<string>();
    for (const item of this.batch.items) {
      if (item.kind === 'turn') for (const { instanceId } of item.messages) ids.add(instanceId);
      else if (item.kind === 'send' || item.kind === 'complete-activity') ids.add(item.instanceId);
    }
    if (ids.size === 0) return; // its turns are locked by one statement
    for (const [{ instanceId }] of this.itemsOf('turn')) ids.add(instanceId);
    if (ids.size < 2) return;
    const lock = this.sql.instances.lock(JSON.stringify([...ids]));
    if (lock !== undefined) yield lock;
  }

  /** Statement 2: which turns are in. Everything after it holds rows of these only (protocol 6). */
  private *fence(): Script<void> {
    const plain = new Map<number, [TurnItem, number]>();
    const others = new Map<string, [TurnItem, number]>();
    for (const entry of this.itemsOf('turn')) {
      const [item, index] = entry;
      this.verdicts[index] = REFUSED;
      const no = isPlain(item) ? this.rowNumbers.of(item.generation) : undefined;
      if (no === undefined) others.set(lifeOf(item), entry);
      else plain.set(no, entry);
    }
    if (plain.size > 0) yield* this.fencePlain(plain);
    for (const entry of plain.values()) others.set(lifeOf(entry[0]), entry);
    if (others.size > 0) yield* this.fenceOthers(others);
  }

  /**
   * Turns that only go on: their instance stays with this node and took no stored message. Most are, and their rows are
   * found by number and change in a few columns. What does not fit stays in `plain`.
   */
  private *fencePlain(plain: Map<number, [TurnItem, number]>): Script<void> {
    const rows: Cell[][] = [];
    for (const [no, [item]] of plain) rows.push([no, item.generation, item.expectedTurn, item.nextEventId, item.held]);
    rows.sort((a, b) => (a[0] as number) - (b[0] as number));
    for (const row of yield this.sql.instances.fencePlain(this.node, this.batch.now, rows)) {
      const no = row['no'] as number;
      this.accept(...plain.get(no)!, no);
      plain.delete(no);
    }
  }

  private *fenceOthers(asked: ReadonlyMap<string, [TurnItem, number]>): Script<void> {
    // Rows are touched in the order of their ids, so that two journals never wait for each other in a circle.
    const rows = [...asked.values()].map(([item]) => fenceRow(item)).sort(byId);
    for (const row of yield this.sql.instances.fence(this.node, this.batch.now, rows)) {
      const [item, index] = asked.get(lifeOfRow(row))!;
      const no = row['no'] as number;
      this.rowNumbers.remember(item.generation, no);
      this.accept(item, index, no);
      if (item.consumed[0] === 1 && this.startMessages.delete(item.generation)) this.unwritten.add(item);
      if (item.toItself !== undefined)
        this.store(item.instanceId, item.generation, row['messages_in'] as number, item.toItself);
    }
  }

  private accept(item: TurnItem, index: number, no: number): void {
    this.turns.push(item);
    this.numbers.push(no);
    this.verdicts[index] = ACCEPTED;
    for (const message of item.messages) this.posts.push({ ...message, item: -1 });
  }

  private *startAsked(): Script<void> {
    const starts = [...this.itemsOf('start')];
    if (starts.length === 0) return;
    yield* this.removeFinished(starts.map(([item]) => item));
    const inserted = yield* this.insert(starts.map(([item]) => startRow(item)));
    for (const [item, index] of starts) {
      if (inserted.has(lifeOf(item)))
        this.began(item, { kind: 'start', executionId: 1, name: item.name, version: item.version, input: item.input });
      else this.verdicts[index] = { kind: 'exists' };
    }
  }

  private *startChildren(): Script<void> {
    const children = this.turns.flatMap((turn) => turn.children.map((child) => ({ turn, child })));
    if (children.length === 0) return;
    const inserted = yield* this.insert(children.map(({ turn, child }) => childRow(turn, child)));
    for (const { turn, child } of children) {
      const isIn = inserted.has(lifeOf(child));
      if (isIn) this.began(child, startOfChild(turn, child));
      this.answerParent(turn, child, isIn);
    }
  }

  /** The lives that began; of several starts of one id at most one. */
  private *insert(rows: readonly Cell[][]): Script<ReadonlySet<string>> {
    const sorted = [...rows].sort(byId);
    const inserted = yield likely(
      this.sql.instances.start(this.batch.now, ENGINE_FORMAT, sorted),
      sorted.map(([id, generation]) => ({ instance_id: id, generation })),
    );
    return new Set(inserted.map(lifeOfRow));
  }

  private *removeFinished(starts: readonly StartItem[]): Script<void> {
    const restarts = starts.filter((item) => item.ifExists === 'restart-if-finished').map((item) => item.instanceId);
    if (restarts.length === 0) return;
    const finished = yield this.sql.instances.finishedAmong(JSON.stringify(restarts));
    if (finished.length === 0) return;
    yield* all(this.sql.instances.removeAll(JSON.stringify(finished.map((row) => row['instance_id']))));
  }

  private began(instance: { instanceId: string; generation: string }, start: StartMessage): void {
    const { instanceId, generation } = instance;
    this.started.push(instanceId);
    this.delivered.push({ instanceId, generation, seq: 1, message: start });
    this.startMessages.set(generation, [instanceId, 1, ...messageCells(start)]);
  }

  /** A clash is an event of the parent, in the same transaction; a detached start is answered either way. */
  private answerParent(turn: TurnItem, child: NewChild, inserted: boolean): void {
    if (inserted && child.relation === 'attached') return;
    const { executionId, scheduleId } = child;
    const failure = inserted
      ? undefined
      : failureOf(new InstanceAlreadyExistsError(child.instanceId), { stack: false });
    const message: Message =
      child.relation === 'detached'
        ? { kind: 'detached-start', executionId, scheduleId, failure }
        : { kind: 'child-completion', executionId, scheduleId, outcome: 'already-exists', failure };
    this.posts.push({ instanceId: turn.instanceId, generation: turn.generation, message, item: -1 });
  }

  /** After suspensions, which compare the turn; before completions, which may be of these very rows. */
  private *keepActivities(): Script<void> {
    const asked = new Map([...this.itemsOf('keep-activities')].map((entry) => [lifeOf(entry[0]), entry]));
    if (asked.size === 0) return;
    const rows = [...asked.values()].map(([item]) => [item.instanceId, item.generation, item.expectedTurn]).sort(byId);
    const kept = new Set((yield this.sql.instances.keepHeld(this.node, rows)).map(lifeOfRow));
    const added: Cell[][] = [];
    for (const [life, [item, index]] of asked) {
      if (!kept.has(life)) this.verdicts[index] = REFUSED;
      else for (const activity of item.activities) added.push(activityRow(item, activity, this.node));
    }
    if (added.length > 0) yield this.sql.activities.add(added);
  }

  private *completeActivities(): Script<void> {
    const items = [...this.itemsOf('complete-activity')];
    if (items.length === 0) return;
    const done = keysOf(
      yield this.sql.activities.complete(
        this.node,
        items.map(([item]) => claimRow(item)),
      ),
    );
    for (const [item, index] of items) {
      if (done.delete(keyOf(item))) this.postCompletion(item);
      else this.verdicts[index] = REFUSED;
    }
  }

  private postCompletion({ instanceId, generation, message }: CompleteActivityItem): void {
    this.posts.push({ instanceId, generation, message, item: -1 });
  }

  private *suspendAndResume(): Script<void> {
    for (const [item, index] of this.itemsOf('suspend')) {
      const [row] = yield* this.suspend(item);
      if (row === undefined)
        this.verdicts[index] = item.generation === undefined ? yield* this.whyNot(item.instanceId) : REFUSED;
    }
    for (const [item, index] of this.itemsOf('resume')) {
      const [row] = yield this.sql.instances.resume(this.batch.now, item.instanceId);
      if (row === undefined) {
        const why = yield* this.whyNot(item.instanceId);
        if (why.kind !== 'accepted') this.verdicts[index] = why; // an instance that runs already is resumed
      } else this.posts.push({ instanceId: item.instanceId, message: { kind: 'continue' }, item: -1 });
    }
    for (const [item, index] of this.itemsOf('suspect')) {
      const [row] = yield this.sql.instances.markSuspect(
        this.node,
        item.instanceId,
        item.generation,
        item.expectedTurn,
      );
      if (row === undefined) this.verdicts[index] = REFUSED;
    }
  }

  private *suspend(item: SuspendItem): Script<readonly Row[]> {
    let builds: string | null = null;
    if (item.buildId !== null) {
      const [row] = yield this.sql.instances.failedBuilds(item.instanceId);
      const known = JSON.parse((row?.['failed_builds'] as string | null | undefined) ?? '[]') as string[];
      builds = JSON.stringify(
        [...known.filter((build) => build !== item.buildId), item.buildId].slice(-MAX_FAILED_BUILDS),
      );
    }
    return yield this.sql.instances.suspend(this.batch.now, {
      instanceId: item.instanceId,
      generation: item.generation ?? null,
      turn: item.expectedTurn ?? null,
      by: item.by,
      code: item.code,
      reason: item.reason,
      builds,
    });
  }

  private *whyNot(instanceId: string): Script<Verdict> {
    const [row] = yield this.sql.instances.statusOf(JSON.stringify([instanceId]));
    if (row === undefined) return { kind: 'not-found' };
    return isFinalText(row['status']) ? { kind: 'finished' } : ACCEPTED;
  }

  /** Counts messages into their instances and gives each its number; who is gone or finished takes none. */
  private *post(): Script<void> {
    for (const [item, index] of this.itemsOf('send')) this.posts.push({ ...item, item: index });
    // A generation and "whichever it is" are counted apart: one statement must not meet the same row twice.
    yield* this.count(this.posts.filter((post) => post.generation !== undefined));
    yield* this.count(this.posts.filter((post) => post.generation === undefined));
    this.number();
    const rows = [...this.startMessages.values(), ...this.messageRows];
    if (rows.length > 0) yield this.sql.journal.addMessages(rows);
  }

  private *count(posts: readonly Posted[]): Script<void> {
    if (posts.length === 0) return;
    const groups = grouped(posts);
    const rows = new Map(
      (yield this.sql.instances.address(groups.map(addressRow))).map((row) => [row['instance_id'] as string, row]),
    );
    const rejected: Posted[] = [];
    for (const group of groups) {
      const row = rows.get(group.instanceId);
      if (row === undefined || (group.generation !== null && row['generation'] !== group.generation))
        rejected.push(...group.posts);
      else this.arrive(group, row['generation'] as string, row['messages_in'] as number);
    }
    yield* this.reject(rejected);
  }

  private arrive({ instanceId, posts }: Group, generation: string, messagesIn: number): void {
    for (const post of posts) this.arrived.add(post);
    if (!this.inboxes.has(instanceId)) this.inboxes.set(instanceId, { generation, lastSeq: messagesIn - posts.length });
  }

  /** In the order of sending, whether a message names a generation or not: both statements hold the same row lock. */
  private number(): void {
    for (const post of this.posts) {
      if (!this.arrived.has(post)) continue;
      const inbox = this.inboxes.get(post.instanceId)!;
      const seq = ++inbox.lastSeq;
      this.store(post.instanceId, inbox.generation, seq, post.message);
      if (post.item >= 0) this.verdicts[post.item] = { kind: 'accepted', seq };
    }
  }

  private store(instanceId: string, generation: string, seq: number, message: Message): void {
    this.messageRows.push([instanceId, seq, ...messageCells(message)]);
    this.delivered.push({ instanceId, generation, seq, message });
  }

  private *reject(posts: readonly Posted[]): Script<void> {
    const asked = posts.filter((post) => post.item >= 0);
    this.undeliverable += posts.length - asked.length;
    if (asked.length === 0) return;
    const ids = [...new Set(asked.map((post) => post.instanceId))];
    const known = new Set((yield this.sql.instances.statusOf(JSON.stringify(ids))).map((row) => row['instance_id']));
    for (const post of asked)
      this.verdicts[post.item] = { kind: known.has(post.instanceId) ? 'finished' : 'not-found' };
  }

  private *append(): Script<void> {
    const { sql } = this;
    const history: Cell[][] = [];
    const used: Cell[][] = [];
    const closed: Cell[][] = [];
    const timers: Cell[][] = [];
    const kv: Cell[][] = [];
    const statuses: Cell[][] = [];
    const changes: Cell[][] = [];
    for (const [index, turn] of this.turns.entries()) {
      const { instanceId, history: appended } = turn;
      if (appended !== undefined)
        history.push([
          this.numbers[index]!,
          appended.executionId,
          appended.firstEventId,
          appended.eventCount,
          appended.events,
        ]);
      const first = this.unwritten.has(turn) ? 1 : 0;
      for (let taken = first; taken < turn.consumed.length; taken++) used.push([instanceId, turn.consumed[taken]!]);
      for (const key of turn.closedTimers) closed.push([instanceId, key.executionId, key.scheduleId]);
      for (const timer of turn.timers) timers.push([instanceId, timer.executionId, timer.scheduleId, timer.fireAt]);
      // One statement must not meet the same row twice: of several writes of a key the last one counts.
      for (const [key, value] of new Map(turn.kv.map((write) => [write.key, write.value])))
        kv.push([instanceId, key, value, appended?.executionId ?? turn.executionId]);
      if (turn.customStatus !== undefined) statuses.push([instanceId, turn.customStatus]);
      if (turn.changes !== undefined)
        changes.push([instanceId, turn.changes.version, turn.changes.cancelRequested ? 1 : 0]);
    }
    if (changes.length > 0) yield sql.instances.change(changes);
    if (history.length > 0) yield sql.journal.appendHistory(history);
    if (used.length > 0) yield sql.journal.useMessages(used);
    if (closed.length > 0) yield sql.journal.closeTimers(closed);
    if (timers.length > 0) yield sql.journal.addTimers(timers);
    if (kv.length > 0) yield sql.journal.putKv(kv);
    if (statuses.length > 0) yield sql.instances.setCustomStatus(statuses);
  }

  private *moveActivities(): Script<void> {
    const { sql, node } = this;
    const closed: Cell[][] = [];
    const added: Cell[][] = [];
    for (const turn of this.turns) {
      for (const { executionId, scheduleId } of turn.closedActivities)
        closed.push([turn.instanceId, executionId, scheduleId]);
      for (const activity of turn.activities) added.push(activityRow(turn, activity, node));
    }
    if (closed.length > 0) yield sql.activities.close(closed);
    if (added.length > 0) yield sql.activities.add(added);
    const retries = [...this.itemsOf('retry-activity')];
    if (retries.length > 0) {
      const rows = retries.map(([item]) => [...claimRow(item), item.dueAt, JSON.stringify(item.failure)]);
      this.refuseMissing(retries, keysOf(yield sql.activities.retry(node, rows)));
    }
    const suspects = [...this.itemsOf('suspect-activity')];
    if (suspects.length > 0) {
      const rows = suspects.map(([item]) => claimRow(item));
      this.refuseMissing(suspects, keysOf(yield sql.activities.markSuspects(node, rows)));
    }
    const releases = [...this.itemsOf('release-activity')];
    if (releases.length > 0) {
      this.refuseMissing(
        releases,
        keysOf(
          yield sql.activities.release(
            node,
            releases.map(([item]) => claimRow(item)),
          ),
        ),
      );
    }
  }

  private refuseMissing(items: readonly [ActivityClaim, number][], done: ReadonlySet<string>): void {
    for (const [item, index] of items) if (!done.has(keyOf(item))) this.verdicts[index] = REFUSED;
  }

  private *end(): Script<void> {
    const ended = this.turns.filter((turn) => turn.ending !== undefined);
    if (ended.length === 0) return;
    const { sql, batch } = this;
    yield sql.instances.end(
      batch.now,
      ended.map(({ instanceId, ending }) => [
        instanceId,
        ending!.status === 'Completed' ? ending!.output : null,
        ending!.status === 'Completed' ? null : JSON.stringify(ending!.failure),
      ]),
    );
    const ids = JSON.stringify(ended.map((turn) => turn.instanceId));
    yield sql.journal.dropMessagesOf(ids);
    yield sql.journal.dropTimersOf(ids);
    yield sql.activities.dropOf(ids);
  }

  private *claim(): Script<void> {
    for (const [item, index] of this.itemsOf('claim-activities')) {
      const rows = yield this.sql.activities.claim(
        this.node,
        this.batch.now,
        JSON.stringify(item.names),
        JSON.stringify(item.tags),
        item.limit,
      );
      this.verdicts[index] = { kind: 'claimed', activities: rows.map(claimedActivityOf) };
    }
  }
}

interface Group {
  readonly instanceId: string;
  readonly generation: string | null;
  readonly posts: Posted[];
}

/** One row per instance and generation, sorted by id; the order within a group is the order of delivery. */
function grouped(posts: readonly Posted[]): Group[] {
  const groups = new Map<string, Group>();
  for (const post of posts) {
    const generation = post.generation ?? null;
    const key = JSON.stringify([post.instanceId, generation]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { instanceId: post.instanceId, generation, posts: [post] });
    else group.posts.push(post);
  }
  return [...groups.values()].sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
}

function* all(statements: readonly Statement[]): Script<void> {
  for (const statement of statements) yield statement;
}

const lifeOf = ({ instanceId, generation }: { readonly instanceId: string; readonly generation: string }): string =>
  `${generation}/${instanceId}`;
const lifeOfRow = (row: Row): string =>
  lifeOf({ instanceId: row['instance_id'] as string, generation: row['generation'] as string });
const byId = (a: Cell[], b: Cell[]): number => (a[0]! < b[0]! ? -1 : 1);

const addressRow = ({ instanceId, generation, posts }: Group): Cell[] => [
  instanceId,
  generation,
  posts.length,
  posts.some(({ message }) => message.kind === 'terminate') ? 1 : 0,
];

const isPlain = (turn: TurnItem): boolean =>
  turn.keepOwnership && turn.messagesSeen === 0 && turn.toItself === undefined && turn.ending === undefined;

const fenceRow = (turn: TurnItem): Cell[] => [
  turn.instanceId,
  turn.generation,
  turn.expectedTurn,
  turn.keepOwnership ? 1 : 0,
  turn.toItself === undefined ? 0 : 1,
  turn.messagesSeen,
  turn.ending?.status ?? 'Running',
  turn.executionId,
  turn.nextEventId,
  turn.held,
];

const activityRow = ({ instanceId, generation }: InstanceKey, activity: NewActivity, node: string): Cell[] => [
  instanceId,
  activity.executionId,
  activity.scheduleId,
  generation,
  activity.name,
  activity.tag,
  activity.args,
  activity.options,
  activity.claimed ? 1 : 0,
  activity.claimed ? node : null,
  activity.attempt,
  activity.crashes,
  activity.dueAt,
  activity.scheduledAt,
  activity.lastFailure === null ? null : JSON.stringify(activity.lastFailure),
];

const startRow = ({ instanceId, generation, name, version }: StartItem): Cell[] => [
  instanceId,
  generation,
  name,
  version,
  null,
  null,
  null,
  null,
];

const childRow = (turn: TurnItem, child: NewChild): Cell[] => [
  child.instanceId,
  child.generation,
  child.name,
  child.version,
  ...(child.relation === 'attached'
    ? [turn.instanceId, turn.generation, child.executionId, child.scheduleId]
    : [null, null, null, null]),
];

const startOfChild = (turn: TurnItem, child: NewChild): StartMessage => ({
  kind: 'start',
  executionId: 1,
  name: child.name,
  version: child.version,
  input: child.input,
  ...(child.relation === 'attached' && {
    parent: {
      instanceId: turn.instanceId,
      generation: turn.generation,
      executionId: child.executionId,
      scheduleId: child.scheduleId,
    },
  }),
});

const claimRow = (item: ScheduleKey & { instanceId: string; generation: string; claim: number }): Cell[] => [
  item.instanceId,
  item.executionId,
  item.scheduleId,
  item.generation,
  item.claim,
];
const keyOf = (key: ActivityClaim): string =>
  `${key.generation}/${key.executionId}/${key.scheduleId}/${key.claim}/${key.instanceId}`;
const keysOf = (rows: readonly Row[]): Set<string> =>
  new Set(
    rows.map((row) =>
      keyOf({
        instanceId: row['instance_id'] as string,
        generation: row['generation'] as string,
        executionId: row['execution_id'] as number,
        scheduleId: row['schedule_id'] as number,
        claim: row['claim'] as number,
      }),
    ),
  );
const isFinalText = (status: unknown): boolean =>
  status === 'Completed' || status === 'Failed' || status === 'Cancelled' || status === 'Terminated';
