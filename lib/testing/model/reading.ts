import { InvalidOptionError } from '../../core/errors.js';
import type { HistoryEvent } from '../../core/history-event.js';
import { isFinal } from '../../core/instance.js';
import type { StoredMessage } from '../../core/message.js';
import type {
  InstanceFilter,
  InstanceRow,
  LoadedInstance,
  LoadLimits,
  OpenHandlers,
  Page,
  PageRequest,
  StoredTimer,
  TimerCursor,
} from '../../provider/provider.js';
import { isOpen } from './nodes.js';
import { byCodePoint, instanceRowOf, storedMessageOf, type MessageRow, type StoredInstance } from './rows.js';
import type { Tables } from './store.js';

/** Reads of one snapshot: what is committed now. */
export class Snapshot {
  constructor(private readonly tables: Tables) {}

  instance(instanceId: string): StoredInstance | undefined {
    return this.tables.instances.committed.get(instanceId);
  }

  all<K extends keyof Tables>(table: K): (Tables[K] extends { committed: Map<string, infer R> } ? R : never)[] {
    return [...this.tables[table].committed.values()] as never[];
  }

  private of<K extends 'history' | 'messages' | 'activities' | 'timers' | 'kv'>(table: K, instanceId: string) {
    return this.all(table).filter((row) => (row as { instanceId: string }).instanceId === instanceId);
  }

  messages(instanceId: string): MessageRow[] {
    return this.of('messages', instanceId).sort((a, b) => a.seq - b.seq);
  }

  statuses(instanceIds: readonly string[]): InstanceRow[] {
    return [...new Set(instanceIds)].flatMap((id) => this.instance(id) ?? []).map(instanceRowOf);
  }

  load(row: StoredInstance, { bufferedMessages, dueUntil }: LoadLimits): LoadedInstance {
    const { instanceId, executionId, owner } = row;
    let unreadable: string | undefined;
    const read = <T>(parse: () => T[]): T[] => {
      try {
        return parse();
      } catch (error) {
        unreadable ??= String(error);
        return [];
      }
    };
    const turns = this.of('history', instanceId).filter((it) => it.executionId === executionId);
    turns.sort((a, b) => a.firstEventId - b.firstEventId);
    const history = turns.flatMap(({ events }) => read(() => JSON.parse(events) as HistoryEvent[]));
    const stored = this.messages(instanceId);
    const buffered = stored.filter(isBufferedRow);
    const kept = new Set(buffered.slice(0, bufferedMessages));
    const messages = stored
      .filter((it) => !isBufferedRow(it) || kept.has(it))
      .flatMap((it) => read(() => [storedMessageOf(it)]));
    const due = this.of('timers', instanceId).filter(({ fireAt }) => fireAt <= dueUntil);
    due.sort((a, b) => a.fireAt - b.fireAt || a.scheduleId - b.scheduleId);
    const kvAtStart = new Map<string, string>();
    for (const { key, value, base, executionId: writtenIn } of this.of('kv', instanceId)) {
      const atStart = writtenIn === executionId ? base : value;
      if (atStart !== null) kvAtStart.set(key, atStart);
    }
    const { generation, status, name, version, turn, nextEventId, messagesIn, messagesSeen, crashes, held } = row;
    return {
      ...{ instanceId, generation, status, name, version, turn, executionId, nextEventId },
      ...{ messagesIn, messagesSeen, crashes, held, history, messages, kvAtStart, unreadable },
      owner: owner !== null && this.tables.nodes.committed.has(owner) ? owner : null,
      parent: row.parent && { ...row.parent },
      cancelRequested: row.cancelRequested,
      activityRows: held > 0 ? this.of('activities', instanceId).map(scheduleOf) : [],
      engineFormat: row.engineFormat,
      moreBuffered: buffered.length > kept.size,
      dueTimers: due.map(scheduleOf),
    };
  }

  messagesAfter(instanceId: string, generation: string, fits: (row: MessageRow) => boolean, limit: number) {
    if (this.instance(instanceId)?.generation !== generation) return [];
    return this.messages(instanceId)
      .filter(fits)
      .slice(0, limit)
      .map((row): StoredMessage => storedMessageOf(row));
  }

  runnable(node: string, afterId: string, limit: number): string[] {
    const { nodes } = this.tables;
    return this.all('instances')
      .filter((row) => isOpen(row) && row.messagesIn > row.messagesSeen && byCodePoint(row.instanceId, afterId) > 0)
      .filter(({ owner }) => owner === null || owner === node || !nodes.committed.has(owner))
      .map(({ instanceId }) => instanceId)
      .sort(byCodePoint)
      .slice(0, limit);
  }

  timers(after: TimerCursor | null, until: number, limit: number): StoredTimer[] {
    return this.all('timers')
      .filter(({ fireAt }) => fireAt <= until)
      .map((row): StoredTimer => ({ ...row, generation: this.instance(row.instanceId)!.generation }))
      .filter((row) => after === null || byFireAt(row, after) > 0)
      .sort(byFireAt)
      .slice(0, limit);
  }

  nextActivityDueAt(names: readonly string[], tags: readonly string[]): number | null {
    const due = this.all('activities')
      .filter(({ node, name, tag }) => node === null && names.includes(name) && (tag === null || tags.includes(tag)))
      .map(({ dueAt }) => dueAt);
    return due.length === 0 ? null : due.reduce((least, at) => Math.min(least, at));
  }

  /** Newest first. */
  list(filter: InstanceFilter, { limit, cursor }: PageRequest): Page<InstanceRow> {
    const { status, name, idPrefix = '', createdAfter = -Infinity, createdBefore = Infinity } = filter;
    const last = cursor === undefined ? undefined : decoded(cursor);
    if (last !== undefined && (typeof last[0] !== 'number' || typeof last[1] !== 'string')) throw badCursor(cursor!);
    const rows = this.all('instances')
      .filter((row) => status === undefined || status.includes(row.status))
      .filter((row) => (name ?? row.name) === row.name && row.instanceId.startsWith(idPrefix))
      .filter(({ createdAt }) => createdAt > createdAfter && createdAt < createdBefore)
      .filter((row) => last === undefined || newestFirst(row, { createdAt: last[0], instanceId: last[1] } as never) > 0)
      .sort(newestFirst);
    return page(rows.map(instanceRowOf), limit, (row) => [row.createdAt, row.instanceId]);
  }

  history(instanceId: string, executionId: number | undefined, { limit, cursor }: PageRequest): Page<HistoryEvent> {
    const after = cursor === undefined ? 0 : decoded(cursor)[0];
    if (typeof after !== 'number') throw badCursor(cursor!);
    const execution = executionId ?? this.instance(instanceId)?.executionId;
    const turns = this.of('history', instanceId).filter((it) => it.executionId === execution);
    turns.sort((a, b) => a.firstEventId - b.firstEventId);
    const events = turns
      .filter(({ firstEventId, eventCount }) => firstEventId + eventCount > after + 1)
      .flatMap((turn) => JSON.parse(turn.events) as HistoryEvent[]);
    return page(
      events.filter(({ id }) => id > after),
      limit,
      ({ id }) => [id],
    );
  }

  kv(instanceId: string): Map<string, string> {
    const rows = this.of('kv', instanceId).sort((a, b) => byCodePoint(a.key, b.key));
    return new Map(rows.flatMap(({ key, value }) => (value === null ? [] : [[key, value] as const])));
  }

  openHandlers(): OpenHandlers {
    const open = this.all('instances').filter(({ status }) => !isFinal(status));
    return {
      orchestrations: counted(open.map(({ name, version }) => ({ name, version }))),
      activities: counted(this.all('activities').map(({ name, tag }) => ({ name, tag }))),
    };
  }

  /** Open, and nothing will wake it: no message, activity, timer, wait or child. */
  findStuck(): string[] {
    const { nodes } = this.tables;
    const busy = new Set([...this.all('activities'), ...this.all('timers')].map(({ instanceId }) => instanceId));
    return this.all('instances')
      .filter((row) => isOpen(row) && row.messagesIn <= row.messagesSeen && !busy.has(row.instanceId))
      .filter(({ held, owner }) => held === 0 || owner === null || !nodes.committed.has(owner))
      .filter(({ instanceId }) => !waits(this.history(instanceId, undefined, { limit: Infinity }).items))
      .map(({ instanceId }) => instanceId)
      .sort(byCodePoint);
  }
}

const isBufferedRow = ({ kind }: MessageRow): boolean => kind === 'external-event' || kind === 'queue-message';
const scheduleOf = ({ executionId, scheduleId }: { executionId: number; scheduleId: number }) => ({
  executionId,
  scheduleId,
});
const byFireAt = (a: TimerCursor, b: TimerCursor): number =>
  a.fireAt - b.fireAt ||
  byCodePoint(a.instanceId, b.instanceId) ||
  a.executionId - b.executionId ||
  a.scheduleId - b.scheduleId;
const newestFirst = (
  a: Pick<StoredInstance, 'createdAt' | 'instanceId'>,
  b: Pick<StoredInstance, 'createdAt' | 'instanceId'>,
): number => b.createdAt - a.createdAt || byCodePoint(b.instanceId, a.instanceId);

function waits(history: readonly HistoryEvent[]): boolean {
  const open = new Set<number>();
  for (const event of history) {
    if (['WaitCreated', 'DequeueCreated', 'SubOrchestrationScheduled'].includes(event.kind)) open.add(event.id);
    else if ('scheduleId' in event) open.delete(event.scheduleId);
  }
  return open.size > 0;
}

function counted<K extends object>(keys: readonly K[]): (K & { count: number })[] {
  const counts = new Map<string, K & { count: number }>();
  for (const key of keys) {
    const text = JSON.stringify(key);
    counts.set(text, { ...key, count: (counts.get(text)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}

function page<T>(rows: readonly T[], limit: number, keyOf: (row: T) => unknown[]): Page<T> {
  const items = rows.slice(0, limit);
  return rows.length > limit ? { items, cursor: encoded(keyOf(items.at(-1)!)) } : { items };
}

const encoded = (key: readonly unknown[]): string => Buffer.from(JSON.stringify(key)).toString('base64url');

function decoded(cursor: string): unknown[] {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(key)) return key as unknown[];
  } catch {
    // Answered below.
  }
  throw badCursor(cursor);
}

const badCursor = (cursor: string): InvalidOptionError =>
  new InvalidOptionError('cursor', cursor, 'the cursor of the previous page, unchanged');
