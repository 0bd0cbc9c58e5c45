import { describe, expect, it } from '@jest/globals';
import type { BatchResult, Verdict } from '../../lib/provider/batch.js';
import type { Provider, TimerCursor } from '../../lib/provider/index.js';
import { ModelProvider, ModelStore, type ConformanceFixture } from '../../lib/testing/index.js';
import { IDS, RandomBatches, type View } from './random-batches.js';
import { sqliteFixture } from './sqlite-fixture.js';

const LIMITS = { bufferedMessages: 4, dueUntil: 1_010 };
const STEPS = 60;
const NODES = ['n1', 'n2', 'n3'] as const;
const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const inOrder = <T>(rows: readonly T[]): T[] => [...rows].sort(byText);

/** A model on which nothing overlaps and rows keep their order, to be compared step by step. */
function calmModel(): ConformanceFixture {
  const store = new ModelStore();
  const ports = {
    schedule: { step: () => Promise.resolve() },
    chance: () => 0.999_999,
    setTimer: () => () => undefined,
  };
  return {
    async provider() {
      const provider = new ModelProvider(store, ports);
      await provider.open();
      return provider;
    },
    close: () => Promise.resolve(),
  };
}

const plainVerdict = (verdict: Verdict): unknown =>
  verdict.kind === 'claimed' ? { ...verdict, activities: verdict.activities && inOrder(verdict.activities) } : verdict;

const plainResult = ({ verdicts, delivered, started, undeliverable }: BatchResult): unknown => ({
  verdicts: verdicts.map(plainVerdict),
  delivered: delivered && inOrder(delivered),
  started: inOrder(started),
  undeliverable,
});

async function view(provider: Provider): Promise<View> {
  const loaded = await provider.load(IDS, { bufferedMessages: 100, dueUntil: 1_010 });
  const claims = await Promise.all(NODES.map((node) => provider.claimedActivities(node)));
  return { instances: new Map(loaded.map((it) => [it.instanceId, it])), claims: inOrder(claims.flat()) };
}

/** Everything the contract lets anybody read. */
async function everything(provider: Provider): Promise<unknown> {
  const { items } = await provider.list({}, { limit: 1_000 });
  const ids = items.map(({ instanceId }) => instanceId);
  const { orchestrations, activities } = await provider.openHandlers();
  const after: TimerCursor = { fireAt: 1_000, instanceId: 'b', executionId: 1, scheduleId: 0 };
  const loaded = await provider.load(ids, LIMITS);
  return {
    items,
    loaded: loaded.map((it) => ({ ...it, unreadable: undefined, activityRows: inOrder(it.activityRows) })).sort(byText),
    histories: await Promise.all(
      ids.flatMap((id) => [1, 2].map(async (execution) => provider.history(id, execution, { limit: 5 }))),
    ),
    kv: await Promise.all(ids.map(async (id) => [...(await provider.kvAll(id))])),
    messages: await Promise.all(items.map((key) => provider.messagesAfter(key, 1, 5))),
    buffered: await Promise.all(items.map((key) => provider.bufferedMessages(key, 'external-event', 'e', 3))),
    runnable: await Promise.all(NODES.map((node) => provider.runnable(node, 'a', 4))),
    timers: [await provider.timers(null, 1_005, 6), await provider.timers(after, 1_100, 6)],
    due: [await provider.nextActivityDueAt(['work'], []), await provider.nextActivityDueAt(['work', 'other'], ['gpu'])],
    claimed: await Promise.all(NODES.map(async (node) => inOrder(await provider.claimedActivities(node)))),
    handlers: [inOrder(orchestrations), inOrder(activities)],
    stuck: await provider.findStuck(),
  };
}

/** The same call to both; an error must be one of both. */
async function both<R>(
  providers: readonly Provider[],
  call: (provider: Provider) => Promise<R>,
): Promise<[R | string, R | string]> {
  const answers = await Promise.all(
    providers.map((provider) =>
      call(provider).catch((error: { code?: unknown }) => `rejected with ${String(error.code)}`),
    ),
  );
  return [answers[0]!, answers[1]!];
}

async function compare(seed: number): Promise<number> {
  const fixtures = [await sqliteFixture(), calmModel()];
  let accepted = 0;
  try {
    const providers = [await fixtures[0]!.provider(), await fixtures[1]!.provider()];
    const random = new RandomBatches(seed);
    const seqs = new Map<string, number>();
    let incarnations = 0;
    const nodes = new Map<string, string>();
    const join = async (name: string): Promise<void> => {
      nodes.set(name, name);
      seqs.set(name, 0);
      incarnations++;
      const registration = {
        node: name,
        lanes: 1,
        buildId: `b${incarnations % 3}`,
        now: 1_000,
        leaseUntil: 1_000 + incarnations * 7,
      };
      await both(providers, (provider) => provider.join(registration));
    };
    for (const name of NODES) await join(name);
    for (let step = 0; step < STEPS; step++) {
      const now = 1_000 + step;
      const node = random.pick(NODES);
      const place = `seed ${seed}, step ${step}`;
      if (random.chance(0.08)) {
        const dead = random.pick(NODES);
        const [left, right] = await both<unknown>(providers, async (provider) => {
          if (step % 4 === 0) return provider.leave(dead);
          const taken = await provider.takeOver(node, step % 2 === 0 ? 'all-others' : [dead], now);
          return { ...taken, nodes: inOrder(taken.nodes) };
        });
        expect({ place, answer: left }).toEqual({ place, answer: right });
        for (const name of NODES) {
          const [alive] = await both(providers, (provider) => provider.heartbeat(name, now, now + 30));
          if (alive !== true) await join(name);
        }
      } else if (random.chance(0.05)) {
        const build = `b${random.below(4)}`;
        const [left, right] = await both(providers, (provider) => provider.resumeForBuild(build, now));
        expect({ place, answer: left }).toEqual({ place, answer: right });
      } else {
        const seq = seqs.get(node)! + 1;
        const batch = { seq, now, items: random.next(await view(providers[1]!), now) };
        const commit = (provider: Provider): Promise<unknown> => provider.commit(node, 0, batch, 0).then(plainResult);
        const [left, right] = await both(providers, commit);
        expect({ place, batch, answer: left }).toEqual({ place, batch, answer: right });
        if (typeof left === 'string') continue;
        seqs.set(node, seq);
        accepted += (left as { verdicts: Verdict[] }).verdicts.filter(({ kind }) => kind === 'accepted').length;
        if (random.chance(0.1)) {
          const [again, alsoAgain] = await both(providers, commit);
          expect({ place, answer: again }).toEqual({ place, answer: alsoAgain });
        }
      }
      const [left, right] = await both(providers, everything);
      expect({ place, state: left }).toEqual({ place, state: right });
    }
  } finally {
    await Promise.all(fixtures.map((fixture) => fixture.close()));
  }
  return accepted;
}

describe('SQLite and the model, given the same random batches,', () => {
  const seeds = Number(process.env['DIFFERENTIAL_SEEDS'] ?? 20);
  it.each(Array.from({ length: Math.ceil(seeds / 10) }, (_, index) => index * 10))(
    'answer alike and hold the same rows (seeds from %i)',
    async (from) => {
      let accepted = 0;
      for (let seed = from; seed < from + 10; seed++) accepted += await compare(seed);
      // Batches that are all refused would compare nothing.
      expect(accepted).toBeGreaterThan(500);
    },
    120_000,
  );
});
