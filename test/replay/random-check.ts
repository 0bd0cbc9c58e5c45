import { isTerminal, type HistoryEvent } from '../../lib/core/history-event.js';
import { Execution, MessageBuffer, openSchedules, Stand, Turn } from '../../lib/replay/index.js';
import { printed, type Node, type RandomCase } from './random-program.js';
import { programOf, scriptOf, surroundings, type Surroundings } from './random-walker.js';
import {
  decisionsAfter,
  immediate,
  optionsOf,
  perform,
  whyNotSound,
  type Performance,
  type Recording,
} from './support.js';

export interface Checked {
  /** Why the program does not repeat; undefined if it does. */
  readonly why: string | undefined;
  /** How its last execution ended. */
  readonly ending: string;
  readonly performance: Performance;
}

/**
 * Performs a program in its world, and replays what was recorded: cold from every prefix of the history of every execution,
 * whole, and with a replay at the beginning of every turn. The same must be decided and seen each time.
 */
export async function check(random: RandomCase): Promise<Checked> {
  const around = surroundings();
  const performance = await perform(programOf(random.node, around), scriptOf(random));
  const warm = { random, performance, around };
  const why = whyFaulty(performance) ?? (await whyNotRepeated(warm)) ?? (await whyNotTheSameCold(warm));
  return { why, ending: performance.fault?.code ?? performance.end?.kind ?? 'waits', performance };
}

interface Performed {
  readonly random: RandomCase;
  readonly performance: Performance;
  readonly around: Surroundings;
}

/** The error of a failing program: what it is, readable, and as data. */
export const explained = (random: RandomCase, why: string): string =>
  `${why}\n${printed(random)}\n${JSON.stringify(random)}`;

function whyFaulty({ fault, executions }: Performance): string | undefined {
  if (fault !== undefined) return `fault: ${fault.message}`;
  for (const { history } of executions) {
    const why = whyNotSound(history);
    if (why !== undefined) return why;
  }
  return undefined;
}

async function whyNotRepeated(warm: Performed): Promise<string | undefined> {
  let effects = 0;
  for (const recording of warm.performance.executions) {
    const why =
      (await whyPrefixesDiffer(warm.random.node, recording, effects)) ?? (await whyWholeDiffers(warm, recording));
    if (why !== undefined) return `execution ${recording.executionId}, ${why}`;
    effects += effectsIn(recording.history);
  }
  return undefined;
}

/** `effects`: how many ran in earlier executions. */
async function whyPrefixesDiffer(node: Node, recording: Recording, effects: number): Promise<string | undefined> {
  const { history, executionId, kv } = recording;
  const executions = history.map((_, index) => {
    const prefix = history.slice(0, index + 1);
    const program = programOf(node, surroundings(effects + effectsIn(prefix)));
    return new Execution(optionsOf(program, { history: prefix, openEnded: true, executionId, kv }));
  });
  await replayTogether(executions);
  for (const [index, execution] of executions.entries()) {
    const { fault } = execution;
    const prefix = `prefix of ${index + 1}`;
    if (fault !== undefined) return `${prefix}: ${fault.message}`;
    const got = execution.takeDraft().events;
    const expected = decisionsAfter(history, index + 1);
    if (text(got) !== text(expected)) return `${prefix}: decided ${text(got)}, recorded ${text(expected)}`;
    const values = JSON.stringify([...execution.kv]);
    const folded = JSON.stringify([...foldedKv(recording, index + 1 + expected.length)]);
    if (values !== folded) return `${prefix}: KV is ${values}, recorded ${folded}`;
  }
  return undefined;
}

async function whyWholeDiffers(warm: Performed, recording: Recording): Promise<string | undefined> {
  const { history, executionId, kv } = recording;
  const around = surroundings();
  const execution = new Execution(optionsOf(programOf(warm.random.node, around), { history, executionId, kv }));
  await replayTogether([execution]);
  if (execution.fault !== undefined) return `whole history: ${execution.fault.message}`;
  const { events, logs } = execution.takeDraft();
  if (events.length > 0) return `whole history: decided ${text(events)}`;
  if (logs.length > 0) return `whole history: logged ${JSON.stringify(logs)}`;
  if (around.effects > 0) return 'whole history: a side effect ran again';
  if (isTerminal(history.at(-1)!) !== (execution.ending !== undefined)) return 'whole history: another end';
  const told = new Set(openSchedules(history).map(({ id }) => id));
  for (const { id, kind } of execution.open.values())
    if ((kind === 'activity' || kind === 'timer' || kind === 'child') && !told.has(id))
      return `whole history: the open ${kind} ${id} is not told by the history alone`;
  return whyNotSeenAlike(around, warm.around, executionId, 'whole history');
}

async function whyNotTheSameCold(warm: Performed): Promise<string | undefined> {
  const around = surroundings();
  const script = { ...scriptOf(warm.random), cold: true };
  const cold = await perform(programOf(warm.random.node, around), script);
  if (cold.fault !== undefined) return `a replay before every turn: ${cold.fault.message}`;
  const facts = ({ executions, discarded, logs, kvAfter }: Performance): string =>
    text({ histories: executions.map(({ history }) => history), discarded, logs, kvAfter });
  if (facts(cold) !== facts(warm.performance))
    return `a replay before every turn: ${facts(cold)}, without ${facts(warm.performance)}`;
  for (const { executionId } of warm.performance.executions) {
    const why = whyNotSeenAlike(around, warm.around, executionId, 'a replay before every turn');
    if (why !== undefined) return why;
  }
  return undefined;
}

function whyNotSeenAlike(got: Surroundings, first: Surroundings, execution: number, where: string): string | undefined {
  const [now, then] = [got, first].map(({ seen }) => JSON.stringify(seen.get(execution) ?? []));
  return now === then ? undefined : `${where}: the code of execution ${execution} saw ${now}, at first ${then}`;
}

/** All on one stand: they must not disturb each other. */
function replayTogether(executions: readonly Execution[]): Promise<void> {
  return new Promise((resolve) => {
    let open = executions.length;
    const stand = new Stand(immediate, (resting) => {
      open -= resting.length;
      if (open === 0) resolve();
    });
    for (const execution of executions) stand.enter(new Turn(execution, [], new MessageBuffer(), () => 0));
  });
}

function foldedKv({ history, kv }: Recording, length: number): Map<string, string> {
  const values = new Map(kv);
  for (const event of history.slice(0, length)) {
    if (event.kind === 'KvSet') values.set(event.key, event.value);
    else if (event.kind === 'KvDeleted') values.delete(event.key);
    else if (event.kind === 'KvCleared') values.clear();
  }
  return values;
}

/** Without stacks, which may differ: they hold how the engine called the code. */
const text = (value: unknown): string =>
  JSON.stringify(value, (key, inside: unknown) => (key === 'stack' ? undefined : inside));

const effectsIn = (events: readonly HistoryEvent[]): number =>
  events.filter(({ kind }) => kind === 'SideEffectRecorded').length;
