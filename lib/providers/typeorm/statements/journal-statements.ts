import type { InstanceKey } from '../../../provider/batch.js';
import type { Statement } from '../dialect.js';
import { bulk, query, run, StatementSet, type Cell } from './statement-set.js';

const HISTORY = {
  no: 'integer',
  execution_id: 'integer',
  first_event_id: 'integer',
  event_count: 'integer',
  events: 'text',
} as const;
const MESSAGE = { instance_id: 'text', seq: 'integer', kind: 'text', name: 'text', body: 'text' } as const;
const SCHEDULE_KEY = { instance_id: 'text', execution_id: 'integer', schedule_id: 'integer' } as const;

/** History, messages, timers and KV: what turns append and use up. */
export class JournalStatements extends StatementSet {
  appendHistory(rows: readonly (readonly Cell[])[]): Statement {
    return this.dialect.insertRows(this.tables.history, HISTORY, rows);
  }

  addMessages(rows: readonly (readonly Cell[])[]): Statement {
    return this.dialect.insertRows(this.tables.message, MESSAGE, rows);
  }

  useMessages(rows: readonly (readonly Cell[])[]): Statement {
    return this.dialect.deleteRows(this.tables.message, { instance_id: 'text', seq: 'integer' }, rows);
  }

  dropMessagesOf(ids: string): Statement {
    return run(`DELETE FROM ${this.tables.message} WHERE instance_id IN ${this.list(1)}`, ids);
  }

  addTimers(rows: readonly (readonly Cell[])[]): Statement {
    return this.dialect.insertRows(this.tables.timer, { ...SCHEDULE_KEY, fire_at: 'integer' }, rows);
  }

  closeTimers(rows: readonly (readonly Cell[])[]): Statement {
    return this.dialect.deleteRows(this.tables.timer, SCHEDULE_KEY, rows);
  }

  dropTimersOf(ids: string): Statement {
    return run(`DELETE FROM ${this.tables.timer} WHERE instance_id IN ${this.list(1)}`, ids);
  }

  private readonly putKvSql = `INSERT INTO ${this.tables.kv} (instance_id, name, value, base, execution_id)
    SELECT id, name, value, NULL, execution_id FROM ${this.rows(1, { id: 'text', name: 'text', value: 'text', execution_id: 'integer' })} AS k WHERE true
    ${this.dialect.onConflict(this.tables.kv, ['instance_id', 'name'], {
      // In this order: MySQL assigns one after the other.
      base: `CASE WHEN ${this.tables.kv}.execution_id < ${this.dialect.inserted('execution_id')} THEN ${this.tables.kv}.value ELSE ${this.tables.kv}.base END`,
      value: this.dialect.inserted('value'),
      execution_id: this.dialect.inserted('execution_id'),
    })}`;

  putKv(rows: readonly (readonly Cell[])[]): Statement {
    return run(this.putKvSql, bulk(rows));
  }

  // ---- reading ----

  history(ids: string): Statement {
    return query(
      `SELECT i.instance_id, h.events FROM ${this.tables.instance} i
       JOIN ${this.tables.history} h ON h.no = i.no AND h.execution_id = i.execution_id
       WHERE i.instance_id IN ${this.list(1)} ORDER BY i.instance_id, h.first_event_id`,
      ids,
    );
  }

  historyPage(instanceId: string, executionId: number, afterEventId: number, limit: number): Statement {
    return query(
      `SELECT first_event_id, events FROM ${this.tables.history}
       WHERE no = (SELECT no FROM ${this.tables.instance} WHERE instance_id = ${this.p(1)})
        AND execution_id = ${this.p(2)} AND first_event_id + event_count > ${this.p(3)} + 1
       ORDER BY first_event_id LIMIT ${this.p(4)}`,
      instanceId,
      executionId,
      afterEventId,
      limit,
    );
  }

  /** Every kind but the buffered ones, which an instance may hold in any number. */
  unbufferedMessages(ids: string): Statement {
    return query(
      `SELECT instance_id, seq, kind, name, body FROM ${this.tables.message}
       WHERE instance_id IN ${this.list(1)} AND kind NOT IN ('external-event', 'queue-message') ORDER BY instance_id, seq`,
      ids,
    );
  }

  bufferedMessages(instanceId: string, limit: number): Statement {
    return query(
      `SELECT seq, kind, name, body FROM ${this.tables.message}
       WHERE instance_id = ${this.p(1)} AND kind IN ('external-event', 'queue-message') ORDER BY seq LIMIT ${this.p(2)}`,
      instanceId,
      limit,
    );
  }

  /** Which of these instances hold buffered messages at all. */
  haveBuffered(ids: string): Statement {
    return query(
      `SELECT DISTINCT instance_id FROM ${this.tables.message}
       WHERE instance_id IN ${this.list(1)} AND kind IN ('external-event', 'queue-message')`,
      ids,
    );
  }

  messagesAfter({ instanceId, generation }: InstanceKey, seq: number, limit: number): Statement {
    return query(
      `SELECT seq, kind, name, body FROM ${this.tables.message}
       WHERE instance_id = ${this.p(1)} AND ${this.livesAs(2)} AND seq > ${this.p(3)} ORDER BY seq LIMIT ${this.p(4)}`,
      instanceId,
      generation,
      seq,
      limit,
    );
  }

  bufferedLane({ instanceId, generation }: InstanceKey, kind: string, name: string, limit: number): Statement {
    return query(
      `SELECT seq, kind, name, body FROM ${this.tables.message}
       WHERE instance_id = ${this.p(1)} AND ${this.livesAs(2)} AND kind = ${this.p(3)} AND name = ${this.p(4)}
       ORDER BY seq LIMIT ${this.p(5)}`,
      instanceId,
      generation,
      kind,
      name,
      limit,
    );
  }

  /** Messages have no generation of their own: a restart deletes those of the old life. */
  private livesAs(generation: number): string {
    return `EXISTS (SELECT 1 FROM ${this.tables.instance} i
      WHERE i.instance_id = ${this.p(1)} AND i.generation = ${this.p(generation)})`;
  }

  dueTimers(ids: string, until: number): Statement {
    return query(
      `SELECT instance_id, execution_id, schedule_id FROM ${this.tables.timer}
       WHERE instance_id IN ${this.list(1)} AND fire_at <= ${this.p(2)} ORDER BY fire_at, schedule_id`,
      ids,
      until,
    );
  }

  timers(after: readonly [number, string, number, number], until: number, limit: number): Statement {
    return query(
      `SELECT t.instance_id, t.execution_id, t.schedule_id, t.fire_at, i.generation FROM ${this.tables.timer} t
       JOIN ${this.tables.instance} i ON i.instance_id = t.instance_id
       WHERE (t.fire_at, t.instance_id, t.execution_id, t.schedule_id) > (${this.p(1)}, ${this.p(2)}, ${this.p(3)}, ${this.p(4)})
         AND t.fire_at <= ${this.p(5)}
       ORDER BY t.fire_at, t.instance_id, t.execution_id, t.schedule_id LIMIT ${this.p(6)}`,
      ...after,
      until,
      limit,
    );
  }

  kvAtStart(ids: string): Statement {
    return query(
      `SELECT k.instance_id, k.name, CASE WHEN k.execution_id = i.execution_id THEN k.base ELSE k.value END AS value
       FROM ${this.tables.kv} k JOIN ${this.tables.instance} i ON i.instance_id = k.instance_id
       WHERE k.instance_id IN ${this.list(1)}`,
      ids,
    );
  }

  kv(instanceId: string): Statement {
    return query(
      `SELECT name, value FROM ${this.tables.kv} WHERE instance_id = ${this.p(1)} AND value IS NOT NULL ORDER BY name`,
      instanceId,
    );
  }

  kvValue(instanceId: string, key: string): Statement {
    return query(
      `SELECT value FROM ${this.tables.kv} WHERE instance_id = ${this.p(1)} AND name = ${this.p(2)}`,
      instanceId,
      key,
    );
  }
}
