/** A defect that somebody could write, and that must not get past the simulation. */
export interface Mutant {
  readonly name: string;
  readonly changes: readonly Change[];
}

interface Change {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const mutant = (name: string, file: string, find: string, replace: string, ...more: Change[]): Mutant => ({
  name,
  changes: [{ file, find, replace }, ...more],
});

const INSTANCES = 'lib/providers/typeorm/statements/instance-statements.ts';
const ACTIVITIES = 'lib/providers/typeorm/statements/activity-statements.ts';
const LANES = 'lib/providers/typeorm/statements/lane-statements.ts';
const STORED = 'lib/providers/typeorm/statements/journal-statements.ts';
const COMMIT = 'lib/providers/typeorm/commit-script.ts';
const TAKE_OVER = 'lib/providers/typeorm/take-over-script.ts';
const LOAD = 'lib/providers/typeorm/load-script.ts';
const LOOP = 'lib/runtime/turn-loop.ts';
const POOL = 'lib/runtime/activity-pool.ts';
const RUNTIME = 'lib/runtime/durable-runtime.ts';
const JOURNAL = 'lib/runtime/journal.ts';
const TIMERS = 'lib/runtime/timers.ts';
const ITEM = 'lib/runtime/turn-item.ts';
const PLACEMENT = 'lib/runtime/activity-placement.ts';
const HELD = 'lib/runtime/held-activities.ts';
const EXECUTION = 'lib/replay/execution.ts';
const SIDE_EFFECT = 'lib/replay/actions/side-effect.ts';
const BUFFER = 'lib/replay/message-buffer.ts';

const FENCE = 'where: `i.instance_id = t.id AND i.generation = t.asked AND i.turn = t.turn AND i.status IN ${OPEN}';
const OWNER =
  "\n      AND (i.owner IS NULL OR i.owner = ${this.p(2)} OR i.owner NOT IN (SELECT node FROM ${this.tables.node}))`,\n    returning: 'no";

export const mutants: readonly Mutant[] = [
  // ---- fences and claims ----
  mutant(
    'the fence compares neither turn nor owner',
    INSTANCES,
    FENCE,
    'where: `i.instance_id = t.id AND i.generation = t.asked AND i.status IN ${OPEN}',
    {
      file: INSTANCES,
      find: OWNER,
      replace: "`,\n    returning: 'no",
    },
  ),
  mutant(
    'the fence does not compare the turn',
    INSTANCES,
    FENCE,
    'where: `i.instance_id = t.id AND i.generation = t.asked AND i.status IN ${OPEN}',
  ),
  mutant('the fence does not compare the owner', INSTANCES, OWNER, "`,\n    returning: 'no"),
  mutant(
    'the fence lets finished and suspended instances go on',
    INSTANCES,
    FENCE,
    'where: `i.instance_id = t.id AND i.generation = t.asked AND i.turn = t.turn',
  ),
  mutant(
    'the fence ignores the generation',
    INSTANCES,
    FENCE,
    'where: `i.instance_id = t.id AND i.turn = t.turn AND i.status IN ${OPEN}',
    {
      file: COMMIT,
      find: 'const [item, index] = asked.get(lifeOfRow(row))!;',
      replace: "const [item, index] = [...asked.values()].find(([one]) => one.instanceId === row['instance_id'])!;",
    },
  ),
  mutant(
    'a message reaches whatever life an id has',
    INSTANCES,
    '(t.asked IS NULL OR i.generation = t.asked) AND i.status NOT IN',
    'i.status NOT IN',
    { file: COMMIT, find: "|| (group.generation !== null && row['generation'] !== group.generation)", replace: '' },
  ),
  mutant(
    'a completion compares neither claim nor node',
    ACTIVITIES,
    "        claim: 'taken',\n",
    '',
    { file: ACTIVITIES, find: 'where: `node = ${this.p(2)}`,', replace: "where: '1 = 1'," },
    { file: COMMIT, find: '/${key.claim}/${key.instanceId}', replace: '/${key.instanceId}' },
  ),
  mutant(
    'an activity somebody holds is claimed again',
    ACTIVITIES,
    '${this.dialect.matching(CLAIMABLE)} AND due_at <= ${this.p(2)}',
    'due_at <= ${this.p(2)}',
  ),
  // ---- the journal ----
  mutant(
    'a batch is not compared with its lane',
    LANES,
    "AND seq = ${this.p(3)} - 1`,\n    returning: 'seq",
    "`,\n    returning: 'seq",
  ),
  mutant(
    'verdicts of a batch are not kept for whoever asks again',
    COMMIT,
    'if (exceptions.length > 0)',
    'if (exceptions.length > 1_000)',
  ),
  mutant(
    'rows of a refused turn are written',
    COMMIT,
    '    for (const [index, turn] of this.turns.entries()) {\n',
    `    for (const [turn] of this.itemsOf('turn')) {
      if (this.turns.includes(turn)) continue;
      for (const { key, value } of turn.kv) kv.push([turn.instanceId, key, value, turn.executionId]);
      for (const timer of turn.timers) timers.push([turn.instanceId, timer.executionId, timer.scheduleId, timer.fireAt]);
    }
    for (const [index, turn] of this.turns.entries()) {
`,
  ),
  mutant(
    'a turn deletes its messages before it is accepted',
    COMMIT,
    '    yield* this.fence();\n',
    "    for (const [turn] of this.itemsOf('turn'))\n      yield this.sql.journal.useMessages(turn.consumed.map((seq) => [turn.instanceId, seq]));\n    yield* this.fence();\n",
  ),
  mutant('a consumed message is not deleted', COMMIT, 'if (used.length > 0) yield', 'if (used.length > 1_000) yield'),
  mutant(
    'what a dead node had queued is dropped',
    JOURNAL,
    'else this.enqueue(entry);\n  }\n\n  submit',
    '}\n\n  submit',
  ),
  // ---- turns ----
  mutant(
    'a turn is computed while the one before it is on its way',
    LOOP,
    "live.state = 'sealed';\n    const now",
    "live.state = 'idle';\n    const now",
  ),
  mutant(
    'what only memory knew goes with a refused turn',
    LOOP,
    'for (const { message, claim } of outcomes) {',
    'for (const { message, claim } of outcomes.slice(0, 0)) {',
  ),
  mutant(
    'messages count as seen that were not',
    INSTANCES,
    "messages_seen: 'i.messages_seen + t.seen'",
    "messages_seen: 'i.messages_in + t.own_messages'",
  ),
  mutant(
    'what stays in the inbox counts as seen',
    ITEM,
    'const unseen = finished ? 0 : storedIn(live);',
    'const unseen = 0;',
  ),
  mutant(
    'an activity begins before its turn is committed',
    LOOP,
    'const item = turnItem(live, turn, draft, placement, now);\n',
    'const item = turnItem(live, turn, draft, placement, now);\n    for (const activity of placement.begun) this.deps.pool().add(activity);\n',
    { file: LOOP, find: '      held.add(activity);\n      pool.add(activity);', replace: '      held.add(activity);' },
  ),
  mutant(
    'an event is recorded twice',
    ITEM,
    'events: JSON.stringify(draft.events),',
    'events: JSON.stringify([...draft.events, ...draft.events.slice(-1)]),',
  ),
  mutant('a custom status is not written', COMMIT, 'if (statuses.length > 0)', 'if (statuses.length > 1_000)'),
  mutant(
    'KV keeps the base of the execution before',
    STORED,
    'THEN ${this.tables.kv}.value ELSE',
    'THEN ${this.tables.kv}.base ELSE',
  ),
  mutant(
    'a deleted key stays',
    COMMIT,
    'kv.push([instanceId, key, value,',
    'if (value !== null) kv.push([instanceId, key, value,',
  ),
  mutant(
    'continue-as-new drops what waits',
    COMMIT,
    '      if (item.toItself !== undefined)\n',
    "      if (item.toItself?.kind === 'start') yield this.sql.journal.dropMessagesOf(JSON.stringify([item.instanceId]));\n      if (item.toItself !== undefined)\n",
  ),
  // ---- wake-ups ----
  mutant('nobody is told of a commit', RUNTIME, 'else if (delivered.length > 0) this.loop.deliver(delivered);', ''),
  mutant(
    'a commit whose answer was lost wakes nobody',
    RUNTIME,
    'if (delivered === undefined) this.scan();\n    else if',
    'if (delivered === undefined) return;\n    if',
  ),
  mutant(
    'timers are not read at a take-over',
    TIMERS,
    'this.loadedUntil = -Infinity;\n    this.cursor = null;\n    this.outdated = this.loading;\n    await this.load();',
    'this.loadedUntil = Infinity;\n    this.cursor = null;',
  ),
  mutant('a timer fires early', TIMERS, 'timer.fireAt <= now; timer', 'timer.fireAt <= now + 40; timer'),
  mutant(
    'what comes while an instance is loaded is forgotten',
    LOOP,
    'if (this.loadAgain.delete(id)) this.wake(id);',
    'this.loadAgain.delete(id);',
  ),
  mutant(
    'timers that come due while an instance is loaded are forgotten',
    LOOP,
    'this.timersDue(this.dueWhileLoading.splice(0));',
    'this.dueWhileLoading.splice(0);',
  ),
  mutant(
    'an evicted instance misses what was read for it',
    LOOP,
    "if (live.state === 'gone') return this.wake(live.instanceId);",
    "if (live.state === 'gone') return;",
  ),
  mutant(
    'what came during a turn waits for the next message',
    LOOP,
    'if (inbox.length > 0 || seenThrough > seenCommitted || live.owesRows || execution.fault !== undefined)',
    'if (live.owesRows || execution.fault !== undefined)',
  ),
  mutant('an instance is evicted with activities that it holds', LOOP, ' && live.held.size === 0 && ', ' && '),
  mutant(
    'an instance is evicted with work in its inbox',
    LOOP,
    ' && live.inbox.length === 0 && live.held',
    ' && live.held',
  ),
  mutant(
    'a resumed instance is not woken',
    COMMIT,
    "else this.posts.push({ instanceId: item.instanceId, message: { kind: 'continue' }, item: -1 });",
    '',
  ),
  mutant(
    'a suspension consumes what waits',
    COMMIT,
    '      const [row] = yield* this.suspend(item);\n',
    '      const [row] = yield* this.suspend(item);\n      yield this.sql.journal.dropMessagesOf(JSON.stringify([item.instanceId]));\n',
  ),
  // ---- activities ----
  mutant(
    'lost activities are not asked for at a take-over',
    TAKE_OVER,
    '  yield* askToContinue(sql, list);\n  const activities',
    '  const activities',
  ),
  mutant(
    'lost activities get no rows',
    PLACEMENT,
    'for (const id of live.lost) {',
    'for (const id of live.lost.slice(0, 0)) {',
  ),
  mutant('a retry loses its attempt', ACTIVITIES, "attempt: 'i.attempt + 1'", "attempt: '1'"),
  mutant(
    'the retry of a held activity loses its attempt',
    HELD,
    'attempt: activity.attempt + 1,',
    'attempt: activity.attempt,',
  ),
  mutant(
    'a retried held activity is not noticed after the turn that was on its way',
    LOOP,
    'seenThrough > seenCommitted || live.owesRows ||',
    'seenThrough > seenCommitted ||',
  ),
  mutant(
    'a node that joins again leaves what it owned under an earlier name',
    RUNTIME,
    'this.provider.takeOver(this.node, given, ports.clock.now())',
    'this.provider.takeOver(this.node, [], ports.clock.now())',
  ),
  mutant(
    'a retry of a held activity waits for the next message',
    LOOP,
    'if (live?.held.retry(activity, dueAt, failure) === true) this.schedule(live);',
    'live?.held.retry(activity, dueAt, failure);',
  ),
  mutant(
    'claims whose answer was lost are forgotten',
    POOL,
    '(verdict.activities ?? (await this.findOutWhatIsHeld()))',
    '(verdict.activities ?? [])',
  ),
  mutant(
    'claims that run are found again',
    POOL,
    'for (const { activity } of this.running.values()) yield claimOf(activity);',
    '',
  ),
  mutant(
    'what a dead node had claimed stays its own',
    TAKE_OVER,
    'yield blamed ? sql.activities.takeBackUncounted(list) : sql.activities.takeBack(list);',
    'blamed ? [] : [];',
  ),
  mutant(
    'the row of a cancelled activity stays',
    ITEM,
    "if (kind === 'activity' && !live.held.has(id)) keys.push({ executionId, scheduleId: id });",
    ';',
  ),
  mutant(
    'the row of a cancelled timer stays',
    ITEM,
    "for (const { kind, id } of over) if (kind === 'timer') keys.push({ executionId, scheduleId: id });",
    '',
  ),
  mutant(
    'a due activity is not waited for',
    POOL,
    'if (dueAt !== null) this.wakeAt(dueAt);',
    '',
    { file: POOL, find: "if (verdict.kind === 'accepted') this.wakeAt(dueAt);", replace: '' },
    {
      file: POOL,
      find: 'if (dueAt > this.deps.ports.clock.now()) this.wakeAt(dueAt);',
      replace: 'if (dueAt > this.deps.ports.clock.now()) return;',
    },
  ),
  // ---- families ----
  mutant(
    'a parent is not told of the end of its child',
    ITEM,
    '...(result === undefined ? [] : toParent(live.parent, result, ending!)),',
    '',
  ),
  mutant(
    'children outlive their parent',
    ITEM,
    '...left.flatMap((future) => closeChild(live, executionId, future)),',
    '',
  ),
  mutant(
    'a given-up child goes on',
    ITEM,
    "...draft.closed.flatMap((future) => toChild(live, executionId, future, 'cancel', 'its parent cancelled it')),",
    '',
  ),
  mutant(
    'a parent is not told that the id of its child is taken',
    COMMIT,
    '      this.answerParent(turn, child, isIn);',
    '      if (isIn) this.answerParent(turn, child, isIn);',
  ),
  mutant(
    'a detached start is not answered',
    COMMIT,
    "if (inserted && child.relation === 'attached') return;",
    'if (inserted) return;',
  ),
  mutant(
    'a duplicate start replaces a living instance',
    COMMIT,
    "restarts = starts.filter((item) => item.ifExists === 'restart-if-finished')",
    'restarts = starts',
    { file: INSTANCES, find: 'AND status IN ${FINAL}\n       ORDER BY', replace: 'ORDER BY' },
  ),
  mutant('what belongs to an ended instance stays', COMMIT, '    yield sql.journal.dropTimersOf(ids);\n', ''),
  // ---- code ----
  mutant(
    'code sees the value itself on the first run',
    SIDE_EFFECT,
    "return execution.decode(decided.value!, 'the result of sideEffect()') as T;",
    "return (outcome.value === undefined ? execution.decode(decided.value!, '') : raw) as T;",
    { file: SIDE_EFFECT, find: '    return fn();\n', replace: '    return (raw = fn()) as T;\n' },
    { file: SIDE_EFFECT, find: 'function runNow', replace: 'let raw: unknown;\nfunction runNow' },
  ),
  mutant(
    'a shield does not hold',
    EXECUTION,
    'return this.shieldDepth > 0 ? undefined : this.cancellation;',
    'return this.cancellation;',
  ),
  mutant(
    'a queue gives its newest message first',
    BUFFER,
    'const message = lane.shift();',
    'const message = lane.pop();',
  ),
  mutant(
    'messages are loaded in the wrong order',
    LOAD,
    'part.messages.sort((a, b) => a.seq - b.seq)',
    'part.messages.sort((a, b) => b.seq - a.seq)',
  ),
  mutant(
    'a new decision is taken for a recorded one',
    EXECUTION,
    'this.nextEventId = asked.id + 1;\n    this.draft',
    "this.nextEventId = asked.id + (asked.kind === 'CustomStatusSet' ? 2 : 1);\n    this.draft",
  ),
];

/** The source with the defect in it. @throws if the place is not there, or not once. */
export function mutated({ name, changes }: Mutant, file: string, source: string): string {
  return changes
    .filter((change) => change.file === file)
    .reduce((text, { find, replace }) => {
      const parts = text.split(find);
      if (parts.length !== 2)
        throw new Error(`"${name}": ${JSON.stringify(find)} is ${parts.length - 1} times in ${file}`);
      return parts.join(replace);
    }, source);
}
