import type { Dialect, PartialIndex } from './dialect.js';
import { indexOf } from './standard-sql.js';

/** The tables' names, with the prefix of the options. */
export interface Tables {
  readonly instance: string;
  readonly history: string;
  readonly message: string;
  readonly activity: string;
  readonly timer: string;
  readonly kv: string;
  readonly node: string;
  readonly lane: string;
  readonly migration: string;
}

/** `qualified` makes of a bare name what stands in statements. */
export function tablesOf(prefix: string, qualified: (name: string) => string = (name) => name): Tables {
  const table = (name: string): string => qualified(`${prefix}${name}`);
  return {
    instance: table('instance'),
    history: table('history'),
    message: table('message'),
    activity: table('activity'),
    timer: table('timer'),
    kv: table('kv'),
    node: table('node'),
    lane: table('lane'),
    migration: table('migration'),
  };
}

/** Instances with messages nobody has looked at. */
export const RUNNABLE: PartialIndex = {
  name: 'runnable',
  columns: 'instance_id',
  condition: 'messages_in > messages_seen',
};
/** Activities nobody holds. */
export const CLAIMABLE: PartialIndex = { name: 'claimable', columns: 'due_at', condition: 'node IS NULL' };

/** A migration is add-only, never edited after its release, and has no way back. */
export interface Migration {
  readonly version: number;
  readonly statements: readonly string[];
}

export function migrationTable(tables: Tables, { types }: Dialect): string {
  return `CREATE TABLE IF NOT EXISTS ${tables.migration} (version ${types.integer} PRIMARY KEY, applied_at ${types.integer} NOT NULL)`;
}

export function migrations(tables: Tables, dialect: Dialect): Migration[] {
  const {
    types: { key, text, integer, serial },
    clusteredTable,
  } = dialect;
  return [
    {
      version: 1,
      statements: [
        // `no` is the name of the row inside this database: short, and in the order of creation. The counters only grow and both sides add, so that no snapshot can lose a wake-up (protocol 2).
        `CREATE TABLE ${tables.instance} (
          no ${serial},
          instance_id ${key} NOT NULL UNIQUE,
          generation ${key} NOT NULL,
          name ${key} NOT NULL,
          version ${key} NOT NULL,
          status ${key} NOT NULL,
          execution_id ${integer} NOT NULL,
          next_event_id ${integer} NOT NULL,
          turn ${integer} NOT NULL,
          owner ${key},
          epoch ${integer} NOT NULL,
          messages_in ${integer} NOT NULL,
          messages_seen ${integer} NOT NULL,
          held ${integer} NOT NULL,
          crashes ${integer} NOT NULL,
          suspect ${key},
          cancel_requested ${integer} NOT NULL,
          parent_instance_id ${key},
          parent_generation ${key},
          parent_execution_id ${integer},
          parent_schedule_id ${integer},
          custom_status ${text},
          output ${text},
          failure ${text},
          suspended_by ${key},
          suspended_code ${key},
          suspended_reason ${text},
          failed_builds ${text},
          engine_format ${integer} NOT NULL,
          created_at ${integer} NOT NULL,
          updated_at ${integer} NOT NULL,
          ended_at ${integer}
        )`,
        ...dialect.partialIndex(tables.instance, RUNNABLE),
        `CREATE INDEX ${indexOf(tables.instance, 'created')} ON ${tables.instance} (created_at, instance_id)`,
        // One row per turn, its events as one JSON text (protocol 36). Rows are only ever appended, so that the turns of a
        // batch lie side by side and not on a page for each instance; the index holds four small integers.
        `CREATE TABLE ${tables.history} (
          no ${integer} NOT NULL,
          execution_id ${integer} NOT NULL,
          first_event_id ${integer} NOT NULL,
          event_count ${integer} NOT NULL,
          events ${text} NOT NULL
        )`,
        `CREATE UNIQUE INDEX ${indexOf(tables.history, 'order')} ON ${tables.history} (no, execution_id, first_event_id)`,
        `CREATE TABLE ${tables.message} (
          instance_id ${key} NOT NULL,
          seq ${integer} NOT NULL,
          kind ${key} NOT NULL,
          name ${key},
          body ${text} NOT NULL,
          PRIMARY KEY (instance_id, seq)
        ) ${clusteredTable}`,
        `CREATE TABLE ${tables.activity} (
          instance_id ${key} NOT NULL,
          execution_id ${integer} NOT NULL,
          schedule_id ${integer} NOT NULL,
          generation ${key} NOT NULL,
          name ${key} NOT NULL,
          tag ${key},
          args ${text} NOT NULL,
          options ${text},
          claim ${integer} NOT NULL,
          node ${key},
          attempt ${integer} NOT NULL,
          crashes ${integer} NOT NULL,
          suspect ${key},
          due_at ${integer} NOT NULL,
          scheduled_at ${integer} NOT NULL,
          last_failure ${text},
          PRIMARY KEY (instance_id, execution_id, schedule_id)
        ) ${clusteredTable}`,
        ...dialect.partialIndex(tables.activity, CLAIMABLE),
        `CREATE TABLE ${tables.timer} (
          instance_id ${key} NOT NULL,
          execution_id ${integer} NOT NULL,
          schedule_id ${integer} NOT NULL,
          fire_at ${integer} NOT NULL,
          PRIMARY KEY (instance_id, execution_id, schedule_id)
        ) ${clusteredTable}`,
        `CREATE INDEX ${indexOf(tables.timer, 'due')} ON ${tables.timer} (fire_at, instance_id, execution_id, schedule_id)`,
        // base is the value before the first write of execution_id: what a replay of that execution starts from.
        `CREATE TABLE ${tables.kv} (
          instance_id ${key} NOT NULL,
          name ${key} NOT NULL,
          value ${text},
          base ${text},
          execution_id ${integer} NOT NULL,
          PRIMARY KEY (instance_id, name)
        ) ${clusteredTable}`,
        `CREATE TABLE ${tables.node} (
          node ${key} NOT NULL PRIMARY KEY,
          engine ${integer} NOT NULL,
          build_id ${key} NOT NULL,
          joined_at ${integer} NOT NULL,
          heartbeat_at ${integer} NOT NULL,
          lease_until ${integer} NOT NULL
        )`,
        `CREATE TABLE ${tables.lane} (
          node ${key} NOT NULL,
          lane ${integer} NOT NULL,
          seq ${integer} NOT NULL,
          verdicts ${text},
          PRIMARY KEY (node, lane)
        ) ${clusteredTable}`,
      ],
    },
  ];
}
