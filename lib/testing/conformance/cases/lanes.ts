import { strict as assert } from 'node:assert';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { rejectionOf } from '../node.js';
import { theme } from '../world.js';

export const laneCases = theme('lanes', {
  'take the same number once each': async (world) => {
    const a = await world.node('a', { lanes: 2 });
    await a.commitOn(0, is.start('x'));
    await a.commitOn(1, is.start('y'));
    await a.commitOn(1, is.start('z'));
    assert.equal((await a.provider.statuses(['x', 'y', 'z'])).length, 3);
  },
  'refuse a number that leaves a gap, with nothing of the batch in': async (world) => {
    const a = await world.node('a');
    await rejectionOf(a.provider.commit('a', 0, { seq: 2, now: 1_000, items: [is.start('i')] }, 0));
    assert.equal(await a.provider.status('i'), null);
    await a.accepted(is.start('i'));
  },
  'refuse a number that is long over, with nothing of the batch in': async (world) => {
    const a = await world.node('a');
    const old = a.batch(is.start('i'));
    await a.send(old);
    await a.commit(is.start('j'));
    await rejectionOf(a.provider.commit('a', 0, { ...old, items: [is.start('late')] }, 0));
    assert.equal(await a.provider.status('late'), null);
  },
  'that a node never registered are those of a dead node': async (world) => {
    const a = await world.node('a', { lanes: 1 });
    has(await rejectionOf(a.provider.commit('a', 1, a.batchOn(1, is.start('i')), 0)), {
      code: 'ERR_DURABLE_NODE_DEAD',
    });
    assert.equal(await a.provider.status('i'), null);
  },
  'of a node that never joined take nothing': async (world) => {
    const a = await world.node('a');
    const stranger = a.provider.commit('stranger', 0, { seq: 1, now: 1_000, items: [is.start('i')] }, 0);
    has(await rejectionOf(stranger), { code: 'ERR_DURABLE_NODE_DEAD', retryable: false });
    assert.equal(await a.provider.status('i'), null);
  },
  'of two nodes do not share their numbers': async (world) => {
    const [a, b] = [await world.node('a'), await world.node('b')];
    await a.accepted(is.start('x'));
    await a.accepted(is.start('y'));
    await b.accepted(is.start('z'));
    assert.equal((await b.provider.statuses(['x', 'y', 'z'])).length, 3);
  },
  'are over for ever when their node was declared dead': async (world) => {
    const [a, b] = [await world.node('a'), await world.node('b')];
    const batch = a.batch(is.start('i'));
    await b.takeOver(['a']);
    for (let again = 0; again < 2; again++)
      has(await rejectionOf(a.provider.commit('a', 0, batch, 0)), { code: 'ERR_DURABLE_NODE_DEAD', retryable: false });
    assert.equal(await b.provider.status('i'), null);
  },
  'are over when their node has left': async (world) => {
    const a = await world.node('a');
    await a.leave();
    has(await rejectionOf(a.provider.commit('a', 0, a.batch(is.start('i')), 0)), { code: 'ERR_DURABLE_NODE_DEAD' });
  },
  'a batch that came in before its node was declared dead stays in, though nobody can ask for it': async (world) => {
    const [a, b] = [await world.node('a'), await world.node('b')];
    const batch = a.batch(is.start('i'));
    await a.send(batch);
    await b.takeOver(['a']);
    has(await rejectionOf(a.provider.commit('a', 0, batch, 0)), { code: 'ERR_DURABLE_NODE_DEAD' });
    has(await b.status('i'), { status: 'Pending' });
  },
  'take an empty batch, which moves the lane': async (world) => {
    const a = await world.node('a');
    same((await a.commit()).verdicts, []);
    await a.accepted(is.start('i'));
  },
  'a batch with an impossible item leaves nothing, and its number is free for what is possible': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    const impossible = { ...is.start('bad'), name: null as unknown as string };
    has(await a.refusedForGood(is.start('good'), is.send('i'), impossible), { retryable: false });
    same(await a.provider.statuses(['good', 'bad']), []);
    same(await a.counters('i'), [1, 0]);
    same(await a.kinds(is.start('good'), is.send('i')), ['accepted', 'accepted']);
  },
  'an event range that is written twice is impossible, and nothing of the batch is in': async (world) => {
    const a = await world.node('a');
    await a.accepted(is.start('i'));
    await a.accepted(is.firstTurn('i', { history: is.history('OrchestrationStarted'), nextEventId: 2 }));
    const again = is.turn('i', 1, { history: is.history('OrchestrationStarted'), customStatus: '"twice"' });
    has(await a.refusedForGood(again, is.start('j')), { retryable: false });
    assert.equal(await a.provider.status('j'), null);
    has(await a.load('i'), { turn: 1 });
    assert.equal((await a.status('i')).customStatus, null);
  },
});
