import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Batch } from '../../lib/provider/batch.js';
import type { Provider } from '../../lib/provider/index.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';
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

function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const seen = { waits: false };
  const pass = (): Promise<void> => {
    seen.waits = true;
    return opened;
  };
  return { pass, open, seen };
}

const sendsTo = (batch: Batch, id: string): boolean =>
  batch.items.some((item) => item.kind === 'send' && item.instanceId === id);
const startsChild = (batch: Batch): boolean =>
  batch.items.some((item) => item.kind === 'turn' && item.children.length > 0);

describe('a message on one lane to a child whose start is on its way on another', () => {
  it('reaches it, whichever answer comes first', async () => {
    const [firstLane, start, load] = [gate(), gate(), gate()];
    const wrap = (inner: Provider): Provider => {
      const commit = inner.commit.bind(inner);
      const read = inner.load.bind(inner);
      return Object.assign(inner, {
        lanes: 2,
        laneFill: 1,
        commit: async (node: string, lane: number, batch: Batch, patienceMs: number) => {
          if (sendsTo(batch, 'busy')) await firstLane.pass();
          const result = await commit(node, lane, batch, patienceMs);
          if (startsChild(batch)) await start.pass();
          return result;
        },
        load: async (...args: Parameters<Provider['load']>) => {
          const loaded = await read(...args);
          if (args[0].includes('child')) await load.pass();
          return loaded;
        },
      });
    };
    const Parent = async (ctx: OrchestrationContext) => {
      await ctx.scheduleWait('go');
      return ctx.scheduleSubOrchestration('Child', undefined, { instanceId: 'child' });
    };
    const Child = async (ctx: OrchestrationContext) => {
      ctx.setCustomStatus('waits');
      return ctx.scheduleWait('hello');
    };
    engine = await startEngine(`${directory.path}/durable.sqlite`, registryOf({ Parent, Child }), { wrap });
    const { client } = engine;
    const parent = await client.startOrchestration('Parent', undefined, { instanceId: 'parent' });
    await client.startOrchestration('Child', undefined, { instanceId: 'busy' });
    await eventually(async () => (await client.getOrchestrationStatus('parent')).status === 'Running');
    await parent.raiseEvent('go');
    const busy = client.raiseEvent('busy', 'hello'); // the first lane has work: the parent's turn goes to the second
    await eventually(() => start.seen.waits);
    firstLane.open();
    await busy;
    await client.raiseEvent('child', 'hello', 'there');
    await eventually(() => load.seen.waits);
    start.open();
    await eventually(async () => (await client.getOrchestrationStatus('child')).customStatus === 'waits');
    load.open();
    expect(await parent.result({ timeout: '5s' })).toBe('there');
  });
});
