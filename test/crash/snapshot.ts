import { copyFileSync, existsSync, rmSync, truncateSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { DurableClient } from '../../lib/client/index.js';
import type { HistoryEvent } from '../../lib/core/history-event.js';
import type { ActivityCompletionMessage } from '../../lib/core/message.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import { DurableRuntime, Registry } from '../../lib/runtime/index.js';
import type { Files } from './files.js';
import { diskStateOf } from './wal.js';

/** What the store held between two lives of the victim. */
export interface Snapshot {
  /** Activities without a recorded outcome: key, and the attempt and crashes of the row. */
  readonly openActivities: ReadonlyMap<string, { readonly attempt: number; readonly crashes: number }>;
  /** Activities that are outstanding and have a recorded outcome: never. */
  readonly twofold: readonly string[];
  readonly stuck: readonly string[];
  readonly suspended: readonly string[];
  readonly most: { readonly instanceCrashes: number; readonly activityCrashes: number };
  readonly damage: string | undefined;
}

/**
 * Looks at a copy: opening the file itself would recover and checkpoint its write-ahead log before the next life of the
 * victim could.
 */
export async function takeSnapshot(
  { database, snapshot }: Files,
  options: {
    integrity: boolean;
    /** Somebody has the file open, and will not recover it: a commit that was written and not finished is not there. */
    alive?: boolean;
  },
): Promise<Snapshot | undefined> {
  for (const end of ['', '-wal', '-shm']) rmSync(`${snapshot}${end}`, { force: true });
  if (!existsSync(database)) return undefined;
  for (const end of ['', '-wal'])
    if (existsSync(`${database}${end}`)) copyFileSync(`${database}${end}`, `${snapshot}${end}`);
  const state = options.alive === true ? diskStateOf(database) : undefined;
  if (state !== undefined) truncateSync(`${snapshot}-wal`, state.syncedBytes);
  const db = new Sqlite(snapshot);
  try {
    const created = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'durable_activity'").get() !== undefined;
    if (!created) return undefined;
    const rows = db
      .prepare('SELECT instance_id, execution_id, schedule_id, attempt, crashes FROM durable_activity')
      .all() as ActivityRow[];
    const suspended = db
      .prepare("SELECT instance_id FROM durable_instance WHERE status = 'Suspended'")
      .pluck()
      .all() as string[];
    const instanceCrashes = db
      .prepare('SELECT COALESCE(MAX(crashes), 0) FROM durable_instance')
      .pluck()
      .get() as number;
    const damage = options.integrity ? integrityOf(db) : undefined;
    const recorded = recordedOutcomes(db);
    const outstanding = new Map<string, { attempt: number; crashes: number }>([
      ...heldActivities(db).map((key) => [key, { attempt: 1, crashes: 0 }] as const),
      ...rows.map((row) => [`${row.instance_id}/${row.execution_id}/${row.schedule_id}`, row] as const),
    ]);
    const openActivities = new Map([...outstanding].filter(([key]) => !recorded.has(key)));
    const twofold = rows
      .map((row) => `${row.instance_id}/${row.execution_id}/${row.schedule_id}`)
      .filter((key) => recorded.has(key));
    const activityCrashes = Math.max(0, ...rows.map((row) => row.crashes));
    const stuck = await withClient(snapshot, (client) => client.management.findStuck());
    return { openActivities, twofold, stuck, suspended, most: { instanceCrashes, activityCrashes }, damage };
  } finally {
    db.close();
  }
}

const HOLDING =
  "SELECT instance_id FROM durable_instance WHERE held > 0 AND status IN ('Pending', 'Running', 'Suspended')";

/** Open in the history of an instance whose node ran activities without rows; some of them may have one. */
function heldActivities(db: Sqlite.Database): string[] {
  const histories = db
    .prepare(
      `SELECT i.instance_id, h.execution_id, h.events FROM durable_history h JOIN durable_instance i
       ON i.no = h.no AND i.execution_id = h.execution_id
       WHERE i.instance_id IN (${HOLDING}) ORDER BY i.instance_id, h.first_event_id`,
    )
    .all() as { instance_id: string; execution_id: number; events: string }[];
  const open = new Set<string>();
  for (const { instance_id, execution_id, events } of histories) {
    for (const event of JSON.parse(events) as HistoryEvent[]) {
      if (event.kind === 'ActivityScheduled') open.add(`${instance_id}/${execution_id}/${event.id}`);
      else if ('scheduleId' in event) open.delete(`${instance_id}/${execution_id}/${event.scheduleId}`);
    }
  }
  return [...open];
}

/** Keys of activities with an outcome in a history or in a message, of instances that have outstanding ones. */
function recordedOutcomes(db: Sqlite.Database): Set<string> {
  const busy = `instance_id IN (SELECT instance_id FROM durable_activity UNION ${HOLDING})`;
  const recorded = new Set<string>();
  const histories = db
    .prepare(
      `SELECT instance_id, h.execution_id, events FROM durable_history h JOIN durable_instance i ON i.no = h.no WHERE ${busy}`,
    )
    .all();
  for (const row of histories as { instance_id: string; execution_id: number; events: string }[]) {
    for (const event of JSON.parse(row.events) as HistoryEvent[]) {
      if (event.kind !== 'ActivityCompleted' && event.kind !== 'ActivityFailed') continue;
      recorded.add(`${row.instance_id}/${row.execution_id}/${event.scheduleId}`);
    }
  }
  const messages = db
    .prepare(`SELECT instance_id, body FROM durable_message WHERE kind = 'activity-completion' AND ${busy}`)
    .all();
  for (const row of messages as { instance_id: string; body: string }[]) {
    const { executionId, scheduleId } = JSON.parse(row.body) as ActivityCompletionMessage;
    recorded.add(`${row.instance_id}/${executionId}/${scheduleId}`);
  }
  return recorded;
}

interface ActivityRow {
  readonly instance_id: string;
  readonly execution_id: number;
  readonly schedule_id: number;
  readonly attempt: number;
  readonly crashes: number;
}

export function integrityOf(db: Sqlite.Database): string | undefined {
  const answer = (db.pragma('integrity_check') as { integrity_check: string }[])
    .map((row) => row.integrity_check)
    .join('; ');
  return answer === 'ok' ? undefined : answer;
}

export function integrityOfFile(database: string): string | undefined {
  const db = new Sqlite(database);
  try {
    return integrityOf(db);
  } finally {
    db.close();
  }
}

/** A process that asks and runs nothing. */
export async function withClient<T>(database: string, ask: (client: DurableClient) => Promise<T>): Promise<T> {
  const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database } });
  const runtime = new DurableRuntime({ provider, registry: new Registry(), runsInstances: false });
  await runtime.start();
  try {
    return await ask(new DurableClient(runtime));
  } finally {
    await runtime.stop();
  }
}
