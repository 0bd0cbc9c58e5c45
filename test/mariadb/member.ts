import { DurableClient } from '../../lib/client/index.js';
import { TypeOrmProvider, type TypeOrmProviderOptions } from '../../lib/providers/typeorm/index.js';
import { DurableRuntime, type EngineOptions } from '../../lib/runtime/index.js';
import { memberRegistry, type Order, type Report } from '../postgres/member.js';

// One engine process of a fleet, told what to do by the test that forked it.

export interface MemberSettings {
  readonly provider: TypeOrmProviderOptions;
  readonly options: EngineOptions;
}

const report = (what: Report): void => void process.send!(what);

async function main({ provider, options }: MemberSettings): Promise<void> {
  const tell = (message: string): void => report({ kind: 'log', message });
  const runtime = new DurableRuntime({
    provider: new TypeOrmProvider(provider),
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

if (process.send !== undefined && process.argv[2] === 'mariadb-member')
  await main(JSON.parse(process.argv[3]!) as MemberSettings);
