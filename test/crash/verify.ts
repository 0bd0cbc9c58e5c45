import { isDeepStrictEqual } from 'node:util';
import type { DurableClient, OrchestrationStatus } from '../../lib/client/index.js';
import type { HistoryEvent } from '../../lib/core/history-event.js';
import { defaultCodec } from '../../lib/core/payload.js';
import type { ActivityLine, ClientLine } from './ledger.js';
import { relived, shapeOf, type Receipt } from './shapes.js';
import { foldKv, problemsOfExecution } from './verify-history.js';

export interface Evidence {
  readonly activities: readonly ActivityLine[];
  readonly clients: readonly ClientLine[];
  /** Before life n: keys of activities without a recorded outcome. Lives whose snapshot could not be taken are missing. */
  readonly openBefore: ReadonlyMap<number, ReadonlyMap<string, { readonly attempt: number }>>;
}

export interface Verdict {
  readonly violations: string[];
  readonly figures: Record<string, number>;
}

/** Compares the store with what was written down outside it. */
export async function verify(client: DurableClient, evidence: Evidence): Promise<Verdict> {
  const violations: string[] = [];
  const instances = await allInstances(client);
  const runs = runsOf(evidence.activities);
  const asked = askedOf(evidence.clients);
  const figures = {
    instances: instances.size,
    executions: 0,
    events: 0,
    activities: 0,
    attempts: runs.attempts,
    repeated: 0,
    starts: 0,
    messages: 0,
    restarts: 0,
    inDoubt: 0,
  };

  violations.push(...runs.problems, ...problemsOfRepeats(runs.byKey, evidence.openBefore));
  figures.repeated = [...runs.byKey.values()].filter(
    (attempts) => new Set(attempts.map(({ epoch }) => epoch)).size > 1,
  ).length;

  const recorded = new Set<string>();
  for (const status of instances.values()) {
    const { instanceId } = status;
    const executions = await executionsOf(client, status);
    const say = (problem: string): void => void violations.push(`${instanceId}: ${problem}`);
    for (const [index, history] of executions.entries()) {
      const last = index === executions.length - 1;
      for (const problem of problemsOfExecution(history, last ? status.status : undefined))
        say(`execution ${index + 1}: ${problem}`);
      const place = `${instanceId}${lifeOf(status, history)}/${index + 1}`;
      for (const problem of problemsOfActivities(place, history, runs.byKey, recorded)) say(problem);
      figures.executions++;
      figures.events += history.length;
    }
    const seqs = executions
      .flat()
      .flatMap((event) => (event.kind === 'EventReceived' || event.kind === 'MessageDequeued' ? [event.seq] : []));
    if (new Set(seqs).size !== seqs.length) say('a message was consumed twice');
    const kv = await client.getKvAllValues(instanceId);
    const folded = foldKv(executions, (text) => defaultCodec.decode(text));
    if (!isDeepStrictEqual(kv, folded)) say(`KV is ${JSON.stringify(kv)}, its history says ${JSON.stringify(folded)}`);
    if (status.status === 'Suspended') say(`suspended: ${JSON.stringify(status.suspension)}`);
    else if (status.status === 'Pending' || status.status === 'Running') say(`is still ${status.status}`);
    for (const problem of problemsOfOutcome(status, asked.get(instanceId), kv, executions)) say(problem);
  }
  figures.activities = recorded.size;

  for (const [instanceId, request] of asked) {
    const status = instances.get(instanceId);
    if (request.acknowledged) figures.starts++;
    else figures.inDoubt++;
    figures.messages += request.sent.length;
    figures.restarts += request.restarted - 1;
    figures.inDoubt += request.tried.length - request.sent.length;
    if (request.acknowledged && status === undefined)
      violations.push(`${instanceId}: its start was acknowledged and it does not exist`);
    if (request.absent && status !== undefined)
      violations.push(`${instanceId}: did not exist after a restart and does now`);
    for (const seen of request.results) {
      const output = status?.status === 'Completed' ? status.output : undefined;
      if (status?.status !== seen.status || !isDeepStrictEqual(output, seen.output)) {
        violations.push(
          `${instanceId}: a client saw ${JSON.stringify(seen)}, the store holds ${JSON.stringify({ status: status?.status, output })}`,
        );
      }
    }
  }
  return { violations, figures };
}

async function allInstances(client: DurableClient): Promise<Map<string, OrchestrationStatus>> {
  const all = new Map<string, OrchestrationStatus>();
  for (let cursor: string | undefined; ;) {
    const page = await client.management.listInstances({}, { limit: 1_000, cursor });
    for (const item of page.items) all.set(item.instanceId, item);
    cursor = page.cursor ?? undefined;
    if (cursor === undefined) return all;
  }
}

async function executionsOf(
  client: DurableClient,
  { instanceId, executionId: last }: OrchestrationStatus,
): Promise<HistoryEvent[][]> {
  const executions: HistoryEvent[][] = [];
  for (let executionId = 1; executionId <= last; executionId++) {
    const events: HistoryEvent[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await client.management.readExecutionHistory(instanceId, { executionId, limit: 1_000, cursor });
      events.push(...page.items);
      cursor = page.cursor ?? undefined;
      if (cursor === undefined) break;
    }
    executions.push(events);
  }
  return executions;
}

/** Activities of the life whose history is there; those of earlier lives were removed with it. */
function lifeOf({ orchestrationName }: OrchestrationStatus, [started]: readonly HistoryEvent[]): string {
  if (orchestrationName !== 'again' || started?.kind !== 'OrchestrationStarted') return '';
  return `~${(defaultCodec.decode(started.input) as { life: number }).life}`;
}

// ---- activities ----

interface Run {
  readonly epoch: number;
  readonly attempt: number;
  readonly run: string;
  readonly idempotencyKey: string;
  readonly name: string;
  /** undefined: the process died in it. */
  ok?: boolean;
}

function runsOf(lines: readonly ActivityLine[]): { byKey: Map<string, Run[]>; attempts: number; problems: string[] } {
  const byKey = new Map<string, Run[]>();
  const byRun = new Map<string, Run>();
  const keyOfIdempotency = new Map<string, string>();
  const problems: string[] = [];
  for (const { kind, key, ok, ...run } of lines) {
    if (kind === 'end') {
      const begun = byRun.get(run.run);
      if (begun === undefined || begun.ok !== undefined)
        problems.push(`${key}: run ${run.run} ended without a beginning`);
      else begun.ok = ok!;
      continue;
    }
    const owner = keyOfIdempotency.get(run.idempotencyKey) ?? key;
    keyOfIdempotency.set(run.idempotencyKey, owner);
    if (owner !== key) problems.push(`${key}: shares its idempotency key with ${owner}`);
    const begun: Run = { ...run };
    byRun.set(run.run, begun);
    const before = byKey.get(key);
    if (before === undefined) byKey.set(key, [begun]);
    else before.push(begun);
  }
  return { byKey, attempts: byRun.size, problems };
}

/** No recorded step runs again, and a crash burns no attempt. */
function* problemsOfRepeats(
  byKey: ReadonlyMap<string, readonly Run[]>,
  openBefore: Evidence['openBefore'],
): Generator<string> {
  for (const [key, runs] of byKey) {
    for (const [index, run] of runs.entries()) {
      const before = runs[index - 1];
      if (before === undefined) {
        if (run.attempt !== 1) yield `${key}: its first attempt is number ${run.attempt}`;
        continue;
      }
      if (run.idempotencyKey !== before.idempotencyKey) yield `${key}: its idempotency key changed`;
      if (run.epoch === before.epoch) {
        if (before.ok !== false || run.attempt !== before.attempt + 1)
          yield `${key}: ran again in life ${run.epoch} (attempt ${before.attempt}, then ${run.attempt})`;
        continue;
      }
      const row = openBefore.get(run.epoch)?.get(key.replace(/~\d+(?=\/)/, ''));
      if (openBefore.has(run.epoch) && row === undefined)
        yield `${key}: ran again in life ${run.epoch}, after its outcome was recorded`;
      // A failure whose record was lost repeats its number; one that was recorded does not.
      const recorded = run.attempt === before.attempt + 1 && before.ok === false;
      if (run.attempt !== before.attempt && !recorded)
        yield `${key}: attempt ${before.attempt} was interrupted, the next one is ${run.attempt}`;
      if (row !== undefined && run.attempt !== row.attempt)
        yield `${key}: its row said attempt ${row.attempt}, attempt ${run.attempt} ran`;
    }
  }
}

/** A recorded outcome comes from a run that ended, and is recorded once. */
function* problemsOfActivities(
  execution: string,
  history: readonly HistoryEvent[],
  byKey: ReadonlyMap<string, readonly Run[]>,
  recorded: Set<string>,
): Generator<string> {
  for (const event of history) {
    if (event.kind !== 'ActivityCompleted' && event.kind !== 'ActivityFailed') continue;
    const key = `${execution}/${event.scheduleId}`;
    if (recorded.has(key)) yield `${key} is recorded twice`;
    recorded.add(key);
    const runs = byKey.get(key) ?? [];
    const ended = runs.filter((run) => run.ok === (event.kind === 'ActivityCompleted'));
    if (event.kind === 'ActivityFailed') {
      if (!ended.some((run) => run.attempt === event.attempts))
        yield `${key} failed after ${event.attempts} attempts, which nobody made: ${JSON.stringify(event.failure)}`;
      continue;
    }
    const { run } = defaultCodec.decode(event.result) as Receipt;
    if (!ended.some((one) => one.run === run)) yield `${key} has the result of run ${run}, which did not end`;
  }
}

// ---- clients ----

interface Asked {
  readonly shape: string;
  readonly input: unknown;
  acknowledged: boolean;
  absent: boolean;
  ended: boolean;
  readonly tried: number[];
  readonly sent: number[];
  readonly results: { readonly status: string; readonly output: unknown }[];
  /** Of an instance that is started again. */
  restartTried: number;
  restarted: number;
  readonly lives: { readonly life: number; readonly output: unknown; readonly restarted: number }[];
}

function askedOf(lines: readonly ClientLine[]): Map<string, Asked> {
  const asked = new Map<string, Asked>();
  for (const line of lines) {
    if (line.kind === 'try-start') {
      const { shape, input } = line;
      asked.set(line.instanceId, {
        shape,
        input,
        acknowledged: false,
        absent: false,
        ended: false,
        tried: [],
        sent: [],
        results: [],
        restartTried: 1,
        restarted: 1,
        lives: [],
      });
      continue;
    }
    const one = asked.get(line.instanceId)!;
    if (line.kind === 'start') one.acknowledged = true;
    else if (line.kind === 'absent') one.absent = true;
    else if (line.kind === 'try-send') one.tried.push(line.number);
    else if (line.kind === 'send') one.sent.push(line.number);
    else if (line.kind === 'end') one.ended = true;
    else if (line.kind === 'try-restart') one.restartTried = line.life;
    else if (line.kind === 'restart') one.restarted = line.life;
    else if (line.kind === 'life') one.lives.push({ life: line.life, output: line.output, restarted: one.restarted });
    // Results went through JSON in the ledger.
    else if (line.kind === 'result') one.results.push({ status: line.status, output: line.output });
  }
  return asked;
}

function* problemsOfOutcome(
  status: OrchestrationStatus,
  asked: Asked | undefined,
  kv: Record<string, unknown>,
  executions: readonly (readonly HistoryEvent[])[],
): Generator<string> {
  const [started] = executions[0]!;
  const shape = shapeOf(status.orchestrationName);
  const input =
    asked?.input ?? (started?.kind === 'OrchestrationStarted' ? defaultCodec.decode(started.input) : undefined);
  if (
    asked === undefined &&
    started?.kind === 'OrchestrationStarted' &&
    started.parent === undefined &&
    !status.instanceId.endsWith(':detached')
  ) {
    yield 'nobody asked for it';
  }
  if (shape.driver === 'end') return yield* problemsOfEnd(status, input as { by: string }, executions);
  if (status.status !== 'Completed') {
    return yield `${status.status} instead of Completed${'failure' in status ? `: ${JSON.stringify(status.failure)}` : ''}`;
  }
  const { output } = status;
  if (shape.driver === 'restart') return yield* problemsOfLives(output, input as { value: number }, asked);
  if (shape.expected !== undefined && !isDeepStrictEqual(output, shape.expected(input))) {
    yield `its output is ${JSON.stringify(output)} instead of ${JSON.stringify(shape.expected(input))}`;
  }
  if (shape.kv !== undefined && !isDeepStrictEqual(kv, shape.kv(input)))
    yield `its KV is ${JSON.stringify(kv)} instead of ${JSON.stringify(shape.kv(input))}`;
  if (status.orchestrationName === 'spawner' && output !== `${status.instanceId}:detached`)
    yield `its output is ${String(output)}`;
  if (asked === undefined) return;
  if (shape.driver === 'event') yield* problemsOfNumbers(output as number[], asked);
  if (shape.driver === 'queue') {
    const { numbers, executions: count } = output as { numbers: number[]; executions: number };
    yield* problemsOfNumbers(numbers, asked);
    if ((kv['count'] ?? 0) !== numbers.length) yield `it counted ${String(kv['count'])} of ${numbers.length} messages`;
    if (count !== Math.floor(numbers.length / 4) + 1) yield `${numbers.length} messages took ${count} executions`;
  }
}

/** A life whose start was acknowledged is there, until the next one was asked for; none comes that nobody asked for. */
function* problemsOfLives(
  output: unknown,
  { value }: { readonly value: number },
  asked: Asked | undefined,
): Generator<string> {
  if (asked === undefined) return;
  const last = { life: (output as { life: number }).life, output, restarted: asked.restarted };
  for (const { life, output: seen, restarted } of [...asked.lives, last]) {
    const expected = { life, value: relived(life, value) };
    if (!isDeepStrictEqual(seen, expected)) yield `its life came to ${JSON.stringify(seen)}`;
    if (life < restarted) yield `life ${life} was seen after life ${restarted} was acknowledged`;
    if (life > asked.restartTried) yield `life ${life} was never asked for`;
  }
}

/** Acknowledged messages exactly once and in order; those in doubt at most once and in their place. */
function* problemsOfNumbers(numbers: readonly number[], { tried, sent }: Asked): Generator<string> {
  if (numbers.some((number, index) => index > 0 && number <= numbers[index - 1]!))
    yield `its messages came as ${numbers.join(', ')}`;
  const got = new Set(numbers);
  const lost = sent.filter((number) => !got.has(number));
  if (lost.length > 0) yield `acknowledged messages were lost: ${lost.join(', ')}`;
  const invented = numbers.filter((number) => !tried.includes(number));
  if (invented.length > 0) yield `messages came that nobody sent: ${invented.join(', ')}`;
}

function* problemsOfEnd(
  status: OrchestrationStatus,
  { by }: { by: string },
  executions: readonly (readonly HistoryEvent[])[],
): Generator<string> {
  const expected = by === 'cancel' ? 'Cancelled' : 'Terminated';
  if (status.status !== expected) yield `${status.status} instead of ${expected}`;
  const history = executions.flat();
  const waited = history.some((event) => event.kind === 'WaitCreated');
  const cleanups = history.filter((event) => event.kind === 'ActivityCompleted').length;
  if (by === 'cancel' && waited && cleanups !== 1) yield `it was cancelled and cleaned up ${cleanups} times`;
}
