import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { HistoryEvent } from '../../lib/core/history-event.js';
import type { Message } from '../../lib/core/message.js';
import type { Provider } from '../../lib/provider/index.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import { ParsedTexts, type Rows, type SimulatedStore } from './store.js';

type Cells = Readonly<Record<string, unknown>>;

/** The product's own provider on a real file, in memory where the system has such a place. */
export class SqliteStore implements SimulatedStore {
  readonly atomicCalls = true;
  private readonly directory = mkdtempSync(join(memoryDirectory() ?? tmpdir(), 'nest-durable-simulation-'));
  private readonly file = join(this.directory, 'durable.sqlite');
  private readonly texts = new ParsedTexts();
  private reader: Sqlite.Database | undefined;
  private statements: Record<keyof typeof QUERIES, Sqlite.Statement> | undefined;

  constructor(readonly oneEngine: boolean) {}

  provider(): Provider {
    return new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: this.file }, durability: 'normal' });
  }

  /** The process's connections go; what was committed stays. */
  crashed(provider: Provider): Promise<void> {
    return provider.close();
  }

  version(): number {
    return this.open() === undefined ? 0 : (this.reader!.pragma('data_version', { simple: true }) as number);
  }

  rows(): Rows {
    const read = this.open();
    if (read === undefined) return NOTHING;
    const all = (query: keyof typeof QUERIES): Cells[] => read[query].all() as Cells[];
    const { texts } = this;
    return {
      instances: new Map(all('instances').map((row) => [row['instanceId'] as string, row as never])),
      turns: all('turns').map(
        (row) => ({ ...(row as object), events: texts.of<HistoryEvent[]>(row['events'] as string) }) as never,
      ),
      messages: all('messages').map(
        (row) => ({ instanceId: row['instanceId'], seq: row['seq'], message: messageOf(row, texts) }) as never,
      ),
      activities: all('activities') as never,
      timers: all('timers') as never,
      kv: all('kv') as never,
      nodes: new Set(all('nodes').map((row) => row['node'] as string)),
    };
  }

  /** Undefined before the first provider has migrated the file. */
  private open(): Record<keyof typeof QUERIES, Sqlite.Statement> | undefined {
    if (this.statements !== undefined) return this.statements;
    if (statSync(this.file, { throwIfNoEntry: false }) === undefined) return undefined;
    this.reader ??= new Sqlite(this.file, { readonly: true });
    const migrated = this.reader.prepare("SELECT 1 FROM sqlite_master WHERE name = 'durable_lane'").get() !== undefined;
    if (!migrated) return undefined;
    const { reader } = this;
    this.statements = Object.fromEntries(
      Object.entries(QUERIES).map(([name, sql]) => [name, reader.prepare(sql)]),
    ) as never;
    return this.statements;
  }

  heal(): void {
    // What goes wrong here goes wrong around it.
  }

  async close(): Promise<void> {
    this.reader?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const QUERIES = {
  instances: `SELECT instance_id AS instanceId, generation, status, execution_id AS executionId, next_event_id AS nextEventId,
    turn, owner, messages_in AS messagesIn, messages_seen AS messagesSeen, held, crashes, custom_status AS customStatus, output,
    failure, suspended_code AS suspendedCode, suspended_reason AS suspendedReason, parent_instance_id AS parent
    FROM durable_instance ORDER BY instance_id`,
  turns: `SELECT i.instance_id AS instanceId, h.execution_id AS executionId, h.first_event_id AS firstEventId,
    h.event_count AS eventCount, h.events FROM durable_history h JOIN durable_instance i ON i.no = h.no
    ORDER BY i.instance_id, h.execution_id, h.first_event_id`,
  messages: `SELECT instance_id AS instanceId, seq, kind, name, body FROM durable_message ORDER BY instance_id, seq`,
  activities: `SELECT instance_id AS instanceId, execution_id AS executionId, schedule_id AS scheduleId, generation, claim, node,
    attempt, crashes FROM durable_activity ORDER BY instance_id, execution_id, schedule_id`,
  timers: `SELECT instance_id AS instanceId, execution_id AS executionId, schedule_id AS scheduleId, fire_at AS fireAt
    FROM durable_timer ORDER BY instance_id, execution_id, schedule_id`,
  kv: `SELECT instance_id AS instanceId, name AS key, value, base, execution_id AS executionId FROM durable_kv
    ORDER BY instance_id, name`,
  nodes: 'SELECT node FROM durable_node ORDER BY node',
} as const;

const NOTHING: Rows = {
  instances: new Map(),
  turns: [],
  messages: [],
  activities: [],
  timers: [],
  kv: [],
  nodes: new Set(),
};

function messageOf(row: Cells, texts: ParsedTexts): Message {
  const kind = row['kind'] as string;
  if (kind === 'external-event' || kind === 'queue-message')
    return { kind, name: row['name'] as string, data: row['body'] as string };
  return texts.of<Message>(row['body'] as string);
}

/** Commits of a simulated disk need no disk. */
function memoryDirectory(): string | undefined {
  return statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() ? '/dev/shm' : undefined;
}
