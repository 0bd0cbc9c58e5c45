import { SUSPECT_AFTER_CRASHES } from '../../../core/limits.js';
import type { ColumnType, Statement } from '../dialect.js';
import { CLAIMABLE } from '../schema.js';
import { deleteReturning, takeReturning, updateReturning, type Prepared } from './returning.js';
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
const CLAIMED =
  'instance_id, execution_id, schedule_id, generation, claim, name, tag, args, options, attempt, crashes, scheduled_at';

type Columns = Readonly<Record<string, ColumnType>>;

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

  private readonly completing = deleteReturning(this.dialect, {
    table: this.tables.activity,
    key: SCHEDULE_KEY,
    among: {
      rows: this.rows(1, CLAIM_COLUMNS),
      columns: {
        instance_id: 'id',
        execution_id: 'execution',
        schedule_id: 'schedule',
        generation: 'life',
        claim: 'taken',
      },
    },
    where: `node = ${this.p(2)}`,
    returning: CLAIM,
  });

  complete(node: string, rows: readonly (readonly Cell[])[]): Statement {
    return this.completing(bulk(rows), node);
  }

  /** The claims that are named, as far as the node still holds them. */
  private readonly ofHeld = (set: Readonly<Record<string, string>>, columns: Columns = CLAIM_COLUMNS): Prepared =>
    updateReturning(this.dialect, {
      table: this.tables.activity,
      key: SCHEDULE_KEY,
      set,
      from: this.rows(1, columns),
      where: `i.instance_id = t.id AND i.execution_id = t.execution AND i.schedule_id = t.schedule
        AND i.generation = t.life AND i.claim = t.taken AND i.node = ${this.p(2)}`,
      returning: CLAIM,
    });

  private readonly retrying = this.ofHeld(
    {
      attempt: 'i.attempt + 1',
      crashes: '0',
      node: 'NULL',
      suspect: 'NULL',
      due_at: 't.due_at',
      last_failure: 't.failure',
    },
    { ...CLAIM_COLUMNS, due_at: 'integer', failure: 'text' },
  );

  retry(node: string, rows: readonly (readonly Cell[])[]): Statement {
    return this.retrying(bulk(rows), node);
  }

  private readonly releasing = this.ofHeld({ node: 'NULL', suspect: 'NULL' });

  release(node: string, rows: readonly (readonly Cell[])[]): Statement {
    return this.releasing(bulk(rows), node);
  }

  private readonly servable = (names: number, tags: number): string =>
    `name IN ${this.list(names)} AND (tag IS NULL OR tag IN ${this.list(tags)})`;

  private readonly claiming = takeReturning(this.dialect, {
    table: this.tables.activity,
    key: SCHEDULE_KEY,
    set: { node: this.p(1), claim: 'claim + 1' },
    where: `${this.dialect.matching(CLAIMABLE)} AND due_at <= ${this.p(2)} AND ${this.servable(3, 4)}`,
    order: 'due_at',
    limit: this.p(5),
    returning: CLAIMED,
  });

  claim(node: string, now: number, names: string, tags: string, limit: number): Statement {
    return this.claiming(node, now, names, tags, limit);
  }

  claimedBy(node: string): Statement {
    return query(`SELECT ${CLAIMED} FROM ${this.tables.activity} WHERE node = ${this.p(1)}`, node);
  }

  nextDueAt(names: string, tags: string): Statement {
    return query(
      `SELECT MIN(due_at) AS due_at FROM ${this.tables.activity} WHERE ${this.dialect.matching(CLAIMABLE)} AND ${this.servable(1, 2)}`,
      names,
      tags,
    );
  }

  private readonly marking = this.ofHeld({ suspect: this.p(2) });

  markSuspects(node: string, rows: readonly (readonly Cell[])[]): Statement {
    return this.marking(bulk(rows), node);
  }

  private readonly ofNodes = (set: Readonly<Record<string, string>>, where: string): Prepared =>
    updateReturning(this.dialect, {
      table: this.tables.activity,
      key: SCHEDULE_KEY,
      set,
      where,
      returning: 'instance_id',
      scans: true,
    });

  private readonly blaming = this.ofNodes({ crashes: 'crashes + 1' }, `suspect IN ${this.list(1)} AND node = suspect`);

  countSuspectCrash(nodes: string): Statement {
    return this.blaming(nodes);
  }

  private readonly takingBack = this.ofNodes(
    {
      node: 'NULL',
      suspect: 'NULL',
      crashes: `CASE WHEN crashes < ${SUSPECT_AFTER_CRASHES} THEN crashes + 1 ELSE crashes END`,
    },
    `node IN ${this.list(1)}`,
  );

  /**
   * After crashes of these nodes: claimable again, counted until it is a suspect. From there on only the one that was marked
   * counts, or neighbours would be poisoned by somebody else's crash.
   */
  takeBack(nodes: string): Statement {
    return this.takingBack(nodes);
  }

  private readonly takingBackUncounted = this.ofNodes({ node: 'NULL', suspect: 'NULL' }, `node IN ${this.list(1)}`);

  /** After a crash that is blamed on a suspect, or a graceful end: claimable again, not counted. */
  takeBackUncounted(nodes: string): Statement {
    return this.takingBackUncounted(nodes);
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
