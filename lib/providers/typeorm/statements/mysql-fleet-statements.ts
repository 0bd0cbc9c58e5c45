import type { Statement } from '../dialect.js';
import { CLAIMABLE, RUNNABLE } from '../schema.js';
import { query, StatementSet } from './statement-set.js';

/** In milliseconds; sessions have UTC. */
const NOW = 'CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)';
const MOST_INSTANCES = 500;
const MOST_ACTIVITIES = 100;

/** What MariaDB and MySQL have instead of notifications: session locks, a clock, and queries that are cheap to ask often. */
export class MysqlFleetStatements extends StatementSet {
  time(): Statement {
    return query(`SELECT ${NOW} AS now`);
  }

  /** Names of locks are short and the same for all databases of a server. */
  private readonly lockOf = (space: number, node: string): string =>
    `CONCAT('durable_', LEFT(SHA2(CONCAT(${this.p(space)}, ${node}), 256), 40))`;

  private readonly lockSql = `SELECT CASE WHEN IS_USED_LOCK(${this.lockOf(1, this.p(2))}) IS NULL
    THEN GET_LOCK(${this.lockOf(1, this.p(2))}, 0) END AS locked`;

  /** Held until the connection ends; of the connection before it the server may still have to learn that it has. */
  lock(space: string, node: string): Statement {
    return query(this.lockSql, `${space}/`, node);
  }

  private readonly othersSql = `SELECT c.now, n.node, n.heartbeat_at, n.lease_until,
      CASE WHEN IS_USED_LOCK(${this.lockOf(1, 'n.node')}) IS NULL THEN 0 ELSE 1 END AS locked
    FROM (SELECT ${NOW} AS now) c LEFT JOIN ${this.tables.node} n ON n.node <> ${this.p(2)}`;

  /** At least one row, for the time. */
  others(space: string, node: string): Statement {
    return query(this.othersSql, `${space}/`, node);
  }

  private readonly runnableSql = `SELECT instance_id, messages_in, CASE WHEN owner = ${this.p(1)} THEN 1 ELSE 0 END AS own
    FROM ${this.tables.instance} WHERE ${this.dialect.matching(RUNNABLE)} AND status IN ('Pending', 'Running')
      AND (owner IS NULL OR owner = ${this.p(1)} OR owner NOT IN (SELECT node FROM ${this.tables.node}))
    LIMIT ${MOST_INSTANCES}`;

  /** Instances of this node, or of nobody, with messages that are not seen. */
  runnable(node: string): Statement {
    return query(this.runnableSql, node);
  }

  private readonly dueSql = `SELECT instance_id, execution_id, schedule_id, claim FROM ${this.tables.activity}
    WHERE ${this.dialect.matching(CLAIMABLE)} AND due_at <= ${NOW} ORDER BY due_at LIMIT ${MOST_ACTIVITIES}`;

  /** Activities nobody holds. */
  due(): Statement {
    return query(this.dueSql);
  }
}
