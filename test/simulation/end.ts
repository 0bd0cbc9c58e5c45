import { defaultCodec } from '../../lib/core/payload.js';
import { idempotencyKey } from '../../lib/replay/index.js';
import type { Asked, Clients, Sent } from './clients.js';
import { problemsOfOutput } from './expected.js';
import type { InstanceView } from './invariants.js';
import type { Ledger } from './ledger.js';
import type { Observer } from './observer.js';
import type { Program, ProgramInput } from './program.js';

/** What everything has come to, against what was asked and what ran. */
export function* problemsOfEnd({ views }: Observer, clients: Clients, ledger: Ledger): Generator<string> {
  for (const [id, asked] of clients.asked) yield* problemsOfRoot(id, views.get(id)!, asked);
  for (const sent of clients.sent) yield* problemsOfSent(sent, views.get(sent.instanceId), clients);
  for (const [id, view] of views) {
    yield* problemsOfOutcomes(id, view, ledger);
    yield* problemsOfChildren(id, view);
    if (view.row.status === 'Cancelled') yield* problemsOfCleanUp(id, view);
    const program = programOf(view);
    if (view.row.status !== 'Completed' || program === undefined) continue;
    for (const problem of problemsOfOutput(program, defaultCodec.decode(view.row.output!)))
      yield `I-40 ${id}: ${problem}`;
  }
}

/** Of the first execution of its present life. */
function programOf({ executions }: InstanceView): Program | undefined {
  const first = executions[0]?.[0];
  if (first?.kind !== 'OrchestrationStarted') return undefined;
  return (defaultCodec.decode(first.input) as ProgramInput).program;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function* problemsOfRoot(id: string, view: InstanceView, { starts, cancelled, terminated }: Asked): Generator<string> {
  const { status } = view.row;
  if (status === 'Cancelled' && !cancelled) yield `C6 ${id} is cancelled, and nobody asked for it`;
  if (status === 'Terminated' && !terminated) yield `C6 ${id} is terminated, and nobody asked for it`;
  const program = programOf(view);
  if (program === undefined) return;
  if (!starts.some((start) => same(start.program, program))) yield `A1 ${id} runs what nobody started`;
  const last = starts.at(-1);
  if (last !== undefined && starts.every(({ outcome }) => outcome === 'done') && !same(last.program, program))
    yield `A1 the start of ${id} was acknowledged, and something else runs`;
}

function* problemsOfSent(sent: Sent, view: InstanceView | undefined, clients: Clients): Generator<string> {
  if (view === undefined) return;
  const { instanceId, kind, name, tried, acknowledged } = sent;
  const taken = view.executions.flatMap((history) =>
    history.flatMap((event) => {
      if (event.kind !== (kind === 'event' ? 'EventReceived' : 'MessageDequeued')) return [];
      const wait = history[event.scheduleId - 1];
      const of = wait?.kind === 'WaitCreated' ? wait.name : wait?.kind === 'DequeueCreated' ? wait.queue : undefined;
      return of === name ? [defaultCodec.decode(event.data) as number] : [];
    }),
  );
  for (const [index, number] of taken.entries()) {
    if (!tried.includes(number)) yield `C3 ${instanceId} took ${number} from ${name}, which nobody sent`;
    if (index > 0 && number !== -1 && number <= taken[index - 1]!)
      yield `P6 ${instanceId} took ${taken.join(', ')} from ${name}`;
  }
  // A queue that was drained to its end holds everything that was acknowledged before it.
  const drained = kind === 'queue' && taken.at(-1) === -1 && view.row.status === 'Completed';
  if (!drained || clients.asked.get(instanceId)?.starts.length !== 1) return;
  for (const number of acknowledged)
    if (!taken.includes(number)) yield `P6 ${instanceId} never took ${number} from ${name}: ${taken.join(', ')}`;
}

function* problemsOfOutcomes(id: string, { row, executions }: InstanceView, ledger: Ledger): Generator<string> {
  for (const [index, history] of executions.entries())
    for (const event of history) {
      if (event.kind !== 'ActivityCompleted' && event.kind !== 'ActivityFailed') continue;
      const key = idempotencyKey(row.generation, index + 1, event.scheduleId);
      const attempts = event.kind === 'ActivityFailed' ? event.attempts : undefined;
      const where = `${id}/${index + 1}/${event.scheduleId}`;
      yield* ledger.problemsOfOutcome(key, where, event.kind === 'ActivityCompleted', attempts);
    }
}

/** Clients end roots only: a child is ended by a parent that does not wait for it any more. */
function* problemsOfChildren(id: string, { executions }: InstanceView): Generator<string> {
  for (const event of executions.flat())
    if (event.kind === 'SubOrchestrationFailed' && event.outcome !== 'failed' && event.outcome !== 'already-exists')
      yield `A5 the child ${event.scheduleId} of ${id} was ${event.outcome} by somebody else`;
}

function* problemsOfCleanUp(id: string, { executions }: InstanceView): Generator<string> {
  const history = executions.at(-1) ?? [];
  const [first] = history;
  if (first?.kind === 'OrchestrationStarted' && first.cancelledWith !== undefined) return;
  const undo = history.findLast((event) => event.kind === 'ActivityScheduled' && event.name === 'undo');
  const done = history.some((event) => event.kind === 'ActivityCompleted' && event.scheduleId === undo?.id);
  if (!done) yield `A6 ${id} was cancelled and did not clean up`;
}
