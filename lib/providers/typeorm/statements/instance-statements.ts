import { SUSPECT_AFTER_CRASHES } from '../../../core/limits.js';
import type { Statement } from '../dialect.js';
import { RUNNABLE } from '../schema.js';
import { insertReturning, updateReturning, type Prepared, type Update } from './returning.js';
import { bulk, query, run, StatementSet, type Cell } from './statement-set.js';

const OPEN = `('Pending', 'Running')`;
const FINAL = `('Completed', 'Failed', 'Cancelled', 'Terminated')`;
const NUMBER = { no: 'integer' } as const;

const RESUMED = {
  status: `CASE WHEN turn = 0 THEN 'Pending' ELSE 'Running' END`,
  suspended_by: 'NULL',
  suspended_code: 'NULL',
  suspended_reason: 'NULL',
} as const;

/** The columns of a status row. */
export const STATUS_COLUMNS = `instance_id, generation, name, version, status, execution_id, parent_instance_id, parent_generation,
  parent_execution_id, parent_schedule_id, custom_status, output, failure, suspended_by, suspended_code, suspended_reason,
  cancel_requested, created_at, updated_at, ended_at`;

/** The instance table: the fence, the counters, starts, ends and suspensions. */
export class InstanceStatements extends StatementSet {
  private readonly updating = (update: Omit<Update, 'table' | 'key'>): Prepared =>
    updateReturning(this.dialect, { table: this.tables.instance, key: NUMBER, ...update });

  private readonly fencing = this.updating({
    set: {
      turn: 'i.turn + 1',
      owner: `CASE WHEN t.keep = 1 THEN ${this.p(2)} ELSE NULL END`,
      epoch: `i.epoch + CASE WHEN i.owner = ${this.p(2)} THEN 0 ELSE 1 END`,
      messages_in: 'i.messages_in + t.own_messages',
      messages_seen: 'i.messages_seen + t.seen',
      status: 't.status',
      execution_id: 't.execution_id',
      next_event_id: 't.next_event_id',
      held: 't.held',
      crashes: '0',
      suspect: 'NULL',
      updated_at: this.p(3),
    },
    from: this.rows(1, {
      id: 'text',
      asked: 'text',
      turn: 'integer',
      keep: 'integer',
      own_messages: 'integer',
      seen: 'integer',
      status: 'text',
      execution_id: 'integer',
      next_event_id: 'integer',
      held: 'integer',
    }),
    where: `i.instance_id = t.id AND i.generation = t.asked AND i.turn = t.turn AND i.status IN ${OPEN}
      AND (i.owner IS NULL OR i.owner = ${this.p(2)} OR i.owner NOT IN (SELECT node FROM ${this.tables.node}))`,
    returning: 'no, instance_id, generation, messages_in',
  });

  /** Check and write in one statement: it gives back the turns that are in; nothing of the others may follow. */
  fence(node: string, now: number, rows: readonly (readonly Cell[])[]): Statement {
    return this.fencing(bulk(rows), node, now);
  }

  private readonly fencingPlain = this.updating({
    set: {
      turn: 'i.turn + 1',
      next_event_id: 't.next_event_id',
      held: 't.held',
      crashes: '0',
      suspect: 'NULL',
      updated_at: this.p(3),
    },
    from: this.rows(1, {
      number: 'integer',
      asked: 'text',
      turn: 'integer',
      next_event_id: 'integer',
      held: 'integer',
    }),
    where: `i.no = t.number AND i.generation = t.asked AND i.turn = t.turn AND i.owner = ${this.p(2)} AND i.status = 'Running'`,
    returning: 'no',
  });

  /** The same for turns of instances this node owns and keeps, which took no stored message. */
  fencePlain(node: string, now: number, rows: readonly (readonly Cell[])[]): Statement {
    return this.fencingPlain(bulk(rows), node, now);
  }

  private readonly updatingFrom = (rows: string, set: Readonly<Record<string, string>>): string =>
    this.dialect.updateFrom(`${this.tables.instance} AS i`, `${rows} AS t`, set, 'i.instance_id = t.id');

  private readonly changeSql = this.updatingFrom(
    this.rows(1, { id: 'text', new_version: 'text', cancelled: 'integer' }),
    { version: 't.new_version', cancel_requested: 't.cancelled' },
  );

  /** What few turns change: the version of the next execution, and that a cancellation was delivered. */
  change(rows: readonly (readonly Cell[])[]): Statement {
    return run(this.changeSql, bulk(rows));
  }

  private readonly starting = insertReturning(this.dialect, {
    table: this.tables.instance,
    columns: `instance_id, generation, name, version, status, execution_id,
      next_event_id, turn, owner, epoch, messages_in, messages_seen, held, crashes, cancel_requested, parent_instance_id,
      parent_generation, parent_execution_id, parent_schedule_id, engine_format, created_at, updated_at`,
    values: `id, generation, name, version, 'Pending', 1, 1, 0, NULL, 0, 1, 0, 0, 0, 0, parent_instance_id, parent_generation,
      parent_execution_id, parent_schedule_id, ${this.p(3)}, ${this.p(2)}, ${this.p(2)}`,
    from: this.rows(1, {
      id: 'text',
      generation: 'text',
      name: 'text',
      version: 'text',
      parent_instance_id: 'text',
      parent_generation: 'text',
      parent_execution_id: 'integer',
      parent_schedule_id: 'integer',
    }),
    key: ['instance_id', 'id'],
    identity: ['generation', 'generation'],
  });

  /** Ids that exist are left alone and do not come back. */
  start(now: number, engineFormat: number, rows: readonly (readonly Cell[])[]): Statement {
    return this.starting(bulk(rows), now, engineFormat);
  }

  /** In the order of their ids. Undefined: there is one writer at a time. */
  lock(ids: string): Statement | undefined {
    if (this.dialect.forUpdate === '') return undefined;
    return run(
      `SELECT 1 FROM ${this.tables.instance} WHERE instance_id IN ${this.list(1)} ORDER BY instance_id${this.dialect.forUpdate}`,
      ids,
    );
  }

  /** Locked: of two restarts at once the second must not take the new life for the finished one. */
  finishedAmong(ids: string): Statement {
    return query(
      `SELECT instance_id FROM ${this.tables.instance} WHERE instance_id IN ${this.list(1)} AND status IN ${FINAL}
       ORDER BY instance_id${this.dialect.forUpdate}`,
      ids,
    );
  }

  /** Everything of these instances, in every table. */
  removeAll(ids: string): Statement[] {
    const { instance, history, message, activity, timer, kv } = this.tables;
    const numbers = `SELECT no FROM ${instance} WHERE instance_id IN ${this.list(1)}`;
    return [
      run(this.dialect.deleteIn(history, 'no', numbers), ids),
      ...[message, activity, timer, kv, instance].map((table) =>
        run(`DELETE FROM ${table} WHERE instance_id IN ${this.list(1)}`, ids),
      ),
    ];
  }

  private readonly addressing = this.updating({
    set: {
      messages_in: 'i.messages_in + t.k',
      status: `CASE WHEN t.terminates = 1 AND i.status = 'Suspended' THEN 'Running' ELSE i.status END`,
      suspended_by: 'CASE WHEN t.terminates = 1 THEN NULL ELSE i.suspended_by END',
    },
    from: this.rows(1, { id: 'text', asked: 'text', k: 'integer', terminates: 'integer' }),
    where: `i.instance_id = t.id AND (t.asked IS NULL OR i.generation = t.asked) AND i.status NOT IN ${FINAL}`,
    returning: 'instance_id, generation, messages_in',
  });

  /**
   * Counts messages in. The row lock, held to commit, gives each its number in the instance's order of delivery; a row that
   * does not come back is gone or finished (protocol 2). A termination wakes a suspended instance: it runs no code.
   */
  address(rows: readonly (readonly Cell[])[]): Statement {
    return this.addressing(bulk(rows));
  }

  statusOf(ids: string): Statement {
    return query(`SELECT instance_id, status FROM ${this.tables.instance} WHERE instance_id IN ${this.list(1)}`, ids);
  }

  private readonly customStatusSql = this.updatingFrom(this.rows(1, { id: 'text', status: 'text' }), {
    custom_status: 't.status',
  });

  setCustomStatus(rows: readonly (readonly Cell[])[]): Statement {
    return run(this.customStatusSql, bulk(rows));
  }

  private readonly endSql = this.updatingFrom(this.rows(1, { id: 'text', output: 'text', failure: 'text' }), {
    output: 't.output',
    failure: 't.failure',
    ended_at: this.p(2),
  });

  /** The fence has set the status; the row keeps what callers ask for. */
  end(now: number, rows: readonly (readonly Cell[])[]): Statement {
    return run(this.endSql, bulk(rows), now);
  }

  private readonly suspending = this.updating({
    set: {
      status: `'Suspended'`,
      owner: 'CASE WHEN held > 0 THEN owner END',
      suspect: 'NULL',
      suspended_by: this.p(4),
      suspended_code: this.p(5),
      suspended_reason: this.p(6),
      failed_builds: this.p(7),
      updated_at: this.p(8),
    },
    where: `instance_id = ${this.p(1)} AND (${this.typed(2, 'text')} IS NULL OR generation = ${this.typed(2, 'text')})
      AND (${this.typed(3, 'integer')} IS NULL OR turn = ${this.typed(3, 'integer')}) AND status NOT IN ${FINAL}
      AND (${this.p(4)} = 'operator' OR status <> 'Suspended')`,
    returning: 'instance_id',
  });

  /** An engine leaves alone what is suspended: an operator's suspension only an operator undoes (protocol 18). */
  suspend(
    now: number,
    item: {
      instanceId: string;
      generation: string | null;
      turn: number | null;
      by: string;
      code: string;
      reason: string;
      builds: string | null;
    },
  ): Statement {
    return this.suspending(
      item.instanceId,
      item.generation,
      item.turn,
      item.by,
      item.code,
      item.reason,
      item.builds,
      now,
    );
  }

  failedBuilds(instanceId: string): Statement {
    return query(`SELECT failed_builds FROM ${this.tables.instance} WHERE instance_id = ${this.p(1)}`, instanceId);
  }

  private readonly resuming = this.updating({
    set: {
      ...RESUMED,
      failed_builds: 'NULL',
      crashes: '0',
      suspect: 'NULL',
      updated_at: this.p(1),
    },
    where: `instance_id = ${this.p(2)} AND status = 'Suspended'`,
    returning: 'instance_id',
  });

  resume(now: number, instanceId: string): Statement {
    return this.resuming(now, instanceId);
  }

  engineSuspended(): Statement {
    return query(
      `SELECT instance_id, failed_builds, suspended_code FROM ${this.tables.instance} WHERE status = 'Suspended' AND suspended_by = 'engine'`,
    );
  }

  private readonly retryingOnBuild = this.updating({
    set: { ...RESUMED, messages_in: 'messages_in + 1', updated_at: this.p(1) },
    where: `instance_id IN ${this.list(2)} AND status = 'Suspended' AND suspended_by = 'engine'`,
    returning: 'instance_id, messages_in',
  });

  /** Like `resume`, but what failed so far is remembered: another build is tried, not forgotten. */
  retryOnBuild(now: number, ids: string): Statement {
    return this.retryingOnBuild(now, ids);
  }

  private readonly marking = this.updating({
    set: { suspect: this.p(1) },
    where: `instance_id = ${this.p(2)} AND generation = ${this.p(3)} AND turn = ${this.p(4)} AND status IN ${OPEN}`,
    returning: 'instance_id',
  });

  markSuspect(node: string, instanceId: string, generation: string, turn: number): Statement {
    return this.marking(node, instanceId, generation, turn);
  }

  suspectsOf(nodes: string): Statement {
    return query(
      `SELECT instance_id, suspect AS node FROM ${this.tables.instance} WHERE suspect IN ${this.list(1)}`,
      nodes,
    );
  }

  private readonly countingCrash = this.updating({
    set: { crashes: 'crashes + 1' },
    where: `status IN ${OPEN} AND crashes < ${SUSPECT_AFTER_CRASHES} AND owner IN ${this.list(1)} AND (messages_in > messages_seen OR held > 0
      OR EXISTS (SELECT 1 FROM ${this.tables.activity} a WHERE a.instance_id = ${this.tables.instance}.instance_id AND a.node IN ${this.list(1)})
      OR EXISTS (SELECT 1 FROM ${this.tables.timer} t WHERE t.instance_id = ${this.tables.instance}.instance_id AND t.fire_at <= ${this.p(2)}))`,
    returning: 'instance_id',
    scans: true,
  });

  /** Up to suspicion. A suspect runs only under its mark, so a crash without that mark was not its own. */
  countCrash(nodes: string, now: number): Statement {
    return this.countingCrash(nodes, now);
  }

  private readonly blaming = this.updating({
    set: { crashes: 'crashes + 1', suspect: 'NULL' },
    where: `suspect IN ${this.list(1)}`,
    returning: 'instance_id',
    scans: true,
  });

  countSuspectCrash(nodes: string): Statement {
    return this.blaming(nodes);
  }

  /**
   * What will run next belongs to the node that took over, before it has committed a turn: a crash in that very turn has to
   * count, too. Idle instances keep the name of a dead owner, which is as good as none.
   */
  adopt(node: string, nodes: string, now: number): Statement {
    const { instance, activity, timer } = this.tables;
    return run(
      `UPDATE ${instance} SET owner = ${this.p(1)}, epoch = epoch + 1
       WHERE status IN ${OPEN} AND (owner IS NULL OR owner IN ${this.list(2)}) AND (messages_in > messages_seen
         OR EXISTS (SELECT 1 FROM ${activity} a WHERE a.instance_id = ${instance}.instance_id)
         OR EXISTS (SELECT 1 FROM ${timer} t WHERE t.instance_id = ${instance}.instance_id AND t.fire_at <= ${this.p(3)}))`,
      node,
      nodes,
      now,
    );
  }

  private readonly adopting = this.updating({
    set: { owner: this.p(1), epoch: `epoch + CASE WHEN owner = ${this.p(1)} THEN 0 ELSE 1 END` },
    where: `instance_id IN ${this.list(2)} AND status IN ${OPEN}
      AND (owner IS NULL OR owner = ${this.p(1)} OR owner NOT IN (SELECT node FROM ${this.tables.node}))`,
    returning: 'instance_id',
  });

  /** Those that are the node's own already are given back, too. */
  adoptNamed(node: string, ids: string): Statement {
    return this.adopting(node, ids);
  }

  private readonly keeping = this.updating({
    set: {
      held: '0',
      turn: 'i.turn + 1',
      owner: `CASE WHEN i.status = 'Suspended' THEN NULL ELSE i.owner END`,
    },
    from: this.rows(1, { id: 'text', asked: 'text', turn: 'integer' }),
    where: `i.instance_id = t.id AND i.generation = t.asked AND i.turn = t.turn AND i.owner = ${this.p(2)} AND i.held > 0
      AND i.status NOT IN ${FINAL}`,
    returning: 'instance_id, generation',
  });

  /** The fence of activities that get rows outside a turn. */
  keepHeld(node: string, rows: readonly (readonly Cell[])[]): Statement {
    return this.keeping(bulk(rows), node);
  }

  private readonly countingInLost = this.updating({
    set: { messages_in: 'messages_in + 1' },
    where: `held > 0 AND owner IN ${this.list(1)} AND status NOT IN ${FINAL}`,
    returning: 'instance_id, messages_in',
    scans: true,
  });

  /** Counts a message in for those whose activities these nodes held without rows; their next turn gives them some. */
  countInLost(nodes: string): Statement {
    return this.countingInLost(nodes);
  }

  /** Graceful: instances of a node that leaves. */
  disown(node: string): Statement {
    return run(`UPDATE ${this.tables.instance} SET owner = NULL, suspect = NULL WHERE owner = ${this.p(1)}`, node);
  }

  load(ids: string): Statement {
    return query(
      `SELECT instance_id, generation, status, name, version, turn, execution_id, next_event_id, messages_in, messages_seen, held, crashes,
        CASE WHEN owner IN (SELECT node FROM ${this.tables.node}) THEN owner END AS owner,
        parent_instance_id, parent_generation, parent_execution_id, parent_schedule_id, cancel_requested, engine_format
       FROM ${this.tables.instance} WHERE instance_id IN ${this.list(1)}`,
      ids,
    );
  }

  runnable(node: string, afterId: string, limit: number): Statement {
    return query(
      `SELECT instance_id FROM ${this.tables.instance}
       WHERE ${this.dialect.matching(RUNNABLE)} AND instance_id > ${this.p(2)} AND status IN ${OPEN}
        AND (owner IS NULL OR owner = ${this.p(1)} OR owner NOT IN (SELECT node FROM ${this.tables.node}))
       ORDER BY instance_id LIMIT ${this.p(3)}`,
      node,
      afterId,
      limit,
    );
  }

  status(ids: string): Statement {
    return query(`SELECT ${STATUS_COLUMNS} FROM ${this.tables.instance} WHERE instance_id IN ${this.list(1)}`, ids);
  }

  /** `conditions` are fragments over parameters from 1 on; newest first. */
  listing(conditions: readonly string[], parameters: readonly unknown[], limit: number): Statement {
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    return query(
      `SELECT ${STATUS_COLUMNS} FROM ${this.tables.instance} ${where} ORDER BY created_at DESC, instance_id DESC LIMIT ${this.p(parameters.length + 1)}`,
      ...parameters,
      limit,
    );
  }

  openByHandler(): Statement {
    return query(
      `SELECT name, version, COUNT(*) AS count FROM ${this.tables.instance} WHERE status NOT IN ${FINAL} GROUP BY name, version`,
    );
  }

  open(afterId: string, limit: number): Statement {
    return query(
      `SELECT instance_id, messages_in, messages_seen,
        CASE WHEN held > 0 AND owner IN (SELECT node FROM ${this.tables.node}) THEN 1 ELSE 0 END AS held
       FROM ${this.tables.instance} WHERE status IN ${OPEN} AND instance_id > ${this.p(1)} ORDER BY instance_id LIMIT ${this.p(2)}`,
      afterId,
      limit,
    );
  }
}
