/** What is used of mysql2. TypeORM loads it; the library must work without it. */
export interface MysqlClient {
  readonly threadId: number;
  query(sql: string, done: (error: Error | null, results: unknown) => void): unknown;
  escape(value: unknown): string;
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  destroy(): void;
  /** Its socket. Whoever waits for an answer learns that it was cut, which `destroy` would not tell. */
  readonly stream: { unref?(): void; destroy(): void };
}

export interface MysqlPooledClient extends MysqlClient {
  release(): void;
}

export interface MysqlStandaloneClient extends MysqlClient {
  connect(done: (error: Error | null) => void): void;
}

export interface MysqlPool {
  getConnection(done: (error: Error | null, client: MysqlPooledClient) => void): void;
}
