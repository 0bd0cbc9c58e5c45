import { ENGINE_FORMAT } from '../../lib/core/limits.js';
import { KV_READ_ACTIVITY, type Handlers } from '../../lib/replay/index.js';
import { Registry } from '../../lib/runtime/registry.js';
import type { GoldenFile } from './golden-file.js';
import type { GoldenProgram } from './golden-program.js';
import { PROGRAMS } from './programs.js';
import { mismatchOf, type Mismatch } from './replaying.js';

/** Replays everything a golden file holds with the present engine. */
export function replayed(golden: GoldenFile): Promise<Mismatch | undefined> {
  const program = PROGRAMS.find(({ name }) => name === golden.program);
  if (program === undefined)
    throw new Error(`${golden.program} has histories and no program: a golden program stays as long as its histories`);
  if (golden.format > ENGINE_FORMAT)
    throw new Error(`${golden.program} was recorded in format ${golden.format}, this version knows ${ENGINE_FORMAT}`);
  return mismatchOf(golden, handlersOf(program));
}

function handlersOf({ orchestrations, activities }: GoldenProgram): Handlers {
  const registry = new Registry();
  for (const [key, run] of Object.entries(orchestrations)) {
    const [name, version] = key.split('@');
    registry.addOrchestration({ name: name!, version, create: () => ({ run: run as never }) });
  }
  // The runtime adds its own when it starts.
  for (const name of [...Object.keys(activities ?? {}), KV_READ_ACTIVITY])
    registry.addActivity({ name, run: () => undefined });
  return registry;
}

/** What a difference means to whoever made it. */
export function explained(file: string, { where, breaks, what }: Mismatch): string {
  const meaning = breaks
    ? `Instances that such a version left unfinished would be suspended by this one. Mend the engine so that old histories
replay. If a new order of decisions or settlement is really meant, raise ENGINE_FORMAT in lib/core/limits.ts, keep the old
order for instances of the old format, and record the new one with npm run golden:record; the old files stay.`
    : `The old history still replays, but this version would write other events: other values if it went on from there, or
another shape, which nodes of the old version beside it during a deployment must be able to read. If that is not meant, mend
the engine. If it is, raise ENGINE_FORMAT in lib/core/limits.ts and record the new format with npm run golden:record. Only
while no version was published: record anew with --force.`;
  return `${file}: ${where}: ${what}\n\n${meaning}`;
}
