import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../../lib/core/errors.js';
import type { Batch, BatchItem, BatchResult, TurnItem, Verdict } from '../../lib/provider/batch.js';
import type { Provider } from '../../lib/provider/index.js';

export interface Hostility {
  /** The same seed decides the same fate for the same lane, batch and attempt, and the same refusals and pauses. */
  readonly seed: number;
  /** Lanes to pretend; commits of one lane keep their order, those of different lanes overtake each other. Default: the provider's. */
  readonly lanes?: number;
  /** Share of attempts that fail before anything was written. Default 0.15. */
  readonly failBefore?: number;
  /** Share of attempts that are written and then fail: the caller cannot know. Default 0.15. */
  readonly failAfter?: number;
  /** Share of turns that are refused and not written. Default 0.15. */
  readonly refuse?: number;
  /** Answers of reads come late, too. Default true. */
  readonly slowReads?: boolean;
}

/**
 * A database at its worst, within the contract: commits take their time, fail before and after they were written, lanes
 * overtake each other, turns are refused. Nothing is lost and nothing is written that was not asked for.
 */
export class HostileProvider implements Provider {
  readonly lanes: number;
  readonly laneFill: number;
  /** What was done, so that a test can see that it was tried at all. */
  readonly done = { failedBefore: 0, failedAfter: 0, refused: 0, commits: 0 };
  private readonly refusals = new WeakMap<BatchItem, boolean>();
  private readonly draws = new Map<string, number>();
  private readonly settings: Required<Omit<Hostility, 'lanes'>>;

  constructor(
    private readonly inner: Provider,
    { lanes, ...hostility }: Hostility,
  ) {
    this.lanes = lanes ?? inner.lanes;
    this.laneFill = lanes === undefined ? inner.laneFill : 1;
    this.settings = { failBefore: 0.15, failAfter: 0.15, refuse: 0.15, slowReads: true, ...hostility };
  }

  get name(): string {
    return `hostile ${this.inner.name}`;
  }

  async commit(node: string, lane: number, batch: Batch, patienceMs: number): Promise<BatchResult> {
    const attempt = this.next(`${node}/${lane}/${batch.seq}`);
    const place = `${lane}/${batch.seq}/${attempt}`;
    this.done.commits++;
    await this.pause(`${place}/before`);
    const fate = this.chance(`${place}/fate`);
    if (fate < this.settings.failBefore) {
      this.done.failedBefore++;
      throw trouble('before');
    }
    const result = await this.commitUnrefused(node, lane, batch, patienceMs);
    await this.pause(`${place}/after`);
    if (fate < this.settings.failBefore + this.settings.failAfter) {
      this.done.failedAfter++;
      throw trouble('after');
    }
    return result;
  }

  private async commitUnrefused(node: string, lane: number, batch: Batch, patienceMs: number): Promise<BatchResult> {
    const items = batch.items.filter((item) => !this.refuses(item));
    const result = await this.inner.commit(node, lane, { ...batch, items }, patienceMs);
    const inner = result.verdicts.values();
    const verdicts = batch.items.map((item): Verdict =>
      this.refuses(item) ? { kind: 'refused' } : inner.next().value!,
    );
    return { ...result, verdicts };
  }

  /** Decided once for an item, so that the same batch comes out the same when it is tried again. */
  private refuses(item: BatchItem): boolean {
    if (item.kind !== 'turn') return false;
    let refused = this.refusals.get(item);
    if (refused === undefined) {
      refused = this.chance(`refuse/${placeOf(item)}/${this.next(`refuse/${placeOf(item)}`)}`) < this.settings.refuse;
      this.refusals.set(item, refused);
      if (refused) this.done.refused++;
    }
    return refused;
  }

  // ---- everything else goes through, reads late ----

  open: Provider['open'] = () => this.inner.open();
  close: Provider['close'] = () => this.inner.close();
  acquireEngine: Provider['acquireEngine'] = (...args) => this.inner.acquireEngine(...args);
  join: Provider['join'] = (node) => this.inner.join(node);
  heartbeat: Provider['heartbeat'] = (...args) => this.inner.heartbeat(...args);
  takeOver: Provider['takeOver'] = (...args) => this.inner.takeOver(...args);
  leave: Provider['leave'] = (node) => this.inner.leave(node);
  resumeForBuild: Provider['resumeForBuild'] = (...args) => this.inner.resumeForBuild(...args);
  load: Provider['load'] = (...args) => this.read('load', () => this.inner.load(...args));
  messagesAfter: Provider['messagesAfter'] = (...args) =>
    this.read('messagesAfter', () => this.inner.messagesAfter(...args));
  bufferedMessages: Provider['bufferedMessages'] = (...args) =>
    this.read('bufferedMessages', () => this.inner.bufferedMessages(...args));
  runnable: Provider['runnable'] = (...args) => this.read('runnable', () => this.inner.runnable(...args));
  timers: Provider['timers'] = (...args) => this.read('timers', () => this.inner.timers(...args));
  nextActivityDueAt: Provider['nextActivityDueAt'] = (...args) =>
    this.read('nextActivityDueAt', () => this.inner.nextActivityDueAt(...args));
  claimedActivities: Provider['claimedActivities'] = (node) =>
    this.read('claimedActivities', () => this.inner.claimedActivities(node));
  changedElsewhere: Provider['changedElsewhere'] = () => this.inner.changedElsewhere();
  status: Provider['status'] = (id) => this.read('status', () => this.inner.status(id));
  statuses: Provider['statuses'] = (ids) => this.read('statuses', () => this.inner.statuses(ids));
  list: Provider['list'] = (...args) => this.read('list', () => this.inner.list(...args));
  history: Provider['history'] = (...args) => this.read('history', () => this.inner.history(...args));
  kv: Provider['kv'] = (...args) => this.read('kv', () => this.inner.kv(...args));
  kvAll: Provider['kvAll'] = (id) => this.read('kvAll', () => this.inner.kvAll(id));
  openHandlers: Provider['openHandlers'] = () => this.inner.openHandlers();
  findStuck: Provider['findStuck'] = () => this.inner.findStuck();

  private async read<R>(what: string, ask: () => Promise<R>): Promise<R> {
    if (!this.settings.slowReads) return ask();
    const place = `${what}/${this.next(what)}`;
    await this.pause(`${place}/before`);
    const answer = await ask();
    await this.pause(`${place}/after`);
    return answer;
  }

  // ---- chance ----

  private async pause(place: string): Promise<void> {
    const chance = this.chance(place);
    if (chance < 0.2) return;
    if (chance < 0.85) for (let rounds = Math.floor(chance * 8); rounds > 0; rounds--) await immediate();
    else await sleep(chance < 0.97 ? 1 : 5);
  }

  private next(what: string): number {
    const draw = (this.draws.get(what) ?? 0) + 1;
    this.draws.set(what, draw);
    return draw;
  }

  /** 0 <= chance < 1, from the seed and a name alone: which lane comes first does not change what happens to the other. */
  private chance(place: string): number {
    let hash = 2_166_136_261 ^ Math.imul(this.settings.seed, 2_654_435_761);
    for (let index = 0; index < place.length; index++) hash = Math.imul(hash ^ place.charCodeAt(index), 16_777_619);
    hash = Math.imul(hash ^ (hash >>> 16), 2_246_822_507);
    hash = Math.imul(hash ^ (hash >>> 13), 3_266_489_909);
    return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
  }
}

const placeOf = (turn: TurnItem): string => `${turn.instanceId}/${turn.expectedTurn}`;
const trouble = (when: string): StorageError =>
  new StorageError(`hostile: failed ${when} the commit`, { retryable: true, code: 'ERR_TEST_HOSTILE' });
