import { strict as assert } from 'node:assert';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { range, sorted, theme } from '../world.js';

const quiet = { consumed: [1], messagesSeen: 1 };
const short = (counted: readonly { readonly count: number }[]): string[] =>
  sorted(counted.map((it) => Object.values(it).map(String).join(' ')));

export const wakingCases = [
  ...theme('runnable', {
    'is who has a message that no turn has looked at': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('new'), is.start('seen'), is.start('again'), is.start('over'));
      await a.accepted(is.firstTurn('seen'), is.firstTurn('again'), is.ending('over'));
      await a.commit(is.send('again'));
      same(await a.runnable(), ['again', 'new']);
    },
    'is not who belongs to another living node': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'), is.start('j'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      same([await a.runnable(), await b.runnable()], [['j'], ['i', 'j']]);
    },
    'is who belonged to a node that is gone': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      await b.accepted(is.turn('i', 0, { keepOwnership: true }));
      await a.takeOver(['b']);
      same(await a.runnable(), ['i']);
    },
    'is nobody for a timer or an activity alone': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.firstTurn('i', { timers: [is.timer(1, 1)], activities: [is.activity(2)] }));
      same(await a.runnable(), []);
    },
    'comes in pages that visit everybody once': async (world) => {
      const a = await world.node('a');
      const ids = [...range(1, 40).map((n) => `i${n}`), 'B', 'a', 'Z', 'z', 'é', 'e', '😀', '\uffee', ' ', '%'];
      await a.accepted(...ids.map((id) => is.start(id)));
      const seen: string[] = [];
      for (let after = ''; ; after = seen.at(-1)!) {
        const page = await a.runnable(after, 7);
        seen.push(...page);
        if (page.length < 7) break;
      }
      same([seen.length, new Set(seen)], [ids.length, new Set(ids)]);
    },
    'sorts plain letters and digits by their codes': async (world) => {
      const a = await world.node('a');
      await a.accepted(...['b', 'B', 'a', '10', '9', 'a1', 'A'].map((id) => is.start(id)));
      same(await a.runnable(), ['10', '9', 'A', 'B', 'a', 'a1', 'b']);
      same(await a.runnable('B'), ['a', 'a1', 'b']);
    },
    'is seen by another process as soon as the start is committed': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await a.accepted(is.start('i'));
      same(await b.runnable(), ['i']);
    },
  }),
  ...theme('what changed elsewhere', {
    'is told once after a commit of another process': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await b.provider.changedElsewhere();
      await a.accepted(is.start('i'));
      assert.equal(await b.provider.changedElsewhere(), true);
    },
    'is told after another process took over': async (world) => {
      const [a, b] = [await world.node('a'), await world.node('b')];
      await world.node('c');
      await b.provider.changedElsewhere();
      await a.takeOver(['c']);
      assert.equal(await b.provider.changedElsewhere(), true);
    },
  }),
  ...theme('stuck', {
    'is who nothing will ever wake, and nobody else': async (world) => {
      const a = await world.node('a');
      const ids = ['activity', 'claimed', 'message', 'new', 'nothing', 'over', 'suspended', 'timer'];
      await a.accepted(...ids.map((id) => is.start(id)));
      await a.accepted(
        is.turn('activity', 0, { ...quiet, activities: [is.activity(1, { dueAt: 99_000 })] }),
        is.turn('claimed', 0, { ...quiet, activities: [is.activity(1, { claimed: true })] }),
        is.turn('message', 0),
        is.turn('nothing', 0, quiet),
        is.ending('over'),
        is.turn('suspended', 0, quiet),
        is.suspend('suspended'),
        is.turn('timer', 0, { ...quiet, timers: [is.timer(1, 99_000)] }),
      );
      same(await a.provider.findStuck(), ['nothing']);
    },
    'is not who waits for an event, a queue or a child': async (world) => {
      const a = await world.node('a');
      const kinds = { wait: 'WaitCreated', dequeue: 'DequeueCreated', child: 'SubOrchestrationScheduled' };
      const ids = Object.keys(kinds) as (keyof typeof kinds)[];
      await a.accepted(...ids.map((id) => is.start(id)));
      await a.accepted(
        ...ids.map((id) => is.turn(id, 0, { ...quiet, history: is.history('OrchestrationStarted', kinds[id]) })),
      );
      same(await a.provider.findStuck(), []);
    },
    'is who has got all it waited for': async (world) => {
      const a = await world.node('a');
      const got = { wait: 'EventReceived', dequeue: 'MessageDequeued', child: 'SubOrchestrationCompleted' };
      const asked = { wait: 'WaitCreated', dequeue: 'DequeueCreated', child: 'SubOrchestrationScheduled' };
      const ids = Object.keys(got) as (keyof typeof got)[];
      await a.accepted(...ids.map((id) => is.start(id)));
      await a.accepted(...ids.map((id) => is.turn(id, 0, { ...quiet, history: is.events(1, 1, { kind: asked[id] }) })));
      same(await a.provider.findStuck(), []);
      await a.accepted(
        ...ids.map((id) => is.turn(id, 1, { history: is.events(1, 2, { kind: got[id], scheduleId: 1 }) })),
      );
      same(await a.provider.findStuck(), ['child', 'dequeue', 'wait']);
    },
    'is who has only cancelled waits': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      const history = is.events(1, 1, { kind: 'WaitCreated' }, { kind: 'FutureCancelled', scheduleId: 1 });
      await a.accepted(is.turn('i', 0, { ...quiet, history }));
      same(await a.provider.findStuck(), ['i']);
    },
    'is who waited in an execution that is over': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      const history = is.history('WaitCreated', 'ContinuedAsNew');
      await a.accepted(is.turn('i', 0, { ...quiet, history, executionId: 2 }));
      same(await a.provider.findStuck(), ['i']);
    },
    'is found among very many': async (world) => {
      const a = await world.node('a');
      const ids = range(1, 1_201).map((n) => `n${String(n).padStart(4, '0')}`);
      for (const n of range(0, 3)) await a.accepted(...ids.slice(n * 301, n * 301 + 301).map((id) => is.start(id)));
      await a.accepted(is.turn('n0500', 0, quiet), is.turn('n1201', 0, quiet));
      same(await a.provider.findStuck(), ['n0500', 'n1201']);
    },
  }),
  ...theme('open handlers', {
    'are the unfinished instances and all activities, counted by name': async (world) => {
      const a = await world.node('a');
      await a.accepted(
        is.start('i'),
        is.start('j'),
        is.start('k', { version: '2.0.0' }),
        is.start('l', { name: 'Other' }),
        is.start('over'),
      );
      await a.accepted(
        is.ending('over'),
        is.suspend('j'),
        is.firstTurn('i', {
          activities: [
            is.activity(1),
            is.activity(2, { claimed: true }),
            is.activity(3, { tag: 'gpu' }),
            is.activity(4, { name: 'x' }),
          ],
        }),
      );
      const { orchestrations, activities } = await a.provider.openHandlers();
      same(short(orchestrations), ['Other 1.0.0 1', 'Test 1.0.0 2', 'Test 2.0.0 1']);
      same(short(activities), ['work gpu 1', 'work null 2', 'x null 1']);
    },
    'of an empty store are none': async (world) => {
      const a = await world.node('a');
      same(await a.provider.openHandlers(), { orchestrations: [], activities: [] });
    },
    'follow the version an instance changed to': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      await a.accepted(is.firstTurn('i', { changes: { version: '2.0.0', cancelRequested: false } }));
      has((await a.provider.openHandlers()).orchestrations[0], { version: '2.0.0', count: 1 });
    },
    'differ by capitals, accents and blanks': async (world) => {
      const a = await world.node('a');
      const names = ['Pay', 'pay', 'Pay ', 'Páy'];
      await a.accepted(...names.map((name) => is.start(name, { name })));
      const { orchestrations } = await a.provider.openHandlers();
      same(
        sorted(orchestrations.map(({ name, count }) => `${name}|${count}`)),
        sorted(names.map((name) => `${name}|1`)),
      );
    },
  }),
];
