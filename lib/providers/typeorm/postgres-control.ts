import { StorageError } from '../../core/errors.js';
import type { Row, Statement } from './dialect.js';
import { storageError } from './postgres-errors.js';
import { PostgresSession } from './postgres-session.js';
import type { PgStandaloneClient } from './postgres-wire.js';

const ANSWER_MS = 3_000;
const MAX_PAUSE_MS = 500;

interface Open {
  readonly client: PgStandaloneClient;
  readonly session: PostgresSession;
  readonly ended: Promise<void>;
}

/**
 * A connection of its own that is there as long as it is wanted. It is made again when it breaks, and cut when an answer does
 * not come: a connection that died silently looks like one that has nothing to say.
 */
export class PostgresControl {
  private open: Promise<Open> | undefined;
  private wanted = false;
  private resting: { readonly wake: () => void } | undefined;
  private keeper: Promise<void> | undefined;

  constructor(
    private readonly newClient: () => PgStandaloneClient,
    private readonly database: string,
    private readonly hooks: {
      /** What each connection begins with. */
      readonly setUp: () => readonly Statement[];
      readonly notified: (channel: string, payload: string) => void;
      /** It was away for a while: what was told meanwhile was told to nobody. */
      readonly back: () => void;
    },
  ) {}

  /** Rejects when the first connection cannot be made. */
  async start(): Promise<void> {
    await this.stop();
    this.wanted = true;
    this.open = this.connect();
    const first = await this.open.catch(async (error: unknown) => {
      await this.stop();
      throw error;
    });
    this.keeper = this.keep(first);
  }

  private async keep(first: Open): Promise<void> {
    await first.ended;
    for (let pauseMs = 10; this.wanted; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)) {
      try {
        this.open = this.connect();
        this.open.catch(NOTHING);
        const { ended } = await this.open;
        pauseMs = 10;
        this.hooks.back();
        await ended;
      } catch {
        await this.pause(pauseMs);
      }
    }
  }

  private async connect(): Promise<Open> {
    const client = this.newClient();
    client.on('error', NOTHING);
    const ended = new Promise<void>((resolve) => client.on('end', () => resolve()));
    client.on('notification', ({ channel, payload = '' }) => this.hooks.notified(channel, payload));
    const session = new PostgresSession(client, false);
    await this.inTime(client, client.connect());
    client.connection.stream.unref?.();
    await this.inTime(client, session.run(...this.hooks.setUp()));
    return { client, session, ended };
  }

  /** The rows of the last statement. @throws StorageError, retryable, where the connection is in trouble */
  async run(...statements: readonly Statement[]): Promise<readonly Row[]> {
    if (this.open === undefined) throw new StorageError('This node is not attached.', { retryable: true });
    const { client, session } = await this.open;
    return this.inTime(client, session.run(...statements));
  }

  private async inTime<R>(client: PgStandaloneClient, answer: Promise<R>): Promise<R> {
    const timer = setTimeout(() => client.connection.stream.destroy(), ANSWER_MS);
    timer.unref();
    try {
      return await answer;
    } catch (error) {
      throw storageError(error, this.database);
    } finally {
      clearTimeout(timer);
    }
  }

  private async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      timer.unref();
      this.resting = {
        wake: () => {
          clearTimeout(timer);
          resolve();
        },
      };
    });
    this.resting = undefined;
  }

  async stop(): Promise<void> {
    this.wanted = false;
    this.resting?.wake();
    const { open, keeper } = this;
    this.open = this.keeper = undefined;
    const found = await open?.catch(() => undefined);
    if (found !== undefined) await this.inTime(found.client, found.client.end()).catch(NOTHING);
    await keeper;
  }
}

const NOTHING = (): void => undefined;
