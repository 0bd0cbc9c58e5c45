import type { HistoryEvent } from '../../lib/core/history-event.js';
import { DEFAULT_LIMITS } from '../../lib/core/limits.js';
import { defaultCodec, type Payload } from '../../lib/core/payload.js';
import { replayHistory, type ExecutionOptions, type Handlers } from '../../lib/replay/index.js';
import { decisionsAfter, immediate, plain } from '../replay/support.js';
import type { GoldenFile } from './golden-file.js';

export interface Mismatch {
  readonly where: string;
  /** The code of an instance of that version could not go on. */
  readonly breaks: boolean;
  readonly what: string;
}

/** What replays otherwise than it was recorded; undefined if all is the same. */
export async function mismatchOf(golden: GoldenFile, handlers: Handlers): Promise<Mismatch | undefined> {
  for (const { instanceId, generation, executions } of golden.instances) {
    const kv = new Map<string, Payload>();
    for (const [index, recorded] of executions.entries()) {
      const executionId = index + 1;
      const where = `${instanceId}, execution ${executionId}`;
      const history = withoutTermination(recorded);
      const options: ExecutionOptions = {
        instanceId,
        generation,
        executionId,
        handlers,
        codec: defaultCodec,
        limits: DEFAULT_LIMITS,
        kv: new Map(kv),
      };
      const mismatch = (await whole(options, history)) ?? (await prefixes(options, history));
      if (mismatch !== undefined) return { ...mismatch, where };
      fold(kv, history);
    }
  }
  return undefined;
}

type Found = Omit<Mismatch, 'where'>;

async function whole(options: ExecutionOptions, history: readonly HistoryEvent[]): Promise<Found | undefined> {
  const { decisions, fault, execution } = await replayHistory({ ...options, history }, immediate);
  if (fault !== undefined) return { breaks: true, what: fault.message };
  if (decisions.length > 0) return { breaks: true, what: `after its end the code decided ${text(decisions)}` };
  const end = history.at(-1)!.kind;
  if (execution.ending !== undefined && execution.ending.kind !== end)
    return { breaks: true, what: `ended with ${execution.ending.kind}, recorded is ${end}` };
  return undefined;
}

/** The engine matches decisions by what identifies them; this compares every one of them as it would be written today. */
async function prefixes(options: ExecutionOptions, history: readonly HistoryEvent[]): Promise<Found | undefined> {
  for (let length = 1; length <= history.length; length++) {
    const prefix = history.slice(0, length);
    const { decisions, fault } = await replayHistory({ ...options, history: prefix, openEnded: true }, immediate);
    if (fault !== undefined) return { breaks: true, what: `after event ${length}: ${fault.message}` };
    const expected = decisionsAfter(history, length);
    const [now, then] = [decisions, expected].map((events) => withoutEffects(events));
    if (text(now!) === text(then!)) continue;
    return {
      breaks: false,
      what: `after event ${length} the code decides\n  ${text(now!)}\nrecorded is\n  ${text(then!)}`,
    };
  }
  return undefined;
}

/** An operator's act, which no code decides and after which nothing is ever replayed. */
const withoutTermination = (history: readonly HistoryEvent[]): readonly HistoryEvent[] =>
  history.at(-1)!.kind === 'OrchestrationTerminated' ? history.slice(0, -1) : history;

/** A side effect gives another value each time it runs; what was decided by it is compared after the longer prefixes. */
function withoutEffects(events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const effect = events.findIndex(({ kind }) => kind === 'SideEffectRecorded');
  return effect < 0 ? events : events.slice(0, effect);
}

function fold(kv: Map<string, Payload>, history: readonly HistoryEvent[]): void {
  for (const event of history) {
    if (event.kind === 'KvSet') kv.set(event.key, event.value);
    else if (event.kind === 'KvDeleted') kv.delete(event.key);
    else if (event.kind === 'KvCleared') kv.clear();
  }
}

const text = (events: readonly HistoryEvent[]): string => JSON.stringify(plain(events));
