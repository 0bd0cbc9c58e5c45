import type { Statement } from '../dialect.js';
import { deleteReturning, updateReturning } from './returning.js';
import { likely, query, run, StatementSet } from './statement-set.js';

const NODE_KEY = { node: 'text' } as const;
const LANE_KEY = { node: 'text', lane: 'integer' } as const;

/** Nodes and their lanes. */
export class LaneStatements extends StatementSet {
  private readonly advancing = updateReturning(this.dialect, {
    table: this.tables.lane,
    key: LANE_KEY,
    set: { seq: this.p(3), verdicts: 'NULL' },
    where: `node = ${this.p(1)} AND lane = ${this.p(2)} AND seq = ${this.p(3)} - 1`,
    returning: 'seq',
  });

  /** One row: go on. None: this batch is in already, or the node was declared dead. */
  advance(node: string, lane: number, seq: number): Statement {
    return likely(this.advancing(node, lane, seq), [{ seq }]);
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
       VALUES (${this.p(1)}, 0, ${this.p(2)}, ${this.p(3)}, ${this.p(3)}, ${this.p(4)})${this.dialect.onConflict(this.tables.node, ['node'])}`,
      node,
      buildId,
      now,
      leaseUntil,
    );
  }

  private readonly engine = updateReturning(this.dialect, {
    table: this.tables.node,
    key: NODE_KEY,
    set: { engine: '1' },
    where: `node = ${this.p(1)}`,
    returning: 'node',
  });

  becomeEngine(node: string): Statement {
    return this.engine(node);
  }

  addLane(node: string, lane: number): Statement {
    return run(
      `INSERT INTO ${this.tables.lane} (node, lane, seq) VALUES (${this.p(1)}, ${this.p(2)}, 0)${this.dialect.onConflict(this.tables.lane, ['node', 'lane'])}`,
      node,
      lane,
    );
  }

  private readonly beating = updateReturning(this.dialect, {
    table: this.tables.node,
    key: NODE_KEY,
    set: { heartbeat_at: this.p(2), lease_until: this.p(3) },
    where: `node = ${this.p(1)}`,
    returning: 'node',
  });

  heartbeat(node: string, now: number, leaseUntil: number): Statement {
    return this.beating(node, now, leaseUntil);
  }

  otherNodes(node: string): Statement {
    return query(`SELECT node, engine, lease_until FROM ${this.tables.node} WHERE node <> ${this.p(1)}`, node);
  }

  private readonly removing = deleteReturning(this.dialect, {
    table: this.tables.node,
    key: NODE_KEY,
    where: `node IN ${this.list(1)}`,
    returning: 'node',
  });

  removeNodes(nodes: string): Statement {
    return this.removing(nodes);
  }

  removeLanes(nodes: string): Statement {
    return run(`DELETE FROM ${this.tables.lane} WHERE node IN ${this.list(1)}`, nodes);
  }
}
