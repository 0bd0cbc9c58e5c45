import type { Statement } from '../dialect.js';
import { query, run, StatementSet } from './statement-set.js';

const NOW = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`;

/** What only PostgreSQL has: session locks, notifications, and a clock of its own. */
export class FleetStatements extends StatementSet {
  time(): Statement {
    return query(`SELECT ${NOW} AS now`);
  }

  /** Notifications are hints: none is worth waiting for the disk. */
  cheapCommits(): Statement {
    return run(`SELECT set_config('synchronous_commit', 'off', false), set_config('jit', 'off', false)`);
  }

  private readonly keyOf = (space: number, node: string): string => `hashtextextended(${this.p(space)} || ${node}, 0)`;

  /** Held until the connection ends. Nobody else takes it: the name of an incarnation is unique. */
  lock(space: string, node: string): Statement {
    return run(`SELECT pg_advisory_lock_shared(${this.keyOf(1, this.p(2))})`, `${space}/`, node);
  }

  listen(channel: string): Statement {
    return run(`LISTEN "${channel}"`);
  }

  notify(channel: string, payload: string): Statement {
    return run(`SELECT pg_notify(${this.p(1)}, ${this.p(2)})`, channel, payload);
  }

  private readonly othersSql = `SELECT c.now, k.node, k.heartbeat_at, k.lease_until, CASE WHEN EXISTS (SELECT 1 FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.classid = ((k.key >> 32) & 4294967295)::oid AND l.objid = (k.key & 4294967295)::oid) THEN 1 ELSE 0 END AS locked
    FROM (SELECT ${NOW} AS now) c
    LEFT JOIN (SELECT n.node, n.heartbeat_at, n.lease_until, ${this.keyOf(1, 'n.node')} AS key
      FROM ${this.tables.node} n WHERE n.node <> ${this.p(2)}) k ON true`;

  /** At least one row, for the time. */
  others(space: string, node: string): Statement {
    return query(this.othersSql, `${space}/`, node);
  }

  // An owner that is not alive is none; what nobody owns goes to some engine, the same for one call.
  private readonly tellSql = `SELECT pg_notify(${this.p(1)} || left(encode(sha256(convert_to(${this.p(2)} || t.node, 'UTF8')), 'hex'), 40),
      CASE WHEN octet_length(t.ids) > ${this.p(5)} THEN '' ELSE t.ids END)
    FROM (SELECT coalesce(o.node, e.node) AS node, json_agg(i.instance_id)::text AS ids
      FROM ${this.tables.instance} i
      LEFT JOIN ${this.tables.node} o ON o.node = i.owner
      LEFT JOIN (SELECT node FROM ${this.tables.node} WHERE engine = 1 ORDER BY random() LIMIT 1) e ON true
      WHERE i.instance_id IN ${this.list(4)} GROUP BY 1) t
    WHERE t.node <> ${this.p(3)}`;

  /** One notification for each node that is concerned; nobody is told by itself. */
  tell(prefix: string, space: string, node: string, ids: string, maxBytes: number): Statement {
    return run(this.tellSql, prefix, `${space}/`, node, ids, maxBytes);
  }
}
