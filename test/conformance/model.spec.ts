import { beforeEach, describe, expect, it } from '@jest/globals';
import { ModelProvider, ModelStore, type Fault, type Place } from '../../lib/testing/index.js';
import * as is from '../../lib/testing/conformance/items.js';
import { Node, rejectionOf } from '../../lib/testing/conformance/node.js';
import { GatedSchedule, ManualTimers } from './gated-schedule.js';

let store: ModelStore;
let schedule: GatedSchedule;
let timers: ManualTimers;
/** The next fault of a provider at a place, once. */
let faults: Map<string, Fault>;
let a: Node;
let b: Node;

beforeEach(async () => {
  store = new ModelStore();
  schedule = new GatedSchedule();
  timers = new ManualTimers();
  faults = new Map();
  [a, b] = [await process_('a'), await process_('b')];
  await a.accepted(is.start('i'), is.start('j'));
});

async function process_(name: string): Promise<Node> {
  const at = ({ provider, method, at: place }: Place): Fault | undefined => {
    const key = `${provider}/${method}/${place}`;
    const fault = faults.get(key);
    faults.delete(key);
    return fault;
  };
  const ports = { schedule, chance: () => 0, setTimer: timers.setTimer, faults: { at } };
  const provider = new ModelProvider(store, ports, { name });
  await provider.open();
  await provider.join({ node: name, lanes: 2, buildId: 'build', now: 1_000, leaseUntil: 10_000 });
  return new Node(name, provider);
}

const once = (node: Node, batch: ReturnType<Node['batch']>, lane = 0) =>
  node.provider.commit(node.name, lane, batch, 0);
const codeOf = async (promise: Promise<unknown>): Promise<unknown> => (await rejectionOf(promise)).code;
/** Undefined until it is settled. */
function watch<T>(promise: Promise<T>): { readonly promise: Promise<T>; isDone: boolean } {
  const watched = { promise, isDone: false };
  void Promise.allSettled([promise]).then(() => (watched.isDone = true));
  return watched;
}

describe('row locks', () => {
  it('are held to the commit: a second sender waits, and numbers after the first', async () => {
    schedule.hold('a/commit/commit');
    const first = watch(a.verdicts(is.send('i', is.event('first'))));
    await schedule.arrived('a/commit/commit');
    const second = watch(b.verdicts(is.send('i', is.event('second'))));
    await schedule.settled();
    expect([first.isDone, second.isDone]).toEqual([false, false]);
    schedule.letGo('a/commit/commit');
    expect(await first.promise).toEqual([{ kind: 'accepted', seq: 2 }]);
    expect(await second.promise).toEqual([{ kind: 'accepted', seq: 3 }]);
  });

  it('of other rows stop nobody', async () => {
    schedule.hold('a/commit/commit');
    const first = watch(a.verdicts(is.send('i')));
    await schedule.arrived('a/commit/commit');
    expect(await b.kinds(is.send('j'))).toEqual(['accepted']);
    expect(first.isDone).toBe(false);
    schedule.letGo('a/commit/commit');
    await first.promise;
  });

  it('make a turn look again: of two of one number the second is refused', async () => {
    schedule.hold('a/commit/commit');
    const first = watch(a.kinds(is.firstTurn('i')));
    await schedule.arrived('a/commit/commit');
    const second = watch(b.kinds(is.firstTurn('i')));
    await schedule.settled();
    expect(second.isDone).toBe(false);
    schedule.letGo('a/commit/commit');
    expect([await first.promise, await second.promise]).toEqual([['accepted'], ['refused']]);
  });

  it('make a turn look again: it is accepted if the first rolls back', async () => {
    schedule.hold('a/commit/commit');
    faults.set('a/commit/commit', { kind: 'error' });
    const first = rejectionOf(once(a, a.batch(is.firstTurn('i'))));
    await schedule.arrived('a/commit/commit');
    const second = b.kinds(is.firstTurn('i'));
    schedule.letGo('a/commit/commit');
    expect((await first).retryable).toBe(true);
    expect(await second).toEqual(['accepted']);
  });

  it('make a start wait for one of the same id that may still roll back', async () => {
    schedule.hold('a/commit/commit');
    faults.set('a/commit/commit', { kind: 'error' });
    const first = rejectionOf(once(a, a.batch(is.start('n', { generation: 'of a' }))));
    await schedule.arrived('a/commit/commit');
    const second = watch(b.kinds(is.start('n', { generation: 'of b' })));
    await schedule.settled();
    expect(second.isDone).toBe(false);
    schedule.letGo('a/commit/commit');
    await first;
    expect(await second.promise).toEqual(['accepted']);
    expect((await b.load('n')).generation).toBe('of b');
  });

  it('are left out by a claim, which waits for nobody', async () => {
    await a.accepted(is.firstTurn('i', { activities: [is.activity(1), is.activity(2)] }));
    a.now = b.now = 2_000;
    schedule.hold('a/commit/commit');
    const first = a.claim(1);
    await schedule.arrived('a/commit/commit');
    expect((await b.claim()).map(({ scheduleId }) => scheduleId)).toEqual([2]);
    schedule.letGo('a/commit/commit');
    expect((await first).map(({ scheduleId }) => scheduleId)).toEqual([1]);
  });

  it('in a circle are a deadlock of the one that closes it, which may try again', async () => {
    schedule.hold('a/commit/address', 'b/commit/address');
    const toJ = a.batch(is.firstTurn('i', { messages: [{ instanceId: 'j', message: is.event('x') }] }));
    const toI = b.batch(is.firstTurn('j', { messages: [{ instanceId: 'i', message: is.event('y') }] }));
    const first = once(a, toJ);
    const second = once(b, toI);
    await schedule.arrived('a/commit/address', 'b/commit/address');
    schedule.letGo('a/commit/address', 'b/commit/address');
    const outcomes = await Promise.allSettled([first, second]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const loser = outcomes[0].status === 'rejected' ? a : b;
    expect(await codeOf(loser === a ? first : second)).toBe('ERR_DURABLE_DEADLOCK');
    expect((await loser.send(loser === a ? toJ : toI)).verdicts).toEqual([{ kind: 'accepted' }]);
    expect([await a.counters('i'), await a.counters('j')]).toEqual([
      [2, 1],
      [2, 1],
    ]);
  });

  it('make a take-over wait for a commit of the dead node that is on its way, and take that back too', async () => {
    schedule.hold('b/commit/commit');
    const late = b.kinds(is.firstTurn('i', { keepOwnership: true, activities: [is.activity(1, { claimed: true })] }));
    await schedule.arrived('b/commit/commit');
    const taken = watch(a.takeOver(['b']));
    await schedule.settled();
    expect(taken.isDone).toBe(false);
    schedule.letGo('b/commit/commit');
    expect(await late).toEqual(['accepted']);
    expect(await taken.promise).toMatchObject({ nodes: ['b'], activities: 1 });
    expect(await a.provider.claimedActivities('b')).toEqual([]);
  });
});

describe('an answer that is lost', () => {
  it.each(['commit', 'rollback'] as const)(
    'with a %s that comes late: asking again waits for it, and it happens once',
    async (outcome) => {
      faults.set('a/commit/commit', { kind: 'lost-answer', ms: 500, outcome });
      const batch = a.batch(is.send('i'), is.start('n'), is.send('nobody'));
      expect(await codeOf(once(a, batch))).toBe('ERR_DURABLE_CONNECTION_LOST');
      expect(await a.seqsOf('i')).toEqual([1]);
      const again = watch(once(a, batch));
      await schedule.settled();
      expect([again.isDone, timers.pending]).toEqual([false, [500]]);
      timers.fire();
      const { verdicts, delivered } = await again.promise;
      expect(verdicts.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'not-found']);
      expect(delivered === undefined).toBe(outcome === 'commit');
      expect([await a.seqsOf('i'), await a.seqsOf('n')]).toEqual([[1, 2], [1]]);
    },
  );

  it('leaves its rows locked for others meanwhile', async () => {
    faults.set('a/commit/commit', { kind: 'lost-answer', ms: 500, outcome: 'commit' });
    await codeOf(once(a, a.batch(is.send('i'))));
    const other = watch(b.verdicts(is.send('i')));
    await schedule.settled();
    expect(other.isDone).toBe(false);
    timers.fire();
    expect(await other.promise).toEqual([{ kind: 'accepted', seq: 3 }]);
  });

  it('of a process that died is decided without it', async () => {
    faults.set('a/commit/commit', { kind: 'lost-answer', ms: 500, outcome: 'commit' });
    await codeOf(once(a, a.batch(is.start('n'))));
    await a.provider.close();
    timers.fire();
    expect(await b.status('n')).toMatchObject({ status: 'Pending' });
  });
});

describe('a fault', () => {
  it.each(['begin', 'statement', 'commit'])('at %s leaves nothing, and no lock', async (place) => {
    faults.set(`a/commit/${place}`, { kind: 'error' });
    const batch = a.batch(is.firstTurn('i'), is.start('n'));
    expect((await rejectionOf(once(a, batch))).retryable).toBe(true);
    expect([(await b.load('i')).turn, await b.provider.status('n')]).toEqual([0, null]);
    expect(await b.kinds(is.send('i'), is.start('n'))).toEqual(['accepted', 'accepted']);
    expect((await once(a, batch)).verdicts.map(({ kind }) => kind)).toEqual(['accepted', 'exists']);
  });

  it('at the answer leaves everything, and asking again finds it', async () => {
    faults.set('a/commit/answer', { kind: 'error' });
    const batch = a.batch(is.send('i'));
    await rejectionOf(once(a, batch));
    expect(await b.seqsOf('i')).toEqual([1, 2]);
    expect(await once(a, batch)).toMatchObject({ verdicts: [{ kind: 'accepted' }], delivered: undefined });
    expect(await b.seqsOf('i')).toEqual([1, 2]);
  });

  it('that is a delay keeps the locks', async () => {
    faults.set('a/commit/commit', { kind: 'delay', ms: 30 });
    const slow = a.verdicts(is.send('i'));
    await schedule.settled();
    const other = watch(b.verdicts(is.send('i')));
    await schedule.settled();
    expect([other.isDone, timers.pending]).toEqual([false, [30]]);
    timers.fire();
    expect([await slow, await other.promise]).toEqual([[{ kind: 'accepted', seq: 2 }], [{ kind: 'accepted', seq: 3 }]]);
  });

  it('may be any error', async () => {
    faults.set('a/load/begin', { kind: 'error', error: new RangeError('mine') });
    await expect(a.load('i')).rejects.toThrow('mine');
  });
});

describe('a process that dies', () => {
  it('in the middle of a transaction leaves nothing of it, and no lock', async () => {
    schedule.hold('a/commit/address');
    const dying = rejectionOf(once(a, a.batch(is.firstTurn('i'), is.send('j'))));
    await schedule.arrived('a/commit/address');
    const waiting = watch(b.kinds(is.firstTurn('i')));
    await schedule.settled();
    expect(waiting.isDone).toBe(false);
    await a.provider.close();
    expect(await waiting.promise).toEqual(['accepted']);
    schedule.letGo('a/commit/address');
    expect((await dying).code).toBe('ERR_DURABLE_CONNECTION_LOST');
    expect(await b.seqsOf('j')).toEqual([1]);
  });

  it('while it waits for a lock no longer waits for it', async () => {
    schedule.hold('a/commit/commit');
    const first = a.verdicts(is.send('i'));
    await schedule.arrived('a/commit/commit');
    const dying = rejectionOf(once(b, b.batch(is.send('i'))));
    await schedule.settled();
    await b.provider.close();
    expect((await dying).code).toBe('ERR_DURABLE_CONNECTION_LOST');
    schedule.letGo('a/commit/commit');
    await first;
    expect(await a.verdicts(is.send('i'))).toEqual([{ kind: 'accepted', seq: 3 }]);
  });

  it('does nothing more', async () => {
    await a.provider.close();
    await expect(a.provider.status('i')).rejects.toThrow('not open');
  });
});

describe('reading', () => {
  it('sees nothing of a transaction before its commit, and all of it after', async () => {
    schedule.hold('a/commit/commit');
    const turn = a.kinds(is.firstTurn('i', { kv: [{ key: 'k', value: '1' }], customStatus: '"x"' }));
    await schedule.arrived('a/commit/commit');
    expect([await b.provider.kv('i', 'k'), (await b.status('i')).customStatus, (await b.load('i')).turn]).toEqual([
      null,
      null,
      0,
    ]);
    schedule.letGo('a/commit/commit');
    await turn;
    expect([await b.provider.kv('i', 'k'), (await b.status('i')).customStatus, (await b.load('i')).turn]).toEqual([
      '1',
      '"x"',
      1,
    ]);
  });

  it('may answer late with what was true when it was asked', async () => {
    schedule.hold('b/load/answer');
    const late = b.load('i');
    await schedule.arrived('b/load/answer');
    await a.accepted(is.firstTurn('i'));
    schedule.letGo('b/load/answer');
    expect(await late).toMatchObject({ turn: 0, messagesSeen: 0 });
  });

  it('gives copies: what a caller changes is not in the store', async () => {
    const loaded = await a.load('i');
    (loaded.messages as unknown[]).length = 0;
    ((await a.status('i')) as { status: string }).status = 'Failed';
    expect((await a.load('i')).messages).toHaveLength(1);
    expect(await a.status('i')).toMatchObject({ status: 'Pending' });
  });
});
