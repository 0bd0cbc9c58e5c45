import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import { systemPorts } from '../../lib/runtime/ports.js';
import { Timers } from '../../lib/runtime/timers.js';
import { eventually, registryOf, startEngine, temporaryDirectory } from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
const file = (): string => `${directory.path}/durable.sqlite`;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

describe('timers that are read anew', () => {
  it('hold what came into the store while an earlier answer was on its way', async () => {
    const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: file() } });
    await provider.open();
    const read = provider.timers.bind(provider);
    let arrive!: () => void;
    const answer = new Promise<void>((resolve) => (arrive = resolve));
    let asked = 0;
    provider.timers = async (...args) => {
      const page = await read(...args);
      if (++asked === 1) await answer;
      return page;
    };
    const fired: string[] = [];
    const timers = new Timers(
      provider,
      systemPorts,
      (due) => fired.push(...due.map(({ instanceId }) => instanceId)),
      () => undefined,
    );
    const first = timers.start();
    await eventually(() => asked === 1);
    // A node arms a timer and dies.
    const Sleep = async (ctx: OrchestrationContext) => ctx.scheduleTimer('500ms');
    await using other = await startEngine(file(), registryOf({ Sleep }), { shutdownGrace: 0 });
    await other.client.startOrchestration('Sleep', undefined, { instanceId: 'i' });
    await eventually(async () => (await other.client.getOrchestrationStatus('i')).status === 'Running');
    await other.stop();
    const again = timers.start();
    arrive();
    await Promise.all([first, again]);
    await eventually(() => fired.includes('i'), Boolean, 5_000);
    expect(fired).toEqual(['i']);
    timers.stop();
    await provider.close();
  });
});
