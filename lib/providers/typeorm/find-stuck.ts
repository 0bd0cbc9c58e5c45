import type { HistoryEvent } from '../../core/history-event.js';
import type { Script } from './dialect.js';
import { eventsOf } from './rows.js';
import type { Statements } from './statements/statements.js';

const PAGE = 500;

/**
 * Proves rule 0: every open, unsuspended instance has an unseen message, an activity, a timer, an open child or an open
 * wait. What is left is stuck for ever.
 */
export function* findStuckScript(sql: Statements): Script<string[]> {
  const stuck: string[] = [];
  for (let after = ''; ;) {
    const page = yield sql.instances.open(after, PAGE);
    const quiet = page
      .filter((row) => (row['messages_in'] as number) <= (row['messages_seen'] as number) && row['held'] === 0)
      .map((row) => row['instance_id'] as string);
    const ids = JSON.stringify(quiet);
    const busy = new Set<unknown>();
    for (const row of yield sql.activities.having(ids)) busy.add(row['instance_id']);
    for (const row of yield sql.activities.havingTimers(ids)) busy.add(row['instance_id']);
    const histories = new Map<string, HistoryEvent[]>();
    for (const row of yield sql.journal.history(JSON.stringify(quiet.filter((id) => !busy.has(id))))) {
      const id = row['instance_id'] as string;
      histories.set(id, [...(histories.get(id) ?? []), ...eventsOf(row)]);
    }
    for (const id of quiet) if (!busy.has(id) && !waits(histories.get(id) ?? [])) stuck.push(id);
    if (page.length < PAGE) return stuck;
    after = page.at(-1)!['instance_id'] as string;
  }
}

const WAITS: ReadonlySet<string> = new Set(['WaitCreated', 'DequeueCreated', 'SubOrchestrationScheduled']);

/** An open wait, dequeue or child; a condition waits for one of these, too. */
function waits(history: readonly HistoryEvent[]): boolean {
  const open = new Set<number>();
  for (const event of history) {
    if (WAITS.has(event.kind)) open.add(event.id);
    else if ('scheduleId' in event) open.delete(event.scheduleId);
  }
  return open.size > 0;
}
