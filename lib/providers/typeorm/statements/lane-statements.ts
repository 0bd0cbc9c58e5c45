import type { Statement } from '../dialect.js';
import { likely, query, run, StatementSet } from './statement-set.js';

/** Nodes and their lanes. */
export class LaneStatements extends StatementSet {
  private readonly advanceSql = `UPDATE ${this.tables.lane} SET seq = ${this.p(3)}, verdicts = NULL
    WHERE node = ${this.p(1)} AND lane = ${this.p(2)} AND seq = ${this.p(3)} - 1 RETURNING seq`;

  /** One row: go on. None: this batch is in already, or the node was declared dead. */
  advance(node: string, lane: number, seq: number): Statement {
    return likely(query(this.advanceSql, node, lane, seq), [{ seq }]);
  }

  read(node: string, lane: number): Statement {
    return query(
      `SELECT seq, verdicts FROM ${this.tables.lane} WHERE node = ${this.p(1)} AND lane = ${this.p(2)}`,
      node,
      lane,
    );
  }

  keepVerdicts(node: string, lane: number, verdicts: string): Statement {
    return run(
      `UPDATE ${this.tables.lane} SET verdicts = ${this.p(3)} WHERE node = ${this.p(1)} AND lane = ${this.p(2)}`,
      node,
      lane,
      verdicts,
    );
  }

  /** An incarnation joins once; again only where nobody knows whether it did (C13). */
  addNode(node: string, buildId: string, now: number, leaseUntil: number): Statement {
    return run(
      `INSERT INTO ${this.tables.node} (node, engine, build_id, joined_at, heartbeat_at, lease_until)
       VALUES (${this.p(1)}, 0, ${this.p(2)}, ${this.p(3)}, ${this.p(3)}, ${this.p(4)}) ON CONFLICT DO NOTHING`,
      node,
      buildId,
      now,
      leaseUntil,
    );
  }

  becomeEngine(node: string): Statement {
    return query(`UPDATE ${this.tables.node} SET engine = 1 WHERE node = ${this.p(1)} RETURNING node`, node);
  }

  addLane(node: string, lane: number): Statement {
    return run(
      `INSERT INTO ${this.tables.lane} (node, lane, seq) VALUES (${this.p(1)}, ${this.p(2)}, 0) ON CONFLICT DO NOTHING`,
      node,
      lane,
    );
  }

  heartbeat(node: string, now: number, leaseUntil: number): Statement {
    return query(
      `UPDATE ${this.tables.node} SET heartbeat_at = ${this.p(2)}, lease_until = ${this.p(3)} WHERE node = ${this.p(1)} RETURNING node`,
      node,
      now,
      leaseUntil,
    );
  }

  otherNodes(node: string): Statement {
    return query(`SELECT node, engine, lease_until FROM ${this.tables.node} WHERE node <> ${this.p(1)}`, node);
  }

  removeNodes(nodes: string): Statement {
    return query(`DELETE FROM ${this.tables.node} WHERE node IN ${this.list(1)} RETURNING node`, nodes);
  }

  removeLanes(nodes: string): Statement {
    return run(`DELETE FROM ${this.tables.lane} WHERE node IN ${this.list(1)}`, nodes);
  }
}
