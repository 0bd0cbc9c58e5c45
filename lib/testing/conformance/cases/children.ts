import { strict as assert } from 'node:assert';
import type { Message } from '../../../core/message.js';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { theme } from '../world.js';

const linkTo = (instanceId: string) => ({ ...is.keyOf(instanceId), executionId: 1, scheduleId: 2 });
/** Answers carry a failure of which the code is what matters. */
const short = (message: Message) =>
  'failure' in message && message.failure !== undefined ? { ...message, failure: message.failure.code } : message;

export const childCases = theme('a child', {
  'begins with its parent link and a start message that has it': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    const { started, delivered } = await a.accepted(
      is.firstTurn('p', { children: [is.child('c', { input: '"in"' })] }),
    );
    const message = {
      kind: 'start',
      executionId: 1,
      name: 'Child',
      version: '1.0.0',
      input: '"in"',
      parent: linkTo('p'),
    } as const;
    same(started, ['c']);
    same(delivered, [{ ...is.keyOf('c'), seq: 1, message }]);
    same(await a.messages('c'), [message]);
    same([(await a.load('c')).parent, (await a.status('c')).parent], [linkTo('p'), linkTo('p')]);
    same(await a.messages('p'), []);
  },
  'of a taken id answers its parent, in the same transaction': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'), is.start('c'));
    const { delivered, started, verdicts } = await a.commit(is.firstTurn('p', { children: [is.child('c')] }));
    const answer = {
      kind: 'child-completion',
      ...is.schedule(2),
      outcome: 'already-exists',
      failure: 'ERR_DURABLE_INSTANCE_EXISTS',
    };
    same([verdicts, started, delivered!.length], [[{ kind: 'accepted' }], [], 1]);
    same((await a.messages('p')).map(short), [answer]);
    same(await a.seqsOf('p'), [2]);
    has(await a.status('c'), { name: 'Test', parent: undefined });
  },
  'of a finished id is a clash too': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'), is.start('c'));
    await a.accepted(is.ending('c'));
    await a.accepted(is.firstTurn('p', { children: [is.child('c')] }));
    assert.equal((await a.messages('p')).length, 1);
    has(await a.status('c'), { status: 'Completed' });
  },
  'with the id of its own parent is a clash': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    await a.accepted(is.firstTurn('p', { children: [is.child('p', { generation: 'other' })] }));
    same(
      (await a.messages('p')).map(({ kind }) => kind),
      ['child-completion'],
    );
    has(await a.status('p'), { generation: is.generationOf('p'), parent: undefined });
  },
  'that clashes does not keep its siblings from starting': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'), is.start('taken'));
    const children = ['x', 'taken', 'y'].map((id, n) => is.child(id, { scheduleId: n + 2 }));
    const { started } = await a.accepted(is.firstTurn('p', { children }));
    same([...started].sort(), ['x', 'y']);
    same(
      (await a.messages('p')).map((it) => 'scheduleId' in it && it.scheduleId),
      [3],
    );
  },
  'of two of one id in one turn is one, and the other is a clash': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    const children = ['one', 'two'].map((generation, n) => is.child('c', { generation, scheduleId: n + 2 }));
    await a.accepted(is.firstTurn('p', { children }));
    const { parent, generation } = await a.status('c');
    const answers = await a.messages('p');
    assert.equal(parent!.scheduleId, generation === 'one' ? 2 : 3);
    same(
      answers.map((it) => 'scheduleId' in it && it.scheduleId),
      [generation === 'one' ? 3 : 2],
    );
  },
  'of two parents in one batch belongs to one of them, and the other is told': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'), is.start('q'));
    await a.accepted(
      is.firstTurn('p', { children: [is.child('c', { generation: 'of p' })] }),
      is.firstTurn('q', { children: [is.child('c', { generation: 'of q' })] }),
    );
    const { parent, generation } = await a.status('c');
    const owner = parent!.instanceId;
    assert.equal(generation, `of ${owner}`);
    const told = [(await a.messages('p')).length, (await a.messages('q')).length];
    same(told, owner === 'p' ? [0, 1] : [1, 0]);
  },
  'that a client starts in the same batch is a clash for the one who comes second': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    const [client] = await a.kinds(
      is.start('c', { generation: 'client' }),
      is.firstTurn('p', { children: [is.child('c')] }),
    );
    const { generation, parent } = await a.status('c');
    const told = (await a.messages('p')).length;
    const isClients = client === 'accepted';
    same([generation, parent, told], isClients ? ['client', undefined, 1] : [is.generationOf('c'), linkTo('p'), 0]);
  },
  'that is detached is answered when it began, and has no parent': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    await a.accepted(is.firstTurn('p', { children: [is.detached('c')] }));
    const [answer] = await a.messages('p');
    same([answer!.kind, 'failure' in answer! && answer.failure], ['detached-start', false]);
    same([(await a.status('c')).parent, (await a.messages('c')).map((it) => 'parent' in it)], [undefined, [false]]);
  },
  'that is detached and clashes is answered with why': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'), is.start('c'));
    await a.accepted(is.firstTurn('p', { children: [is.detached('c')] }));
    const answer = { kind: 'detached-start', ...is.schedule(2), failure: 'ERR_DURABLE_INSTANCE_EXISTS' };
    same((await a.messages('p')).map(short), [answer]);
  },
  'of a refused turn does not begin': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    await a.commit(is.turn('p', 3, { children: [is.child('c'), is.detached('d')] }));
    same(await a.provider.statuses(['c', 'd']), []);
  },
  'of a turn that ends the parent begins, and its answers go nowhere': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'), is.start('taken'));
    const children = [is.detached('c'), is.detached('taken', { scheduleId: 3 })];
    const { undeliverable } = await a.commit(is.ending('p', 0, { consumed: [1], messagesSeen: 1, children }));
    assert.equal(undeliverable, 2);
    has(await a.status('c'), { status: 'Pending' });
    same(await a.messages('p'), []);
  },
  'keeps its parent link over its own next executions': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    await a.accepted(is.firstTurn('p', { children: [is.child('c')] }));
    await a.accepted(is.firstTurn('c', { executionId: 2, toItself: is.nextExecution(2) }));
    same((await a.load('c')).parent, linkTo('p'));
  },
  'that ended tells its parent, of that generation only': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    await a.accepted(is.firstTurn('p', { children: [is.child('c')] }));
    const message: Message = { kind: 'child-completion', ...is.schedule(2), result: '7' };
    const { undeliverable } = await a.commit(
      is.ending('c', 0, {
        messages: [
          { instanceId: 'p', generation: 'older life', message },
          { ...is.keyOf('p'), message },
        ],
      }),
    );
    assert.equal(undeliverable, 1);
    same(await a.messages('p'), [message]);
  },
  'with a failure in its answer keeps the failure whole': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    const failure = { ...is.failure('top'), code: 'E1', cause: is.failure('below'), data: '{"n":1}' };
    const message: Message = { kind: 'child-completion', ...is.schedule(2), outcome: 'failed', failure };
    await a.commit(is.send('p', message));
    same((await a.messages('p')).at(-1), message);
  },
  'can be asked for by 200 in one turn': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('p'));
    const children = Array.from({ length: 200 }, (_, n) => is.child(`c${n}`, { scheduleId: n + 2 }));
    const { started } = await a.accepted(is.firstTurn('p', { children }));
    assert.equal(started.length, 200);
    has(await a.load('c199'), { parent: { ...is.keyOf('p'), executionId: 1, scheduleId: 201 } });
  },
});
