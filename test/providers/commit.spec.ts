import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { join } from 'node:path';
import type { Message } from '../../lib/core/message.js';
import type {
  ActivityClaim,
  Batch,
  BatchItem,
  BatchResult,
  ClaimActivitiesItem,
  ClaimedActivity,
  CompleteActivityItem,
  NewActivity,
  NewChild,
  SendItem,
  StartItem,
  SuspendItem,
  TurnItem,
} from '../../lib/provider/batch.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import { temporaryDirectory } from '../support/engine.js';

const TABLES = ['instance', 'history', 'message', 'activity', 'timer', 'kv'] as const;
const LIMITS = { bufferedMessages: 1_000, dueUntil: 0 };

let directory: ReturnType<typeof temporaryDirectory>;
let opened: TypeOrmProvider[];
let a: Node;

beforeEach(async () => {
  directory = temporaryDirectory();
  opened = [];
  a = await node('a');
});
afterEach(async () => {
  await Promise.all(opened.map((provider) => provider.close()));
  directory.remove();
});

const file = (): string => join(directory.path, 'durable.sqlite');

/** One process with one lane. */
class Node {
  private seq = 0;
  now = 1_000;

  constructor(
    readonly name: string,
    readonly provider: TypeOrmProvider,
  ) {}

  commit(...items: BatchItem[]): Promise<BatchResult> {
    return this.provider.commit(this.name, 0, this.batch(...items), 0);
  }

  batch(...items: BatchItem[]): Batch {
    return { seq: ++this.seq, now: this.now++, items };
  }

  async kinds(...items: BatchItem[]): Promise<string[]> {
    return (await this.commit(...items)).verdicts.map(({ kind }) => kind);
  }

  async load(id: string, limits = LIMITS) {
    return (await this.provider.load([id], limits))[0]!;
  }
}

async function node(name: string): Promise<Node> {
  const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: file() } });
  opened.push(provider);
  await provider.open();
  await provider.join({ node: name, lanes: 1, buildId: 'build', now: 1_000, leaseUntil: 10_000 });
  return new Node(name, provider);
}

const generationOf = (id: string): string => `life-of-${id}`;

const start = (id: string, changes: Partial<StartItem> = {}): StartItem => ({
  kind: 'start',
  instanceId: id,
  generation: generationOf(id),
  name: 'Test',
  version: '1.0.0',
  input: '1',
  ifExists: 'reject',
  ...changes,
});

const turn = (id: string, expectedTurn = 0, changes: Partial<TurnItem> = {}): TurnItem => ({
  kind: 'turn',
  instanceId: id,
  generation: generationOf(id),
  expectedTurn,
  keepOwnership: false,
  messagesSeen: 0,
  consumed: [],
  executionId: 1,
  nextEventId: 1,
  activities: [],
  held: 0,
  closedActivities: [],
  timers: [],
  closedTimers: [],
  children: [],
  messages: [],
  kv: [],
  ...changes,
});

const activity = (scheduleId: number, changes: Partial<NewActivity> = {}): NewActivity => ({
  executionId: 1,
  scheduleId,
  name: 'work',
  args: '[]',
  options: null,
  tag: null,
  attempt: 1,
  crashes: 0,
  dueAt: 1_000,
  scheduledAt: 1_000,
  lastFailure: null,
  claimed: false,
  ...changes,
});

const child = (id: string, relation: NewChild['relation'] = 'attached'): NewChild => ({
  executionId: 1,
  scheduleId: 2,
  instanceId: id,
  generation: generationOf(id),
  name: 'Child',
  version: '1.0.0',
  input: '2',
  relation,
});

const event = (name: string, data = '0'): Message => ({ kind: 'external-event', name, data });
const send = (id: string, message: Message = event('e'), generation?: string): SendItem => ({
  kind: 'send',
  instanceId: id,
  message,
  ...(generation !== undefined && { generation }),
});
const claim = (limit = 10, tags: string[] = [], names = ['work']): ClaimActivitiesItem => ({
  kind: 'claim-activities',
  limit,
  names,
  tags,
});
const completion = (of: ActivityClaim, result = '"done"'): CompleteActivityItem => ({
  kind: 'complete-activity',
  ...keyOf(of),
  message: { kind: 'activity-completion', executionId: of.executionId, scheduleId: of.scheduleId, attempts: 1, result },
});
const keyOf = ({ instanceId, generation, executionId, scheduleId, claim: claimed }: ActivityClaim): ActivityClaim => ({
  instanceId,
  generation,
  executionId,
  scheduleId,
  claim: claimed,
});
const history = (...kinds: string[]) => ({
  executionId: 1,
  firstEventId: 1,
  eventCount: kinds.length,
  events: JSON.stringify(kinds.map((kind, index) => ({ id: index + 1, kind }))),
});
const completed = { status: 'Completed', output: '42' } as const;
const suspend = (id: string, changes: Partial<SuspendItem> = {}): SuspendItem => ({
  kind: 'suspend',
  instanceId: id,
  by: 'operator',
  code: 'ERR_DURABLE_SUSPENDED',
  reason: 'why',
  buildId: null,
  ...changes,
});
const bySystem = (id: string, buildId: string, changes: Partial<SuspendItem> = {}): SuspendItem =>
  suspend(id, {
    by: 'engine',
    code: 'ERR_DURABLE_NONDETERMINISM',
    buildId,
    generation: generationOf(id),
    expectedTurn: 0,
    ...changes,
  });

/** Everything in the file, as another process sees it. */
function rows<R = Record<string, unknown>>(sql: string, ...parameters: unknown[]): R[] {
  const database = new Sqlite(file());
  try {
    return database.prepare(sql).all(...parameters) as R[];
  } finally {
    database.close();
  }
}
const everything = () => Object.fromEntries(TABLES.map((table) => [table, rows(`SELECT * FROM durable_${table}`)]));
const countOf = (table: string, id: string): number =>
  rows<{ n: number }>(
    table === 'history'
      ? 'SELECT count(*) AS n FROM durable_history JOIN durable_instance USING (no) WHERE instance_id = ?'
      : `SELECT count(*) AS n FROM durable_${table} WHERE instance_id = ?`,
    id,
  )[0]!.n;
const countersOf = (id: string) =>
  rows(`SELECT messages_in, messages_seen FROM durable_instance WHERE instance_id = ?`, id)[0];
const change = (sql: string): void => {
  const database = new Sqlite(file());
  database.exec(sql);
  database.close();
};
const claimed = ({ verdicts }: BatchResult, index = 0): readonly ClaimedActivity[] => {
  const verdict = verdicts[index]!;
  if (verdict.kind !== 'claimed') throw new Error(`it is ${verdict.kind}`);
  return verdict.activities!;
};
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: { code: unknown }) => error.code,
  );

/** A turn that would leave rows in every table. */
const fullTurn = (id: string, expectedTurn: number, changes: Partial<TurnItem> = {}): TurnItem =>
  turn(id, expectedTurn, {
    history: history('OrchestrationStarted'),
    nextEventId: 2,
    activities: [activity(10), activity(11, { claimed: true })],
    timers: [{ executionId: 1, scheduleId: 12, fireAt: 5_000 }],
    children: [child(`${id}-child`), child(`${id}-free`, 'detached')],
    messages: [{ instanceId: 'neighbour', message: event('from a turn') }],
    kv: [{ key: 'k', value: '1' }],
    customStatus: '"busy"',
    toItself: { kind: 'continue' },
    ...changes,
  });

describe('the fence', () => {
  beforeEach(async () => {
    await a.commit(start('i'), start('neighbour'));
  });

  it('lets a turn in that fits, and moves the turn number', async () => {
    expect(await a.kinds(fullTurn('i', 0, { messagesSeen: 1, consumed: [1] }))).toEqual(['accepted']);
    expect(await a.load('i')).toMatchObject({
      turn: 1,
      status: 'Running',
      nextEventId: 2,
      messagesIn: 3,
      messagesSeen: 1,
      owner: null,
    });
    expect(await a.provider.status('i')).toMatchObject({ customStatus: '"busy"' });
    expect(TABLES.map((table) => countOf(table, 'i'))).toEqual([1, 1, 2, 2, 1, 1]);
    expect(await a.provider.statuses(['i-child', 'i-free'])).toHaveLength(2);
  });

  it.each<[string, () => Promise<TurnItem> | TurnItem]>([
    ['another generation', () => fullTurn('i', 0, { generation: 'another life' })],
    ['a turn that is over', () => fullTurn('i', -1)],
    ['a turn that is yet to come', () => fullTurn('i', 1)],
    ['an instance that is gone', () => fullTurn('nobody', 0)],
    [
      'a finished instance',
      async () => {
        await a.commit(turn('i', 0, { ending: completed }));
        return fullTurn('i', 1);
      },
    ],
    [
      'a suspended instance',
      async () => {
        await a.commit(suspend('i'));
        return fullTurn('i', 0);
      },
    ],
    [
      'an instance a living node owns',
      async () => {
        const b = await node('b');
        await b.commit(turn('i', 0, { keepOwnership: true }));
        return fullTurn('i', 1);
      },
    ],
  ])('refuses a turn of %s, without a row and without harm to its neighbours', async (_, refusedTurn) => {
    const refused = await refusedTurn();
    const before = everything();
    const { verdicts, delivered, started } = await a.commit(refused);
    expect(verdicts).toEqual([{ kind: 'refused' }]);
    expect([delivered, started]).toEqual([[], []]);
    expect(everything()).toEqual(before);
    const kinds = await a.kinds(
      start('early'),
      refused,
      turn('neighbour', 0, { kv: [{ key: 'n', value: '1' }] }),
      send('neighbour'),
      start('late'),
    );
    expect(kinds).toEqual(['accepted', 'refused', 'accepted', 'accepted', 'accepted']);
    expect(TABLES.filter((table) => table !== 'instance').map((table) => countOf(table, refused.instanceId))).toEqual(
      TABLES.filter((table) => table !== 'instance').map(
        (table) =>
          before[table]!.filter((row) => (row as { instance_id: string }).instance_id === refused.instanceId).length,
      ),
    );
    expect((await a.load('neighbour')).messages.map(({ message }) => message.kind)).toEqual([
      'start',
      'external-event',
    ]);
    expect(await a.provider.statuses([`${refused.instanceId}-child`, `${refused.instanceId}-free`])).toEqual([]);
  });

  it('lets the owner go on, and anybody when the owner is gone', async () => {
    const b = await node('b');
    expect(await b.kinds(turn('i', 0, { keepOwnership: true }))).toEqual(['accepted']);
    expect(await b.kinds(turn('i', 1, { keepOwnership: true }))).toEqual(['accepted']);
    expect(await a.kinds(turn('i', 2))).toEqual(['refused']);
    await a.provider.takeOver('a', ['b'], 2_000);
    expect(await a.kinds(turn('i', 2))).toEqual(['accepted']);
  });

  it('lets anybody go on when the owner gave the instance back or left', async () => {
    const b = await node('b');
    await b.commit(turn('i', 0, { keepOwnership: true }));
    await b.commit(turn('i', 1, { keepOwnership: false }), turn('neighbour', 0, { keepOwnership: true }));
    expect(await a.kinds(turn('i', 2))).toEqual(['accepted']);
    await b.provider.leave('b');
    expect(await a.kinds(turn('neighbour', 1))).toEqual(['accepted']);
  });

  it('takes a start and its first turn in one batch, without storing the start message', async () => {
    const { verdicts } = await a.commit(
      start('n'),
      turn('n', 0, { consumed: [1], messagesSeen: 1, history: history('OrchestrationStarted'), nextEventId: 2 }),
    );
    expect(verdicts.map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
    expect(countOf('message', 'n')).toBe(0);
    expect(countersOf('n')).toEqual({ messages_in: 1, messages_seen: 1 });
  });

  it('refuses the first turn of a start that lost its id', async () => {
    const other = { generation: 'another life' };
    const lost = fullTurn('i', 0, { ...other, consumed: [1], messagesSeen: 1 });
    expect(await a.kinds(start('i', other), lost)).toEqual(['exists', 'refused']);
    expect(await a.load('i')).toMatchObject({ turn: 0, generation: generationOf('i'), messages: [{ seq: 1 }] });
  });

  it('clears crashes and suspicion', async () => {
    change(`UPDATE durable_instance SET crashes = 5, suspect = 'a' WHERE instance_id = 'i'`);
    await a.commit(turn('i'));
    expect(rows(`SELECT crashes, suspect FROM durable_instance WHERE instance_id = 'i'`)).toEqual([
      { crashes: 0, suspect: null },
    ]);
  });
});

describe('a batch that is committed again under its number', () => {
  it('is not written twice and has the same verdicts', async () => {
    await a.commit(start('taken'), start('i'), start('over'));
    await a.commit(turn('over', 0, { ending: completed }), turn('i', 0, { activities: [activity(1)] }));
    const batch = a.batch(
      start('taken'),
      start('new'),
      send('over'),
      send('nobody'),
      send('i', event('e')),
      fullTurn('i', 0),
      turn('i', 1, { kv: [{ key: 'k', value: '1' }] }),
      claim(),
      suspend('over'),
      { kind: 'resume', instanceId: 'nobody' },
      completion({ instanceId: 'i', generation: generationOf('i'), executionId: 1, scheduleId: 1, claim: 9 }),
    );
    // No instance has two turns in one batch; the refused one is of an older life.
    (batch.items as BatchItem[])[5] = fullTurn('i', 0, { generation: 'older life' });
    const first = await a.provider.commit('a', 0, batch, 0);
    const kinds = [
      'exists',
      'accepted',
      'finished',
      'not-found',
      'accepted',
      'refused',
      'accepted',
      'claimed',
      'finished',
      'not-found',
      'refused',
    ];
    expect(first.verdicts.map(({ kind }) => kind)).toEqual(kinds);
    expect(claimed(first, 7)).toHaveLength(1);
    const after = everything();
    for (let again = 0; again < 2; again++) {
      const { verdicts, delivered, started } = await a.provider.commit('a', 0, batch, 0);
      expect(verdicts.map(({ kind }) => kind)).toEqual(kinds);
      expect(verdicts[7]).toEqual({ kind: 'claimed', activities: undefined });
      expect([delivered, started]).toEqual([undefined, ['new']]);
    }
    expect(everything()).toEqual(after);
    expect(await a.provider.claimedActivities('a')).toEqual(claimed(first, 7));
    expect(await a.kinds(start('next'))).toEqual(['accepted']);
  });

  it('does not inherit the verdicts of the batch before it', async () => {
    await a.commit(start('i'));
    expect(await a.kinds(start('i'))).toEqual(['exists']);
    const batch = a.batch(start('j'));
    await a.provider.commit('a', 0, batch, 0);
    expect((await a.provider.commit('a', 0, batch, 0)).verdicts).toEqual([{ kind: 'accepted' }]);
  });

  it('keeps lanes apart', async () => {
    await a.provider.join({ node: 'wide', lanes: 3, buildId: 'build', now: 0, leaseUntil: 10_000 });
    const on = (lane: number, seq: number, id: string) =>
      a.provider.commit('wide', lane, { seq, now: 1, items: [start(id)] }, 0);
    await on(2, 1, 'x');
    await on(0, 1, 'y');
    await on(2, 2, 'z');
    expect((await on(0, 1, 'y')).verdicts).toEqual([{ kind: 'accepted' }]);
    await expect(on(1, 2, 'gap')).rejects.toThrow('does not follow');
    expect(await a.provider.statuses(['x', 'y', 'z', 'gap'])).toHaveLength(3);
  });

  it('is refused for ever after the node was declared dead', async () => {
    const b = await node('b');
    const batch = a.batch(start('i'));
    await b.provider.takeOver('b', ['a'], 2_000);
    const before = everything();
    expect(await codeOf(a.provider.commit('a', 0, batch, 0))).toBe('ERR_DURABLE_NODE_DEAD');
    expect(await codeOf(a.provider.commit('a', 0, batch, 0))).toBe('ERR_DURABLE_NODE_DEAD');
    expect(await a.provider.heartbeat('a', 2_000, 9_000)).toBe(false);
    expect(await b.provider.heartbeat('b', 2_000, 9_000)).toBe(true);
    expect(everything()).toEqual(before);
  });

  it('leaves nothing when one of its items is impossible', async () => {
    await a.commit(start('i'));
    const before = everything();
    const poisonous = { ...start('bad'), name: null as unknown as string };
    await expect(a.commit(start('good'), send('i'), poisonous)).rejects.toMatchObject({ retryable: false });
    expect(everything()).toEqual(before);
  });
});

describe('messages', () => {
  it('are numbered without a gap over two providers that write at the same time', async () => {
    const b = await node('b');
    await a.commit(start('i'), start('j'));
    const writers = [a, b].map(async (writer) => {
      for (let n = 0; n < 25;) {
        const items = [
          send('i', event(writer.name, String(n))),
          send('j'),
          send('i', event(writer.name, String(n + 1))),
        ];
        const batch = writer.batch(...items);
        for (;;) {
          try {
            await writer.provider.commit(writer.name, 0, batch, 0);
            break;
          } catch (error) {
            expect((error as { retryable: boolean }).retryable).toBe(true);
          }
          await new Promise((resolve) => setImmediate(resolve));
        }
        n += 2;
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    await Promise.all(writers);
    const messages = await b.provider.messagesAfter({ instanceId: 'i', generation: generationOf('i') }, 0, 1_000);
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 53 }, (_, index) => index + 1));
    for (const { name } of [a, b]) {
      const data = messages.flatMap(({ message }) =>
        message.kind === 'external-event' && message.name === name ? [Number(message.data)] : [],
      );
      expect(data).toEqual(Array.from({ length: 26 }, (_, index) => index));
    }
    expect([countersOf('i'), countersOf('j')]).toEqual([
      { messages_in: 53, messages_seen: 0 },
      { messages_in: 27, messages_seen: 0 },
    ]);
    expect(await a.provider.changedElsewhere()).toBe(true);
    expect(await a.provider.changedElsewhere()).toBe(false);
    await a.commit(send('i'));
    expect(await a.provider.changedElsewhere()).toBe(false);
  });

  it('that arrive while a turn is computed stay unseen', async () => {
    await a.commit(start('i'), send('i'));
    const b = await node('b');
    await b.commit(send('i', event('late')));
    await a.commit(turn('i', 0, { consumed: [1, 2], messagesSeen: 2 }));
    expect(countersOf('i')).toEqual({ messages_in: 3, messages_seen: 2 });
    expect(await a.provider.runnable('a', '', 10)).toEqual(['i']);
    expect((await a.load('i')).messages).toEqual([{ seq: 3, message: event('late') }]);
    await a.commit(turn('i', 1, { messagesSeen: 1 }));
    expect(await a.provider.runnable('a', '', 10)).toEqual([]);
  });

  it('of a turn arrive in their order, and go nowhere where nobody is', async () => {
    await a.commit(start('i'), start('j'), start('over'));
    await a.commit(turn('over', 0, { ending: completed }));
    const messages = [
      { instanceId: 'j', message: event('1') },
      { instanceId: 'over', message: event('x') },
      { instanceId: 'j', generation: generationOf('j'), message: event('2') },
      { instanceId: 'j', generation: 'older life', message: event('x') },
      { instanceId: 'nobody', message: event('x') },
      { instanceId: 'j', message: event('3') },
    ];
    const { undeliverable, delivered } = await a.commit(turn('i', 0, { messages }));
    expect(undeliverable).toBe(3);
    expect(delivered).toHaveLength(3);
    expect((await a.load('j')).messagesIn).toBe(4);
    expect(countOf('message', 'over')).toBe(0);
  });

  it('of clients learn whom they missed', async () => {
    await a.commit(start('i'), start('over'));
    await a.commit(turn('over', 0, { ending: completed }));
    const { verdicts } = await a.commit(
      send('i'),
      send('over'),
      send('nobody'),
      send('i'),
      send('i', event('e'), 'older life'),
    );
    expect(verdicts).toEqual([
      { kind: 'accepted', seq: 2 },
      { kind: 'finished' },
      { kind: 'not-found' },
      { kind: 'accepted', seq: 3 },
      { kind: expect.any(String) },
    ]);
    expect(verdicts[4]!.kind).not.toBe('accepted');
    expect(countersOf('i')).toMatchObject({ messages_in: 3 });
  });

  it('of an instance that ends in the same batch find it finished', async () => {
    await a.commit(start('i'));
    expect(await a.kinds(send('i'), turn('i', 0, { ending: completed }), send('i'))).toEqual([
      'finished',
      'accepted',
      'finished',
    ]);
    expect(countOf('message', 'i')).toBe(0);
  });
});

describe('a start', () => {
  it('of a taken id changes nothing, and of two starts in one batch one wins', async () => {
    await a.commit(start('i', { input: '"first"' }));
    expect(await a.kinds(start('i', { generation: 'second', input: '"second"' }))).toEqual(['exists']);
    const kinds = await a.kinds(start('j', { generation: 'one' }), start('j', { generation: 'two' }));
    expect([...kinds].sort()).toEqual(['accepted', 'exists']);
    expect((await a.load('j')).generation).toBe(kinds[0] === 'accepted' ? 'one' : 'two');
    expect((await a.load('j')).messages).toHaveLength(1);
  });

  it('that restarts a finished instance deletes everything of its old life', async () => {
    const neighbour = fullTurn('n', 0, { children: [], messages: [] });
    await a.commit(start('i'), start('n'));
    await a.commit(fullTurn('i', 0, { children: [], messages: [] }), neighbour);
    expect(await a.kinds(start('i', { ifExists: 'restart-if-finished', generation: 'second' }))).toEqual(['exists']);
    await a.commit(turn('i', 1, { ending: completed }));
    expect([countOf('history', 'i'), countOf('kv', 'i')]).toEqual([1, 1]);
    expect(
      await a.kinds(start('i', { ifExists: 'restart-if-finished', generation: 'second', input: '"again"' })),
    ).toEqual(['accepted']);
    expect(TABLES.map((table) => countOf(table, 'i'))).toEqual([1, 0, 1, 0, 0, 0]);
    expect(TABLES.map((table) => countOf(table, 'n'))).toEqual([1, 1, 2, 2, 1, 1]);
    expect(await a.load('i')).toMatchObject({
      generation: 'second',
      turn: 0,
      executionId: 1,
      status: 'Pending',
      messages: [{ seq: 1, message: { kind: 'start', input: '"again"' } }],
    });
    expect(await a.provider.status('i')).toMatchObject({ output: null, endedAt: null, customStatus: null });
  });

  it('that restarts an instance ending in the same batch leaves the old life or begins the new one, never a mixture', async () => {
    await a.commit(start('i'));
    const restart = start('i', { ifExists: 'restart-if-finished', generation: 'second' });
    const kinds = await a.kinds(
      turn('i', 0, { history: history('OrchestrationStarted', 'OrchestrationCompleted'), ending: completed }),
      restart,
    );
    expect(kinds).toEqual(['accepted', 'exists']);
    expect(await a.provider.status('i')).toMatchObject({
      generation: generationOf('i'),
      status: 'Completed',
      output: '42',
    });
  });

  it('leaves a late completion of the old life outside', async () => {
    await a.commit(start('i'));
    await a.commit(turn('i', 0, { activities: [activity(1)] }));
    const [held] = claimed(await a.commit(claim()));
    await a.commit(turn('i', 1, { ending: completed }));
    await a.commit(start('i', { ifExists: 'restart-if-finished', generation: 'second' }));
    await a.commit(turn('i', 0, { generation: 'second', activities: [activity(1)] }));
    const [again] = claimed(await a.commit(claim()));
    expect(again).toMatchObject({ generation: 'second', claim: held!.claim });
    expect(await a.kinds(completion(held!))).toEqual(['refused']);
    expect(countOf('activity', 'i')).toBe(1);
    expect(await a.kinds(completion(again!))).toEqual(['accepted']);
  });
});

describe('a child', () => {
  it('of a taken id answers its parent, in the same transaction', async () => {
    await a.commit(start('p'), start('taken'));
    const { verdicts, started, delivered } = await a.commit(
      turn('p', 0, { consumed: [1], messagesSeen: 1, children: [child('taken'), child('fresh')] }),
    );
    expect(verdicts).toEqual([{ kind: 'accepted' }]);
    expect(started).toEqual(['fresh']);
    const answer = {
      kind: 'child-completion',
      executionId: 1,
      scheduleId: 2,
      outcome: 'already-exists',
      failure: { code: 'ERR_DURABLE_INSTANCE_EXISTS' },
    };
    expect((await a.load('p')).messages).toEqual([
      { seq: 2, message: expect.objectContaining({ ...answer, failure: expect.objectContaining(answer.failure) }) },
    ]);
    expect(delivered!.map(({ instanceId, seq }) => [instanceId, seq])).toEqual([
      ['fresh', 1],
      ['p', 2],
    ]);
    expect((await a.load('taken')).parent).toBeUndefined();
    expect((await a.load('fresh')).parent).toEqual({
      instanceId: 'p',
      generation: generationOf('p'),
      executionId: 1,
      scheduleId: 2,
    });
  });

  it('that is detached is answered either way and has no parent', async () => {
    await a.commit(start('p'), start('taken'));
    await a.commit(
      turn('p', 0, {
        consumed: [1],
        messagesSeen: 1,
        children: [child('taken', 'detached'), child('fresh', 'detached')],
      }),
    );
    const answers = (await a.load('p')).messages.map(({ message }) =>
      message.kind === 'detached-start' ? message.failure?.code : message.kind,
    );
    expect(answers).toEqual(['ERR_DURABLE_INSTANCE_EXISTS', undefined]);
    expect((await a.load('fresh')).parent).toBeUndefined();
  });

  it('of two parents in one batch belongs to one of them', async () => {
    await a.commit(start('p'), start('q'));
    await a.commit(
      turn('p', 0, { consumed: [1], messagesSeen: 1, children: [{ ...child('c'), generation: 'of p' }] }),
      turn('q', 0, { consumed: [1], messagesSeen: 1, children: [{ ...child('c'), generation: 'of q' }] }),
    );
    const owner = (await a.load('c')).parent!.instanceId;
    const answers = await Promise.all(['p', 'q'].map(async (id) => (await a.load(id)).messages.length));
    expect(answers).toEqual(owner === 'p' ? [0, 1] : [1, 0]);
  });
});

describe('activities', () => {
  let b: Node;
  beforeEach(async () => {
    b = await node('b');
    b.now = 2_000;
    await a.commit(start('i'));
    await a.commit(
      turn('i', 0, {
        consumed: [1],
        messagesSeen: 1,
        activities: [
          activity(1),
          activity(2, { tag: 'gpu' }),
          activity(3, { name: 'other' }),
          activity(4, { claimed: true }),
        ],
      }),
    );
  });

  it('are claimed by name and tag, by one node at a time, the longest due first', async () => {
    expect(claimed(await b.commit(claim())).map(({ scheduleId, claim: n }) => [scheduleId, n])).toEqual([[1, 1]]);
    expect(claimed(await a.commit(claim()))).toEqual([]);
    expect(await a.provider.nextActivityDueAt(['work'], [])).toBeNull();
    expect(await a.provider.nextActivityDueAt(['other'], [])).toEqual(expect.any(Number));
    expect(claimed(await a.commit(claim(10, ['gpu'], ['work', 'other']))).map(({ scheduleId }) => scheduleId)).toEqual(
      expect.arrayContaining([2, 3]),
    );
    expect(new Set((await a.provider.claimedActivities('a')).map(({ scheduleId }) => scheduleId))).toEqual(
      new Set([2, 3, 4]),
    );
    expect((await b.provider.claimedActivities('b')).map(({ scheduleId }) => scheduleId)).toEqual([1]);
  });

  it('complete once, for the node and the claim that hold them', async () => {
    const [held] = claimed(await b.commit(claim()));
    expect(await a.kinds(completion(held!))).toEqual(['refused']);
    expect(
      await b.kinds(completion({ ...held!, claim: 2 }), completion({ ...held!, generation: 'older life' })),
    ).toEqual(['refused', 'refused']);
    expect(countersOf('i')).toEqual({ messages_in: 1, messages_seen: 1 });
    expect(await b.kinds(completion(held!))).toEqual(['accepted']);
    expect(await b.kinds(completion(held!))).toEqual(['refused']);
    expect((await a.load('i')).messages).toEqual([{ seq: 2, message: completion(held!).message }]);
  });

  it('that failed wait for their time and count the attempt', async () => {
    const [held] = claimed(await b.commit(claim()));
    const retry = {
      kind: 'retry-activity',
      ...keyOf(held!),
      dueAt: 5_000,
      failure: { name: 'E', message: 'm', retryable: true },
    } as const;
    expect(await a.kinds(retry)).toEqual(['refused']);
    expect(await b.kinds(retry)).toEqual(['accepted']);
    expect(await b.kinds(retry, completion(held!), { kind: 'release-activity', ...keyOf(held!) })).toEqual([
      'refused',
      'refused',
      'refused',
    ]);
    expect(claimed(await b.commit(claim()))).toEqual([]);
    expect(await b.provider.nextActivityDueAt(['work'], [])).toBe(5_000);
    b.now = 5_000;
    expect(claimed(await b.commit(claim()))).toEqual([{ ...held!, claim: 2, attempt: 2 }]);
  });

  it('that are handed back keep their attempt, and their late result is refused', async () => {
    const [held] = claimed(await b.commit(claim()));
    expect(await b.kinds({ kind: 'release-activity', ...keyOf(held!) })).toEqual(['accepted']);
    expect(await b.kinds(completion(held!))).toEqual(['refused']);
    const [again] = claimed(await b.commit(claim()));
    expect(again).toEqual({ ...held!, claim: 2 });
    expect(await b.kinds(completion(held!), completion(again!))).toEqual(['refused', 'accepted']);
  });

  it('that a turn closed are over for everybody', async () => {
    const [held] = claimed(await b.commit(claim()));
    await a.commit(turn('i', 1, { closedActivities: [{ executionId: 1, scheduleId: 1 }] }));
    expect(await b.kinds(completion(held!))).toEqual(['refused']);
  });

  it('end with their instance', async () => {
    const [held] = claimed(await b.commit(claim()));
    await a.commit(turn('i', 1, { ending: completed }));
    expect(countOf('activity', 'i')).toBe(0);
    expect(await b.kinds(completion(held!))).toEqual(['refused']);
  });

  it('of one batch can be claimed in it', async () => {
    await a.commit(start('j'));
    const result = await a.commit(claim(), turn('j', 0, { activities: [activity(7)] }));
    expect(claimed(result).map(({ instanceId, scheduleId }) => [instanceId, scheduleId])).toEqual(
      expect.arrayContaining([['j', 7]]),
    );
  });
});

describe('KV', () => {
  const set = (
    id: string,
    number: number,
    kv: Record<string, string | null>,
    changes: Partial<TurnItem> = {},
  ): TurnItem =>
    turn(id, number, {
      kv: Object.entries(kv).map(([key, value]) => ({ key, value })),
      history: { executionId: 1, firstEventId: number + 1, eventCount: 1, events: '[]' },
      ...changes,
    });

  it('replays from its beginning and is read as committed', async () => {
    await a.commit(start('i'));
    await a.commit(set('i', 0, { x: '1', y: '1', gone: '1' }));
    await a.commit(set('i', 1, { x: '2', gone: null, never: null }));
    expect((await a.load('i')).kvAtStart).toEqual(new Map());
    expect(await a.provider.kvAll('i')).toEqual(
      new Map([
        ['x', '2'],
        ['y', '1'],
      ]),
    );
    expect(await Promise.all(['x', 'gone', 'never'].map((key) => a.provider.kv('i', key)))).toEqual(['2', null, null]);
  });

  it('begins the next execution with what was committed, deletions included', async () => {
    await a.commit(start('i'));
    await a.commit(set('i', 0, { x: '1', y: '1', gone: '1' }));
    const next = { kind: 'start', executionId: 2, name: 'Test', version: '1.0.0', input: '2' } as const;
    await a.commit(set('i', 1, { x: '2', gone: null }, { executionId: 2, toItself: next }));
    const atStart = new Map([
      ['x', '2'],
      ['y', '1'],
    ]);
    expect((await a.load('i')).kvAtStart).toEqual(atStart);
    const of2 = (first: number) => ({
      executionId: 2,
      history: { executionId: 2, firstEventId: first, eventCount: 1, events: '[]' },
    });
    await a.commit(set('i', 2, { x: '3', y: null, gone: '3' }, of2(1)));
    await a.commit(set('i', 3, { x: '4' }, of2(2)));
    expect((await a.load('i')).kvAtStart).toEqual(atStart);
    expect(await a.provider.kvAll('i')).toEqual(
      new Map([
        ['gone', '3'],
        ['x', '4'],
      ]),
    );
    const third = { ...next, executionId: 3 };
    await a.commit(set('i', 4, {}, { ...of2(3), executionId: 3, toItself: third }));
    expect((await a.load('i')).kvAtStart).toEqual(
      new Map([
        ['gone', '3'],
        ['x', '4'],
      ]),
    );
    expect(await a.provider.kvAll('nobody')).toEqual(new Map());
  });
});

describe('suspension', () => {
  const statusOf = async (id: string) => {
    const row = await a.provider.status(id);
    return [row!.status, row!.suspension?.by ?? null];
  };
  beforeEach(async () => {
    await a.commit(start('i'), start('over'));
    await a.commit(turn('over', 0, { ending: completed }));
  });

  it('consumes nothing, holds turns off and ends with resume', async () => {
    expect(await a.kinds(suspend('i'), suspend('over'), suspend('nobody'))).toEqual([
      'accepted',
      'finished',
      'not-found',
    ]);
    expect(await a.provider.status('i')).toMatchObject({
      status: 'Suspended',
      suspension: { by: 'operator', code: 'ERR_DURABLE_SUSPENDED', reason: 'why' },
    });
    expect(await a.kinds(send('i'), turn('i', 0))).toEqual(['accepted', 'refused']);
    expect(await a.provider.runnable('a', '', 10)).toEqual([]);
    expect(
      await a.kinds(
        { kind: 'resume', instanceId: 'i' },
        { kind: 'resume', instanceId: 'over' },
        { kind: 'resume', instanceId: 'nobody' },
      ),
    ).toEqual(['accepted', 'finished', 'not-found']);
    expect(await a.provider.status('i')).toMatchObject({ status: 'Pending', suspension: null });
    expect(await a.provider.runnable('a', '', 10)).toEqual(['i']);
    expect((await a.load('i')).messages.map(({ message }) => message.kind)).toEqual([
      'start',
      'external-event',
      'continue',
    ]);
    expect(await a.kinds({ kind: 'resume', instanceId: 'i' })).toEqual(['accepted']);
  });

  it('by an engine needs the life and the turn it saw', async () => {
    expect(
      await a.kinds(bySystem('i', 'b1', { expectedTurn: 1 }), bySystem('i', 'b1', { generation: 'older life' })),
    ).toEqual(['refused', 'refused']);
    expect(await a.kinds(bySystem('i', 'b1'))).toEqual(['accepted']);
    expect(await statusOf('i')).toEqual(['Suspended', 'engine']);
  });

  it('by an operator is not turned into one by an engine', async () => {
    await a.commit(suspend('i'));
    await a.commit(bySystem('i', 'b1'));
    expect(await statusOf('i')).toEqual(['Suspended', 'operator']);
    expect(await a.provider.resumeForBuild('b2', 2_000)).toBe(0);
  });

  it('by an engine is tried by builds that have not failed, of which eight are remembered', async () => {
    for (let n = 1; n <= 10; n++) {
      expect(await a.kinds(bySystem('i', `b${n}`))).toEqual(['accepted']);
      expect(await a.provider.resumeForBuild(`b${n}`, 2_000)).toBe(0);
      expect(await a.provider.resumeForBuild(`b${n + 1}`, 2_000)).toBe(1);
      expect(await statusOf('i')).toEqual(['Pending', null]);
    }
    expect(rows(`SELECT failed_builds FROM durable_instance WHERE instance_id = 'i'`)).toEqual([
      { failed_builds: JSON.stringify(['b3', 'b4', 'b5', 'b6', 'b7', 'b8', 'b9', 'b10']) },
    ]);
    await a.commit(bySystem('i', 'b11'), { kind: 'resume', instanceId: 'i' });
    expect(rows(`SELECT failed_builds FROM durable_instance WHERE instance_id = 'i'`)).toEqual([
      { failed_builds: null },
    ]);
  });

  it.each(['ERR_DURABLE_POISONED', 'ERR_DURABLE_LIMIT'])('with %s waits for an operator', async (code) => {
    await a.commit(bySystem('i', 'b1', { code }));
    expect(await a.provider.resumeForBuild('b2', 2_000)).toBe(0);
  });

  it('ends with a termination, which has to run', async () => {
    await a.commit(suspend('i'));
    await a.commit(send('i', { kind: 'cancel', reason: 'r' }));
    expect(await statusOf('i')).toEqual(['Suspended', 'operator']);
    expect(await a.provider.runnable('a', '', 10)).toEqual([]);
    await a.commit(send('i', { kind: 'terminate', reason: 'r' }));
    expect((await statusOf('i'))[0]).not.toBe('Suspended');
    expect(await a.provider.runnable('a', '', 10)).toEqual(['i']);
    expect(
      await a.kinds(
        turn('i', 0, { ending: { status: 'Terminated', failure: { name: 'T', message: 'm', retryable: false } } }),
      ),
    ).toEqual(['accepted']);
  });
});

describe('taking over', () => {
  const crashesOf = (): Record<string, number> =>
    Object.fromEntries(
      rows<{ instance_id: string; crashes: number }>('SELECT instance_id, crashes FROM durable_instance').map((row) => [
        row.instance_id,
        row.crashes,
      ]),
    );
  const activityCrashes = (): [number, string | null][] =>
    rows<{ crashes: number; node: string | null }>(
      'SELECT crashes, node FROM durable_activity ORDER BY instance_id, schedule_id',
    ).map(({ crashes, node: holder }) => [crashes, holder]);
  let b: Node;

  beforeEach(async () => {
    b = await node('b');
    await b.provider.takeOver('b', [], 1_000);
    const ids = ['due', 'later', 'messages', 'quiet', 'works'];
    await a.commit(...ids.map((id) => start(id)), start('given back'));
    const seen = { consumed: [1], messagesSeen: 1, keepOwnership: true };
    await b.commit(
      turn('messages', 0, { keepOwnership: true }),
      turn('quiet', 0, seen),
      turn('works', 0, { ...seen, activities: [activity(1, { claimed: true })] }),
      turn('due', 0, { ...seen, timers: [{ executionId: 1, scheduleId: 1, fireAt: 1_500 }] }),
      turn('later', 0, { ...seen, timers: [{ executionId: 1, scheduleId: 1, fireAt: 9_500 }] }),
      turn('given back', 0, { ...seen, keepOwnership: false }),
    );
  });

  it('counts a crash for what the dead node was running, and for nothing else', async () => {
    expect(await a.provider.takeOver('a', 'all-others', 2_000)).toEqual({ nodes: ['b'], activities: 1, instances: 3 });
    expect(crashesOf()).toEqual({ due: 1, later: 0, messages: 1, quiet: 0, works: 1, 'given back': 0 });
    expect(activityCrashes()).toEqual([[1, null]]);
    expect(claimed(await a.commit(claim()))).toMatchObject([{ claim: 2, attempt: 1, crashes: 1 }]);
    expect(rows(`SELECT node FROM durable_node`)).toEqual([{ node: 'a' }]);
  });

  it('blames the suspect alone where there is one', async () => {
    await b.commit({ kind: 'suspect', instanceId: 'messages', generation: generationOf('messages'), expectedTurn: 1 });
    expect(await a.provider.takeOver('a', 'all-others', 2_000)).toEqual({ nodes: ['b'], activities: 1, instances: 1 });
    expect(crashesOf()).toEqual({ due: 0, later: 0, messages: 1, quiet: 0, works: 0, 'given back': 0 });
    expect(activityCrashes()).toEqual([[0, null]]);
    expect(rows(`SELECT suspect FROM durable_instance WHERE suspect IS NOT NULL`)).toEqual([]);
  });

  it('refuses the mark of a suspect that has moved', async () => {
    const mark = {
      kind: 'suspect',
      instanceId: 'messages',
      generation: generationOf('messages'),
      expectedTurn: 0,
    } as const;
    expect(
      await b.kinds(mark, { ...mark, expectedTurn: 1, generation: 'older life' }, { ...mark, expectedTurn: 1 }),
    ).toEqual(['refused', 'refused', 'accepted']);
  });

  it('leaves living clients alone, and takes those whose lease ran out', async () => {
    const client = await node('client');
    await a.provider.takeOver('a', 'all-others', 2_000);
    expect(await client.kinds(send('quiet'))).toEqual(['accepted']);
    const late = await a.provider.takeOver('a', 'all-others', 10_001);
    expect(late.nodes).toEqual(['client']);
    expect(await codeOf(client.commit(send('quiet')))).toBe('ERR_DURABLE_NODE_DEAD');
  });

  it('finds nothing after a graceful end', async () => {
    await b.provider.leave('b');
    expect(await a.provider.takeOver('a', 'all-others', 2_000)).toEqual({ nodes: [], activities: 0, instances: 0 });
    expect(Object.values(crashesOf())).toEqual([0, 0, 0, 0, 0, 0]);
    expect(activityCrashes()).toEqual([[0, null]]);
    expect(await codeOf(b.commit(send('quiet')))).toBe('ERR_DURABLE_NODE_DEAD');
    expect(await a.provider.runnable('a', '', 10)).toEqual(['messages']);
  });
});

describe('findStuck', () => {
  it('names what nothing will wake, and nothing else', async () => {
    const seen = { consumed: [1], messagesSeen: 1 };
    const events = (...kinds: object[]) => ({
      executionId: 1,
      firstEventId: 1,
      eventCount: kinds.length,
      events: JSON.stringify(kinds.map((event, index) => ({ id: index + 1, ...event }))),
    });
    const ids = ['activity', 'child', 'closed', 'message', 'new', 'nothing', 'over', 'suspended', 'timer', 'wait'];
    await a.commit(...ids.map((id) => start(id)));
    await a.commit(
      turn('activity', 0, { ...seen, activities: [activity(1)] }),
      turn('child', 0, { ...seen, history: events({ kind: 'SubOrchestrationScheduled' }) }),
      turn('closed', 0, {
        ...seen,
        history: events({ kind: 'WaitCreated' }, { kind: 'EventReceived', scheduleId: 1 }),
      }),
      turn('message', 0),
      turn('nothing', 0, seen),
      turn('over', 0, { ...seen, ending: completed }),
      turn('suspended', 0, seen),
      suspend('suspended'),
      turn('timer', 0, { ...seen, timers: [{ executionId: 1, scheduleId: 1, fireAt: 9 }] }),
      turn('wait', 0, { ...seen, history: events({ kind: 'WaitCreated' }) }),
    );
    expect(await a.provider.findStuck()).toEqual(['closed', 'nothing']);
  });

  it('sees beyond its pages', async () => {
    const ids = Array.from({ length: 1_201 }, (_, n) => `n${String(n).padStart(4, '0')}`);
    await a.commit(...ids.map((id) => start(id)));
    await a.commit(turn('n0500', 0, { messagesSeen: 1 }), turn('n1200', 0, { messagesSeen: 1 }));
    expect(await a.provider.findStuck()).toEqual(['n0500', 'n1200']);
  });
});

describe('pages', () => {
  it('of instances neither skip nor repeat what is there throughout, while others come and go', async () => {
    const ids = Array.from({ length: 30 }, (_, n) => `stays-${String(n).padStart(2, '0')}`);
    for (let from = 0; from < 30; from += 5)
      await a.commit(...ids.slice(from, from + 5).map((id) => start(id)), start(`goes-${from}`));
    const seen: string[] = [];
    let cursor: string | undefined;
    let round = 0;
    do {
      const page = await a.provider.list({}, { limit: 7, cursor });
      expect(page.items.length).toBeLessThanOrEqual(7);
      seen.push(...page.items.map(({ instanceId }) => instanceId));
      cursor = page.cursor;
      await a.commit(start(`comes-${round}`));
      change(`DELETE FROM durable_instance WHERE instance_id = 'goes-${5 * round}'`);
      round++;
    } while (cursor !== undefined);
    expect(seen.filter((id) => id.startsWith('stays')).sort()).toEqual(ids);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.some((id) => id.startsWith('comes'))).toBe(false);
  });

  it('of instances are filtered', async () => {
    a.now = 100;
    await a.commit(start('a%b'), start('a_b'), start('axb', { name: 'Other' }), start('\u{1F600}b'));
    a.now = 200;
    await a.commit(start('late'), turn('a_b', 0, { ending: completed }));
    const list = async (filter: object) =>
      (await a.provider.list(filter, { limit: 100 })).items.map(({ instanceId }) => instanceId).sort();
    expect(await list({ idPrefix: 'a%' })).toEqual(['a%b']);
    expect(await list({ idPrefix: '\u{1F600}' })).toEqual(['\u{1F600}b']);
    expect(await list({ status: ['Completed'] })).toEqual(['a_b']);
    expect(await list({ status: [] })).toEqual([]);
    expect(await list({ name: 'Other', status: ['Pending'] })).toEqual(['axb']);
    expect(await list({ createdAfter: 150 })).toEqual(['late']);
    expect(await list({ createdBefore: 150, idPrefix: 'a' })).toEqual(['a%b', 'a_b', 'axb']);
    expect((await a.provider.list({}, { limit: 5 })).cursor).toBeUndefined();
    expect(await codeOf(a.provider.list({}, { limit: 5, cursor: 'nonsense' }))).toBe('ERR_DURABLE_OPTION');
    expect(await codeOf(a.provider.list({}, { limit: 5, cursor: Buffer.from('[1]').toString('base64url') }))).toBe(
      'ERR_DURABLE_OPTION',
    );
  });

  it('of a history go on where they stopped, while turns are appended', async () => {
    await a.commit(start('i'));
    let id = 1;
    const append = (number: number, count: number): TurnItem => {
      const firstEventId = id;
      const events = JSON.stringify(Array.from({ length: count }, () => ({ id: id++, kind: 'KvCleared' })));
      return turn('i', number, {
        history: { executionId: 1, firstEventId, eventCount: count, events },
        nextEventId: id,
      });
    };
    for (let number = 0; number < 12; number++) await a.commit(append(number, (number % 4) + 1));
    const seen: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await a.provider.history('i', undefined, { limit: 4, cursor });
      expect(page.items.length).toBeLessThanOrEqual(4);
      seen.push(...page.items.map((event) => event.id));
      cursor = page.cursor;
      if (seen.length === 8) await a.commit(append(12, 3));
    } while (cursor !== undefined);
    expect(seen).toEqual(Array.from({ length: 33 }, (_, index) => index + 1));
    expect(await a.provider.history('i', 2, { limit: 4 })).toEqual({ items: [] });
    expect(await a.provider.history('nobody', undefined, { limit: 4 })).toEqual({ items: [] });
  });
});

describe('loading', () => {
  it('cuts buffered messages at the limit and nothing else', async () => {
    await a.commit(start('i'), start('j'));
    await a.commit(
      ...Array.from({ length: 20 }, (_, n) =>
        send('i', n % 2 === 0 ? event('e', String(n)) : { kind: 'queue-message', name: 'q', data: String(n) }),
      ),
    );
    await a.commit(send('i', { kind: 'cancel', reason: 'r' }), send('j'));
    const row = await a.load('i', { ...LIMITS, bufferedMessages: 5 });
    expect(row.messages.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 22]);
    expect([row.moreBuffered, row.messagesIn, row.messagesSeen]).toEqual([true, 22, 0]);
    expect(await a.load('i', { ...LIMITS, bufferedMessages: 20 })).toMatchObject({ moreBuffered: false });
    const loaded = await a.provider.load(['j', 'nobody', 'i'], { ...LIMITS, bufferedMessages: 1 });
    expect(
      new Set(
        loaded.map(({ instanceId, messages, moreBuffered }) => [instanceId, messages.length, moreBuffered].join(' ')),
      ),
    ).toEqual(new Set(['i 3 true', 'j 2 false']));
    const key = { instanceId: 'i', generation: generationOf('i') };
    expect((await a.provider.bufferedMessages(key, 'queue-message', 'q', 3)).map(({ seq }) => seq)).toEqual([3, 5, 7]);
    expect((await a.provider.messagesAfter(key, 20, 100)).map(({ seq }) => seq)).toEqual([21, 22]);
  });

  it('gives the due timers and pages through the others', async () => {
    await a.commit(start('i'), start('j'));
    const timers = (of: number[]) => of.map((fireAt, index) => ({ executionId: 1, scheduleId: index + 1, fireAt }));
    await a.commit(turn('i', 0, { timers: timers([300, 100, 100, 200]) }), turn('j', 0, { timers: timers([100]) }));
    expect((await a.load('i', { ...LIMITS, dueUntil: 200 })).dueTimers.map(({ scheduleId }) => scheduleId)).toEqual([
      2, 3, 4,
    ]);
    const seen: [number, string, number][] = [];
    for (let after: Parameters<TypeOrmProvider['timers']>[0] = null; ;) {
      const page = await a.provider.timers(after, 250, 2);
      seen.push(
        ...page.map(({ fireAt, instanceId, scheduleId }): [number, string, number] => [fireAt, instanceId, scheduleId]),
      );
      if (page.length < 2) break;
      after = page.at(-1)!;
    }
    expect(seen).toEqual([
      [100, 'i', 2],
      [100, 'i', 3],
      [100, 'j', 1],
      [200, 'i', 4],
    ]);
  });

  it('says of which instance a row cannot be read', async () => {
    await a.commit(start('bad'), start('good'), start('worse'));
    await a.commit(
      turn('good', 0, { history: history('OrchestrationStarted') }),
      turn('bad', 0, { history: history('OrchestrationStarted') }),
    );
    change(
      `UPDATE durable_history SET events = '[{' WHERE no = (SELECT no FROM durable_instance WHERE instance_id = 'bad'); UPDATE durable_message SET body = 'x' WHERE instance_id = 'worse'`,
    );
    const loaded = await a.provider.load(['bad', 'good', 'worse'], LIMITS);
    expect(loaded.map(({ instanceId, unreadable }) => [instanceId, typeof unreadable])).toEqual([
      ['bad', 'string'],
      ['good', 'undefined'],
      ['worse', 'string'],
    ]);
  });

  it('counts open handlers', async () => {
    await a.commit(start('i'), start('j'), start('k', { version: '2.0.0' }), start('over'));
    await a.commit(
      turn('over', 0, { ending: completed }),
      turn('i', 0, { activities: [activity(1), activity(2), activity(3, { tag: 'gpu' })] }),
      suspend('j'),
    );
    const { orchestrations, activities } = await a.provider.openHandlers();
    expect(new Set(orchestrations.map(({ version, count }) => `${version} ${count}`))).toEqual(
      new Set(['1.0.0 2', '2.0.0 1']),
    );
    expect(new Set(activities.map(({ tag, count }) => `${tag} ${count}`))).toEqual(new Set(['gpu 1', 'null 2']));
  });
});
