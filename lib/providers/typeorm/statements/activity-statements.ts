import { SUSPECT_AFTER_CRASHES } from '../../../core/limits.js';
import type { Statement } from '../dialect.js';
import { bulk, query, run, StatementSet, type Cell } from './statement-set.js';

const CLAIM_COLUMNS = {
  id: 'text',
  execution: 'integer',
  schedule: 'integer',
  life: 'text',
  taken: 'integer',
} as const;
const CLAIM = 'instance_id, execution_id, schedule_id, generation, claim';
const SCHEDULE_KEY = { instance_id: 'text', execution_id: 'integer', schedule_id: 'integer' } as const;
const ACTIVITY = {
  ...SCHEDULE_KEY,
  generation: 'text',
  name: 'text',
  tag: 'text',
  args: 'text',
  options: 'text',
  claim: 'integer',
  node: 'text',
  attempt: 'integer',
  crashes: 'integer',
  due_at: 'integer',
  scheduled_at: 'integer',
  last_failure: 'text',
} as const;
const KEY = '(instance_id, execution_id, schedule_id)';
const CLAIMED =
  'instance_id, execution_id, schedule_id, generation, claim, name, tag, args, options, attempt, crashes, scheduled_at';

/** Activities: one row each while outstanding. Whatever writes an outcome compares generation, claim and node. */
export class ActivityStatements extends StatementSet {
  add(rows: readonly (readonly Cell[])[]): Statement {
    return this.dialect.insertRows(this.tables.activity, ACTIVITY, rows);
  }

  close(rows: readonly (readonly Cell[])[]): Statement {
    return this.dialect.deleteRows(this.tables.activity, SCHEDULE_KEY, rows);
  }

  dropOf(ids: string): Statement {
    return run(`DELETE FROM ${this.tables.activity} WHERE instance_id IN ${this.list(1)}`, ids);
  }

  private readonly completeSql = `DELETE FROM ${this.tables.activity} WHERE (instance_id, execution_id, schedule_id, generation, claim) IN
      (SELECT id, execution, schedule, life, taken FROM ${this.rows(1, CLAIM_COLUMNS)} AS a)
    AND node = ${this.p(2)} RETURNING ${CLAIM}`;

  complete(node: string, rows: readonly (readonly Cell[])[]): Statement {
    return query(this.completeSql, bulk(rows), node);
  }

  private readonly retrySql = `UPDATE ${this.tables.activity} AS a SET attempt = a.attempt + 1, crashes = 0, node = NULL, suspect = NULL,
      due_at = t.due_at, last_failure = t.failure
    FROM ${this.rows(1, { ...CLAIM_COLUMNS, due_at: 'integer', failure: 'text' })} AS t
    WHERE a.instance_id = t.id AND a.execution_id = t.execution AND a.schedule_id = t.schedule
      AND a.generation = t.life AND a.claim = t.taken AND a.node = ${this.p(2)}
    RETURNING ${CLAIM}`;

  retry(node: string, rows: readonly (readonly Cell[])[]): Statement {
    return query(this.retrySql, bulk(rows), node);
  }

  private readonly releaseSql = `UPDATE ${this.tables.activity} AS a SET node = NULL, suspect = NULL
    FROM ${this.rows(1, CLAIM_COLUMNS)} AS t
    WHERE a.instance_id = t.id AND a.execution_id = t.execution AND a.schedule_id = t.schedule
      AND a.generation = t.life AND a.claim = t.taken AND a.node = ${this.p(2)}
    RETURNING ${CLAIM}`;

  release(node: string, rows: readonly (readonly Cell[])[]): Statement {
    return query(this.releaseSql, bulk(rows), node);
  }

  private readonly servable = (names: number, tags: number): string =>
    `name IN ${this.list(names)} AND (tag IS NULL OR tag IN ${this.list(tags)})`;

  // Materialized: a subquery that takes locks must not run once for each row.
  private readonly claimSql = `WITH free AS MATERIALIZED (SELECT instance_id, execution_id, schedule_id FROM ${this.tables.activity}
      WHERE node IS NULL AND due_at <= ${this.p(2)} AND ${this.servable(3, 4)} ORDER BY due_at LIMIT ${this.p(5)}${this.dialect.skipLocked})
    UPDATE ${this.tables.activity} SET node = ${this.p(1)}, claim = claim + 1
    WHERE ${KEY} IN (SELECT instance_id, execution_id, schedule_id FROM free)
    RETURNING ${CLAIMED}`;

  claim(node: string, now: number, names: string, tags: string, limit: number): Statement {
    return query(this.claimSql, node, now, names, tags, limit);
  }

  claimedBy(node: string): Statement {
    return query(`SELECT ${CLAIMED} FROM ${this.tables.activity} WHERE node = ${this.p(1)}`, node);
  }

  nextDueAt(names: string, tags: string): Statement {
    return query(
      `SELECT MIN(due_at) AS due_at FROM ${this.tables.activity} WHERE node IS NULL AND ${this.servable(1, 2)}`,
      names,
      tags,
    );
  }

  private readonly markSql = `UPDATE ${this.tables.activity} AS a SET suspect = ${this.p(2)}
    FROM ${this.rows(1, CLAIM_COLUMNS)} AS t
    WHERE a.instance_id = t.id AND a.execution_id = t.execution AND a.schedule_id = t.schedule
      AND a.generation = t.life AND a.claim = t.taken AND a.node = ${this.p(2)}
    RETURNING ${CLAIM}`;

  markSuspects(node: string, rows: readonly (readonly Cell[])[]): Statement {
    return query(this.markSql, bulk(rows), node);
  }

  countSuspectCrash(nodes: string): Statement {
    return query(
      `UPDATE ${this.tables.activity} SET crashes = crashes + 1 WHERE suspect IN ${this.list(1)} AND node = suspect RETURNING instance_id`,
      nodes,
    );
  }

  /**
   * After crashes of these nodes: claimable again, counted until it is a suspect. From there on only the one that was marked
   * counts, or neighbours would be poisoned by somebody else's crash.
   */
  takeBack(nodes: string): Statement {
    return query(
      `UPDATE ${this.tables.activity} SET node = NULL, suspect = NULL,
        crashes = CASE WHEN crashes < ${SUSPECT_AFTER_CRASHES} THEN crashes + 1 ELSE crashes END
       WHERE node IN ${this.list(1)} RETURNING instance_id`,
      nodes,
    );
  }

  /** After a crash that is blamed on a suspect, or a graceful end: claimable again, not counted. */
  takeBackUncounted(nodes: string): Statement {
    return query(
      `UPDATE ${this.tables.activity} SET node = NULL, suspect = NULL WHERE node IN ${this.list(1)} RETURNING instance_id`,
      nodes,
    );
  }

  /** The keys of all rows of these instances. */
  keysOf(ids: string): Statement {
    return query(
      `SELECT instance_id, execution_id, schedule_id FROM ${this.tables.activity} WHERE instance_id IN ${this.list(1)}`,
      ids,
    );
  }

  openByHandler(): Statement {
    return query(`SELECT name, tag, COUNT(*) AS count FROM ${this.tables.activity} GROUP BY name, tag`);
  }

  having(ids: string): Statement {
    return query(`SELECT DISTINCT instance_id FROM ${this.tables.activity} WHERE instance_id IN ${this.list(1)}`, ids);
  }

  havingTimers(ids: string): Statement {
    return query(`SELECT DISTINCT instance_id FROM ${this.tables.timer} WHERE instance_id IN ${this.list(1)}`, ids);
  }
}
