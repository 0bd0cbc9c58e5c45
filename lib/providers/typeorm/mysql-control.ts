import { StorageError } from '../../core/errors.js';
import type { Row, Statement } from './dialect.js';
import { storageError } from './mysql-errors.js';
import { connected } from './mysql-pool.js';
import type { MysqlSession } from './mysql-session.js';
import type { MysqlStandaloneClient } from './mysql-wire.js';

const ANSWER_MS = 3_000;

interface Open {
  readonly client: MysqlStandaloneClient;
  readonly session: Promise<MysqlSession>;
}

/** A connection of its own, made when it is needed and made again when it broke. Cut when an answer does not come. */
export class MysqlControl {
  private open: Open | undefined;
  private wanted = false;
  /** Over one connection one after the other. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly newClient: () => MysqlStandaloneClient,
    private readonly sessionOver: (client: MysqlStandaloneClient) => Promise<MysqlSession>,
    private readonly database: string,
  ) {}

  start(): void {
    this.wanted = true;
  }

  /** The rows of each statement. @throws StorageError, retryable, where the connection is in trouble */
  run(...statements: readonly Statement[]): Promise<readonly (readonly Row[])[]> {
    const answer = this.last.then(() => this.runNow(statements));
    this.last = answer.catch(NOTHING);
    return answer;
  }

  private async runNow(statements: readonly Statement[]): Promise<readonly (readonly Row[])[]> {
    if (!this.wanted) throw new StorageError('This node is not attached.', { retryable: true });
    const { client, session } = (this.open ??= this.connect());
    const timer = setTimeout(() => client.stream.destroy(), ANSWER_MS).unref();
    try {
      return await (await session).run(...statements);
    } catch (error) {
      this.cut();
      throw storageError(error, this.database);
    } finally {
      clearTimeout(timer);
    }
  }

  private connect(): Open {
    const client = this.newClient();
    client.on('error', NOTHING);
    const session = connected(client).then(() => {
      client.stream.unref?.();
      return this.sessionOver(client);
    });
    session.catch(NOTHING);
    return { client, session };
  }

  private cut(): void {
    this.open?.client.destroy();
    this.open = undefined;
  }

  async stop(): Promise<void> {
    this.wanted = false;
    await this.last;
    this.cut();
  }
}

const NOTHING = (): void => undefined;
