import { join } from 'node:path';
import type { DurableClient } from '../../lib/client/index.js';
import type { HistoryEvent } from '../../lib/core/history-event.js';
import { ENGINE_FORMAT } from '../../lib/core/limits.js';
import type { Page, PageRequest, Provider } from '../../lib/provider/index.js';
import { eventually, registryOf, startEngine, temporaryDirectory } from '../support/engine.js';
import type { GoldenFile, GoldenInstance } from './golden-file.js';
import type { GoldenProgram } from './golden-program.js';

const WITHIN_MS = 20_000;
const ENDED = ['Completed', 'Failed', 'Cancelled', 'Terminated'];

/** Runs a program on a real engine over a SQLite file until everything it started has ended, and takes its histories. */
export async function record(program: GoldenProgram, version: string): Promise<GoldenFile> {
  const { name, early, during } = program;
  const directory = temporaryDirectory();
  const file = join(directory.path, 'durable.sqlite');
  const registry = registryOf(program.orchestrations, program.activities);
  // Stacks hold the paths of the machine that records.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    const outside = await startEngine(file, registry, { runsInstances: false });
    const [target, asked] = Object.keys(program.orchestrations)[0]!.split('@');
    await outside.client.startOrchestration(target!, program.input, { instanceId: name, version: asked });
    await early?.(outside.client, name);
    await outside.stop();

    const engine = await startEngine(file, registry, { tags: ['gpu'] });
    try {
      await eventually(
        () => eventsOf(engine.provider, name, 1),
        (events) => events.length > 0,
        WITHIN_MS,
      );
      await during?.(engine.client, name);
      await eventually(
        () => openIn(engine.client),
        (open) => open.length === 0,
        WITHIN_MS,
      );
      return {
        format: ENGINE_FORMAT,
        program: name,
        recordedWith: { version, node: process.version },
        instances: await instancesIn(engine.provider),
      };
    } finally {
      await engine.stop();
    }
  } finally {
    Error.stackTraceLimit = limit;
    directory.remove();
  }
}

async function openIn(client: DurableClient): Promise<string[]> {
  const { items } = await client.management.listInstances({}, { limit: 1_000 });
  return items.filter(({ status }) => !ENDED.includes(status)).map(({ instanceId }) => instanceId);
}

async function instancesIn(provider: Provider): Promise<GoldenInstance[]> {
  const rows = await everything((page) => provider.list({}, page));
  const instances: GoldenInstance[] = [];
  for (const { instanceId, generation, executionId } of rows) {
    const executions: HistoryEvent[][] = [];
    for (let execution = 1; execution <= executionId; execution++)
      executions.push(await eventsOf(provider, instanceId, execution));
    instances.push({ instanceId, generation, executions });
  }
  return instances.sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
}

const eventsOf = (provider: Provider, instanceId: string, executionId: number): Promise<HistoryEvent[]> =>
  everything((page) => provider.history(instanceId, executionId, page));

async function everything<T>(read: (page: PageRequest) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read({ limit: 1_000, cursor });
    all.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return all;
}
