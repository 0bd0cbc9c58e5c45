import { setTimeout as pause } from 'node:timers/promises';
import { DurableClient } from '../../lib/client/index.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import { DurableRuntime, Registry, type EngineOptions } from '../../lib/runtime/index.js';

// One engine process of a fleet, told what to do by the test that forked it.

export interface MemberSettings {
  readonly url: string;
  readonly schema: string;
  readonly options: EngineOptions;
}

/** From the test. */
export type Order =
  | { readonly kind: 'start'; readonly name: string; readonly ids: readonly string[]; readonly input: unknown }
  | { readonly kind: 'stop' };

/** To the test. */
export type Report =
  | { readonly kind: 'ready'; readonly node: string }
  | { readonly kind: 'step'; readonly instanceId: string; readonly step: number }
  | { readonly kind: 'started' }
  | { readonly kind: 'log'; readonly message: string }
  | { readonly kind: 'stopped' };

const report = (what: Report): void => void process.send!(what);

export function memberRegistry(stepped: (instanceId: string, step: number) => void): Registry {
  const registry = new Registry();
  registry.addOrchestration({
    name: 'chain',
    create: () => ({
      run: async (context: OrchestrationContext, steps: number) => {
        let sum = 0;
        for (let step = 1; step <= steps; step++)
          sum += await context.scheduleActivity<number>('step', [context.instanceId, step]);
        return sum;
      },
    }),
  });
  registry.addOrchestration({
    name: 'wait',
    // The timer keeps the instance with the process that started it.
    create: () => ({
      run: async (context: OrchestrationContext) => {
        for (;;) {
          const go = context.scheduleWait('go');
          const first = await context.select({ go, near: context.scheduleTimer('3s') });
          if (first.winner === 'go') return first.value;
        }
      },
    }),
  });
  registry.addOrchestration({
    name: 'sleep',
    create: () => ({
      run: async (context: OrchestrationContext, ms: number) => {
        await context.scheduleTimer(ms);
        return context.scheduleActivity<number>('step', [context.instanceId, 1]);
      },
    }),
  });
  registry.addOrchestration({
    name: 'poison',
    create: () => ({
      run: () => {
        process.kill(process.pid, 'SIGKILL');
        return new Promise(() => undefined);
      },
    }),
  });
  registry.addActivity({
    name: 'step',
    run: async ([instanceId, step]) => {
      stepped(instanceId as string, step as number);
      await pause(20);
      return step;
    },
  });
  return registry;
}

async function main({ url, schema, options }: MemberSettings): Promise<void> {
  const provider = new TypeOrmProvider({ storage: { type: 'postgres', url }, schema });
  const tell = (message: string): void => report({ kind: 'log', message });
  const runtime = new DurableRuntime({
    provider,
    registry: memberRegistry((instanceId, step) => report({ kind: 'step', instanceId, step })),
    log: { debug: tell, log: tell, warn: tell, error: tell },
    ...options,
  });
  const client = new DurableClient(runtime);
  process.on('message', (order: Order) => {
    if (order.kind === 'stop') void runtime.stop().then(() => process.exit(0));
    else
      void Promise.all(
        order.ids.map((instanceId) => client.startOrchestration(order.name, order.input, { instanceId })),
      ).then(() => report({ kind: 'started' }));
  });
  process.on('disconnect', () => process.exit(1));
  await runtime.start();
  report({ kind: 'ready', node: runtime.status.node });
}

if (process.send !== undefined && process.argv[2] === 'member')
  await main(JSON.parse(process.argv[3]!) as MemberSettings);
