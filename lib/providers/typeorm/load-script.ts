import type { HistoryEvent } from '../../core/history-event.js';
import type { InstanceStatus } from '../../core/instance.js';
import type { StoredMessage } from '../../core/message.js';
import type { ScheduleKey } from '../../provider/batch.js';
import type { LoadedInstance, LoadLimits } from '../../provider/provider.js';
import type { Row, Script } from './dialect.js';
import { eventsOf, parentOf, scheduleKeyOf, storedMessageOf } from './rows.js';
import type { Statements } from './statements/statements.js';

interface Parts {
  readonly history: HistoryEvent[];
  readonly messages: StoredMessage[];
  readonly dueTimers: ScheduleKey[];
  readonly activityRows: ScheduleKey[];
  readonly kv: Map<string, string>;
  moreBuffered: boolean;
  unreadable?: string;
}

/** Everything the next turn of these instances needs, of one snapshot, in a handful of statements. */
export function* loadScript(
  sql: Statements,
  instanceIds: readonly string[],
  limits: LoadLimits,
): Script<LoadedInstance[]> {
  const ids = JSON.stringify(instanceIds);
  const instances = yield sql.instances.load(ids);
  const parts = new Map<string, Parts>(
    instances.map((row) => [
      row['instance_id'] as string,
      {
        history: [],
        messages: [],
        dueTimers: [],
        activityRows: [],
        kv: new Map<string, string>(),
        moreBuffered: false,
      },
    ]),
  );
  const of = (row: Row): Parts | undefined => parts.get(row['instance_id'] as string);
  for (const row of yield sql.journal.history(ids)) {
    const part = of(row)!;
    guarded(part, () => part.history.push(...eventsOf(row)));
  }
  for (const row of yield sql.journal.unbufferedMessages(ids)) {
    const part = of(row);
    if (part !== undefined) guarded(part, () => part.messages.push(storedMessageOf(row)));
  }
  for (const row of yield sql.journal.haveBuffered(ids)) {
    const part = of(row);
    if (part === undefined) continue;
    const buffered = yield sql.journal.bufferedMessages(row['instance_id'] as string, limits.bufferedMessages + 1);
    part.moreBuffered = buffered.length > limits.bufferedMessages;
    part.messages.push(...buffered.slice(0, limits.bufferedMessages).map(storedMessageOf));
  }
  for (const row of yield sql.journal.dueTimers(ids, limits.dueUntil)) {
    of(row)?.dueTimers.push(scheduleKeyOf(row));
  }
  for (const row of yield sql.journal.kvAtStart(ids)) {
    if (row['value'] !== null) of(row)?.kv.set(row['name'] as string, row['value'] as string);
  }
  const holding = instances.filter((row) => (row['held'] as number) > 0).map((row) => row['instance_id']);
  if (holding.length > 0)
    for (const row of yield sql.activities.keysOf(JSON.stringify(holding)))
      of(row)?.activityRows.push(scheduleKeyOf(row));
  return instances.map((row) => loadedInstance(row, of(row)!));
}

/** One row that cannot be read concerns its instance alone. */
function guarded(part: Parts, read: () => unknown): void {
  try {
    read();
  } catch (error) {
    part.unreadable ??= String(error);
  }
}

const loadedInstance = (row: Row, part: Parts): LoadedInstance => ({
  instanceId: row['instance_id'] as string,
  generation: row['generation'] as string,
  status: row['status'] as InstanceStatus,
  name: row['name'] as string,
  version: row['version'] as string,
  turn: row['turn'] as number,
  owner: row['owner'] as string | null,
  executionId: row['execution_id'] as number,
  nextEventId: row['next_event_id'] as number,
  messagesIn: row['messages_in'] as number,
  messagesSeen: row['messages_seen'] as number,
  crashes: row['crashes'] as number,
  parent: parentOf(row),
  cancelRequested: row['cancel_requested'] === 1,
  held: row['held'] as number,
  activityRows: part.activityRows,
  engineFormat: row['engine_format'] as number,
  history: part.history,
  messages: part.messages.sort((a, b) => a.seq - b.seq),
  moreBuffered: part.moreBuffered,
  dueTimers: part.dueTimers,
  kvAtStart: part.kv,
  unreadable: part.unreadable,
});
