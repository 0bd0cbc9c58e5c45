import {
  keyOf,
  scheduleKey,
  type ActivityRow,
  type KvRow,
  type LaneRow,
  type MessageRow,
  type NodeRow,
  type StoredInstance,
  type StoredTurn,
  type TimerRow,
} from './rows.js';
import { Table } from './transaction.js';

/** The tables of the model: what a database server holds. */
export interface Tables {
  readonly instances: Table<StoredInstance>;
  readonly history: Table<StoredTurn>;
  readonly messages: Table<MessageRow>;
  readonly activities: Table<ActivityRow>;
  readonly timers: Table<TimerRow>;
  readonly kv: Table<KvRow>;
  readonly nodes: Table<NodeRow>;
  readonly lanes: Table<LaneRow>;
}

/** The server that several `ModelProvider`s share. It has no time of its own and does nothing by itself. */
export class ModelStore {
  readonly tables: Tables = {
    instances: new Table('instance', (row) => row.instanceId, ['instanceId', 'generation', 'name', 'version']),
    history: new Table('history', (row) => keyOf(row.instanceId, row.executionId, row.firstEventId), ['events']),
    messages: new Table('message', (row) => keyOf(row.instanceId, row.seq), ['kind', 'body']),
    activities: new Table('activity', (row) => scheduleKey(row.instanceId, row), ['generation', 'name', 'args']),
    timers: new Table('timer', (row) => scheduleKey(row.instanceId, row), ['fireAt']),
    kv: new Table('kv', (row) => keyOf(row.instanceId, row.key), ['key']),
    nodes: new Table('node', (row) => row.node, ['node', 'buildId']),
    lanes: new Table('lane', (row) => keyOf(row.node, row.lane), ['node']),
  };
  /** Transactions that wrote something, by the provider that committed them. */
  readonly commits = new Map<object, number>();

  /** Makes a stored text of an instance unreadable, as a bad disk or a foreign writer would. */
  damage(what: 'history' | 'message', instanceId: string): void {
    const { history, messages } = this.tables;
    if (what === 'history') spoil(history, (row) => (row.instanceId === instanceId ? { ...row, events: '[{' } : row));
    else spoil(messages, (row) => (row.instanceId === instanceId ? { ...row, body: 'x' } : row));
  }
}

function spoil<R extends object>(table: Table<R>, change: (row: R) => R): void {
  for (const [key, row] of table.committed) table.committed.set(key, change(row));
}
