import { StorageError } from '../../core/errors.js';
import type { Row, Script, Statement } from './dialect.js';
import { isDefinedAlready } from './mysql-errors.js';
import type { MysqlClient } from './mysql-wire.js';

/** The server gives up on a packet that is larger; some of it is the protocol's. */
const PACKET_RESERVE_BYTES = 1_024;
/** UTF-8 takes at most so many bytes for a UTF-16 code unit. */
const MAX_BYTES_PER_UNIT = 3;

/** One connection to the server: statements with literals, and scripts driven over it in as few round trips as they allow. */
export class MysqlSession {
  private queue: string[] = [];

  constructor(
    private readonly client: MysqlClient,
    private readonly maxPacketBytes: number,
  ) {}

  /** Runs a script between `begin` and COMMIT. A statement whose rows nobody waits for goes out with the next one. */
  async transaction<R>(begin: readonly string[], script: Script<R>): Promise<R> {
    try {
      this.queue = [...begin];
      const result = await this.drive(inSteps(script));
      this.queue.push('COMMIT');
      await this.flush();
      return result;
    } catch (error) {
      // A connection that cannot even do this is given up; the server rolls back by itself.
      await this.send('ROLLBACK').catch(NOTHING);
      throw error;
    }
  }

  private async drive<R>(script: Script<R>): Promise<R> {
    let step = script.next(NONE);
    while (step.done !== true) {
      const statement = step.value;
      if (isDefinition(statement)) await this.define(statement);
      else this.queue.push(this.textOf(statement));
      step = script.next(statement.returns ? await this.flush() : NONE);
    }
    return step.value;
  }

  /** It commits by itself: a migration that was cut off meets what it has left behind. */
  private async define(statement: Statement): Promise<void> {
    await this.flush();
    await this.send(statement.sql).catch((error: unknown) => {
      if (!isDefinedAlready(error)) throw error;
    });
  }

  /** The rows of each statement. */
  async run(...statements: readonly Statement[]): Promise<readonly (readonly Row[])[]> {
    const answers: (readonly Row[])[] = [];
    for (const statement of statements) this.queue.push(this.textOf(statement));
    await this.flush(answers);
    return answers;
  }

  /** The rows of the last statement. */
  private async flush(answers: (readonly Row[])[] = []): Promise<readonly Row[]> {
    const { queue } = this;
    this.queue = [];
    for (const packet of packets(queue, (this.maxPacketBytes - PACKET_RESERVE_BYTES) / MAX_BYTES_PER_UNIT)) {
      const results = await this.send(packet.join(';'));
      answers.push(...(packet.length === 1 ? [rowsOf(results)] : (results as unknown[]).map(rowsOf)));
    }
    return answers.at(-1) ?? NONE;
  }

  private send(sql: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.client.query(sql, (error, results) => {
        if (error === null) resolve(results);
        else reject(error);
      });
    });
  }

  private textOf({ sql, parameters }: Statement): string {
    const text = textOf(sql, parameters, (value) => this.client.escape(value));
    if (text.length * MAX_BYTES_PER_UNIT > this.maxPacketBytes) this.checkSize(text);
    return text;
  }

  private checkSize(text: string): void {
    const bytes = Buffer.byteLength(text) + PACKET_RESERVE_BYTES;
    if (bytes <= this.maxPacketBytes) return;
    throw new StorageError(
      `A statement of ${bytes} bytes is more than the server takes: max_allowed_packet is ${this.maxPacketBytes}.`,
      { code: 'ERR_DURABLE_PACKET', retryable: false, details: { bytes, maxAllowedPacket: this.maxPacketBytes } },
    );
  }
}

const NONE: readonly Row[] = Object.freeze([]);
const NOTHING = (): void => undefined;

const isDefinition = ({ sql }: Statement): boolean => /^(CREATE|ALTER) /.test(sql);
const rowsOf = (result: unknown): readonly Row[] => (Array.isArray(result) ? (result as Row[]) : NONE);

/** Statements that stand for several are several. */
function* inSteps<R>(script: Script<R>): Script<R> {
  let step = script.next(NONE);
  while (step.done !== true) {
    const { steps } = step.value;
    step = script.next(steps === undefined ? yield step.value : yield* steps());
  }
  return step.value;
}

/** In order, as many as fit together. */
function packets(texts: readonly string[], limit: number): string[][] {
  const all: string[][] = [];
  let length = 0;
  for (const text of texts) {
    if (all.length === 0 || length + text.length >= limit) {
      all.push([]);
      length = 0;
    }
    all.at(-1)!.push(text);
    length += text.length + 1;
  }
  return all;
}

const PARAMETER = /\?(\d+)(\[\])?/;
const parsed = new Map<string, readonly string[]>();

/** Literals for parameters: a statement goes out at once, and several in one packet. */
function textOf(sql: string, parameters: readonly unknown[], escape: (value: unknown) => string): string {
  let parts = parsed.get(sql);
  if (parts === undefined) parsed.set(sql, (parts = sql.split(PARAMETER)));
  let text = parts[0]!;
  for (let at = 1; at < parts.length; at += 3) {
    const value = parameters[Number(parts[at]) - 1];
    text += parts[at + 1] === undefined ? escape(value) : elements(value as string, escape);
    text += parts[at + 2]!;
  }
  return text;
}

/** An empty list would be no SQL. */
function elements(json: string, escape: (value: unknown) => string): string {
  const values = JSON.parse(json) as unknown[];
  return values.length === 0 ? 'NULL' : escape(values);
}
