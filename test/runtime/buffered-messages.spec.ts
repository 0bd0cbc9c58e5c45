import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Provider } from '../../lib/provider/index.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import { MAX_BUFFERED_IN_MEMORY } from '../../lib/core/limits.js';
import { eventually, registryOf, startEngine, temporaryDirectory, type TestEngine } from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
let engine: TestEngine;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await engine.stop();
  directory.remove();
});

/** The answer to this question for the queue is on its way until the test lets it arrive. */
function slowAnswer(which: number) {
  let arrive!: () => void;
  const gate = new Promise<void>((resolve) => (arrive = resolve));
  const seen = { asked: 0 };
  const wrap = (provider: Provider): Provider => {
    const ask = provider.bufferedMessages.bind(provider);
    provider.bufferedMessages = async (...args) => {
      const answer = await ask(...args);
      if (args[1] === 'queue-message' && ++seen.asked === which) await gate;
      return answer;
    };
    return provider;
  };
  return { wrap, seen, arrive };
}

describe('messages of a queue that is longer than memory', () => {
  const Drain = async (ctx: OrchestrationContext, count: number) => {
    await ctx.scheduleWait('go');
    const taken: unknown[] = [];
    while (taken.length < count) taken.push(await ctx.dequeueEvent('q'));
    return taken;
  };

  it.each([
    { answer: 'holds the rest of the queue', which: 1, inStore: 5 },
    { answer: 'finds the queue empty', which: 2, inStore: 1_000 },
  ])('are all taken when one comes while an answer is on its way that $answer', async ({ which, inStore }) => {
    const early = MAX_BUFFERED_IN_MEMORY + inStore;
    const { wrap, seen, arrive } = slowAnswer(which);
    const registry = registryOf({ Drain: Drain as never });
    engine = await startEngine(`${directory.path}/durable.sqlite`, registry, { wrap });
    const handle = await engine.client.startOrchestration('Drain', early + 1, { instanceId: 'i' });
    await Promise.all(Array.from({ length: early }, (_, n) => handle.enqueueEvent('q', n)));
    await handle.raiseEvent('go');
    await eventually(() => seen.asked === which);
    await handle.enqueueEvent('q', early);
    arrive();
    expect(await handle.result({ timeout: '10s' })).toEqual(Array.from({ length: early + 1 }, (_, n) => n));
  });
});
