import type { Row, Script, Statement } from './dialect.js';
import { isStalePreparation, sqlStateOf } from './postgres-errors.js';
import { Pipeline, type PgSubmittable, type Prepared, type WireStep } from './postgres-wire.js';

const TEXT = 25;
const INT8 = 20;
const INFERRED = 0;

/**
 * One connection to the server while it is checked out of its pool: prepared statements, and scripts driven over it in as
 * few round trips as they allow.
 */
export class PostgresSession {
  private readonly prepared = new Map<string, Prepared>();
  private queue: WireStep[] = [];
  /** This transaction went on with likely answers. */
  private assumes = false;

  constructor(
    private readonly client: { query(query: PgSubmittable): unknown },
    /** Without names the server parses each statement again: for poolers that share sessions between clients. */
    private readonly named: boolean,
  ) {}

  /**
   * Runs a script between `begin` and COMMIT. A statement whose rows nobody waits for goes out with the next one that is
   * waited for. What a statement most likely answers is taken for its answer; the server compares, and where it answers
   * otherwise it undoes all of it. So most transactions are a single round trip.
   */
  async write<R>(begin: readonly Statement[], script: () => Script<R>): Promise<R> {
    try {
      return await this.attempt(begin, script(), true);
    } catch (error) {
      // A wrong assumption, or something that follows from one.
      if (!this.assumes || sqlStateOf(error) === undefined) throw error;
    }
    return this.attempt(begin, script(), false);
  }

  /** The same where nothing is written. Resolves before the transaction has ended, which `ended` tells. */
  async read<R>(
    begin: readonly Statement[],
    script: () => Script<R>,
  ): Promise<{ readonly result: R; readonly ended: Promise<unknown> }> {
    return this.guarded(async () => {
      const result = await this.drive(begin, script(), false);
      this.enqueue(COMMIT);
      return { result, ended: this.flush() };
    });
  }

  private attempt<R>(begin: readonly Statement[], script: Script<R>, speculates: boolean): Promise<R> {
    return this.guarded(async () => {
      const result = await this.drive(begin, script, speculates);
      this.enqueue(COMMIT);
      await this.flush();
      return result;
    });
  }

  private async drive<R>(begin: readonly Statement[], script: Script<R>, speculates: boolean): Promise<R> {
    this.assumes = false;
    for (const statement of begin) this.enqueue(statement);
    let step = script.next(NONE);
    while (step.done !== true) {
      const statement = step.value;
      const { likely } = statement;
      if (speculates && likely !== undefined) {
        this.assumes = true;
        this.enqueue(compared(statement, likely.length));
        step = script.next(likely);
        continue;
      }
      this.enqueue(statement);
      step = script.next(statement.returns ? await this.flush() : NONE);
    }
    return step.value;
  }

  private async guarded<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      this.queue = [];
      await this.rollBack();
      if (isStalePreparation(error)) this.prepared.clear();
      throw error;
    }
  }

  /** Every statement by itself, in one round trip. */
  async run(...statements: readonly Statement[]): Promise<readonly Row[]> {
    for (const statement of statements) this.enqueue(statement);
    return this.flush();
  }

  private enqueue({ sql, parameters }: Statement): void {
    this.queue.push({ prepared: this.prepare(sql, parameters), values: parameters });
  }

  /** The rows of the last statement. */
  private async flush(): Promise<readonly Row[]> {
    const { queue } = this;
    this.queue = [];
    return (await this.send(queue)).at(-1)!;
  }

  private send(steps: readonly WireStep[]): Promise<readonly (readonly Row[])[]> {
    return new Promise((resolve, reject) => {
      this.client.query(
        new Pipeline(steps, (error, results) => {
          if (error === undefined || error === null) resolve(results as Row[][]);
          // oxlint-disable-next-line prefer-promise-reject-errors -- what the driver reports, to be classified by its code
          else reject(error);
        }),
      );
    });
  }

  /** A connection that cannot even do this is closed by its pool; the server rolls back by itself. */
  private async rollBack(): Promise<void> {
    await this.send([{ prepared: this.prepare('ROLLBACK', []), values: [] }]).catch(NOTHING);
  }

  /** Parameters have the types of their values, so that the server need not guess; it has to for null. */
  private prepare(sql: string, parameters: readonly unknown[]): Prepared {
    const types = parameters.map(typeOf);
    if (!this.named) return { name: '', sql, types, fields: undefined };
    const key = `${types.join()}/${sql}`;
    let prepared = this.prepared.get(key);
    if (prepared === undefined) {
      prepared = { name: `durable_${this.prepared.size}`, sql, types, fields: undefined };
      this.prepared.set(key, prepared);
    }
    return prepared;
  }
}

const COMMIT: Statement = { sql: 'COMMIT', parameters: [], returns: false };
const NONE: readonly Row[] = Object.freeze([]);
const NOTHING = (): void => undefined;

const comparedSql = new Map<string, string>();

/** Fails unless it gives as many rows. The text is for whoever reads the server's log. */
function compared({ sql, parameters }: Statement, rows: number): Statement {
  let text = comparedSql.get(sql);
  if (text === undefined) {
    text = `WITH given AS (${sql}) SELECT CASE WHEN count(*) = $${parameters.length + 1} THEN 0
      ELSE ('no harm: other rows than expected, nest-durable asks for each now. They are ' || count(*))::int END FROM given`;
    comparedSql.set(sql, text);
  }
  return { sql: text, parameters: [...parameters, rows], returns: false };
}

const typeOf = (value: unknown): number =>
  typeof value === 'string' ? TEXT : typeof value === 'number' ? INT8 : INFERRED;
