import { InvalidOptionError } from '../../core/errors.js';
import type { HistoryEvent } from '../../core/history-event.js';
import type { InstanceFilter, InstanceRow, Page, PageRequest } from '../../provider/provider.js';
import type { Dialect, Script } from './dialect.js';
import { eventsOf, instanceRowOf } from './rows.js';
import type { Statements } from './statements/statements.js';

/** Newest first. The cursor is the key of the last row, so rows that come and go shift nothing. */
export function* listScript(
  sql: Statements,
  dialect: Dialect,
  filter: InstanceFilter,
  page: PageRequest,
): Script<Page<InstanceRow>> {
  const parameters: unknown[] = [];
  const conditions: string[] = [];
  const where = (condition: (...parameter: string[]) => string, ...values: readonly unknown[]): void => {
    conditions.push(condition(...values.map((value) => dialect.parameter(parameters.push(value)))));
  };
  if (filter.status !== undefined) where((list) => `status IN ${dialect.list(list!)}`, JSON.stringify(filter.status));
  if (filter.name !== undefined) where((name) => `name = ${name}`, filter.name);
  if (filter.idPrefix !== undefined) {
    where((prefix) => `substr(instance_id, 1, ${dialect.characters(prefix!)}) = ${prefix}`, filter.idPrefix);
  }
  if (filter.createdAfter !== undefined) where((at) => `created_at > ${at}`, filter.createdAfter);
  if (filter.createdBefore !== undefined) where((at) => `created_at < ${at}`, filter.createdBefore);
  if (page.cursor !== undefined)
    where((at, id) => `(created_at, instance_id) < (${at}, ${id})`, ...instanceCursor(page.cursor));
  const rows = (yield sql.instances.listing(conditions, parameters, page.limit + 1)).map(instanceRowOf);
  const items = rows.slice(0, page.limit);
  const last = items.at(-1);
  return rows.length > page.limit && last !== undefined
    ? { items, cursor: encodeCursor([last.createdAt, last.instanceId]) }
    : { items };
}

export function* historyScript(
  sql: Statements,
  instanceId: string,
  executionId: number | undefined,
  page: PageRequest,
): Script<Page<HistoryEvent>> {
  let execution = executionId;
  if (execution === undefined) {
    const [row] = yield sql.instances.status(JSON.stringify([instanceId]));
    if (row === undefined) return { items: [] };
    execution = row['execution_id'] as number;
  }
  const after = page.cursor === undefined ? 0 : historyCursor(page.cursor);
  // Every row holds at least one event, so limit + 1 rows hold more than a page.
  const rows = yield sql.journal.historyPage(instanceId, execution, after, page.limit + 1);
  const events = rows.flatMap(eventsOf).filter((event) => event.id > after);
  const items = events.slice(0, page.limit);
  return events.length > page.limit ? { items, cursor: encodeCursor([items.at(-1)!.id]) } : { items };
}

const encodeCursor = (key: readonly unknown[]): string => Buffer.from(JSON.stringify(key)).toString('base64url');

function instanceCursor(cursor: string): [number, string] {
  const [createdAt, instanceId] = decodeCursor(cursor);
  if (typeof createdAt !== 'number' || typeof instanceId !== 'string') throw badCursor(cursor);
  return [createdAt, instanceId];
}

function historyCursor(cursor: string): number {
  const [eventId] = decodeCursor(cursor);
  if (typeof eventId !== 'number') throw badCursor(cursor);
  return eventId;
}

function decodeCursor(cursor: string): unknown[] {
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
