import { afterEach, beforeEach, expect, it } from '@jest/globals';
import mysql, { type Connection as MysqlClient } from 'mysql2';
import { DataSource } from 'typeorm';
import type { StartItem } from '../../lib/provider/index.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import type { Row, Script, Statement } from '../../lib/providers/typeorm/dialect.js';
import { MysqlConnection } from '../../lib/providers/typeorm/mysql-connection.js';
import { mysqlDialect } from '../../lib/providers/typeorm/mysql-dialect.js';
import { MysqlSession } from '../../lib/providers/typeorm/mysql-session.js';
import type { MysqlClient as Client } from '../../lib/providers/typeorm/mysql-wire.js';
import { tablesOf } from '../../lib/providers/typeorm/schema.js';
import { statementsOf } from '../../lib/providers/typeorm/statements/statements.js';
import { Database, describeOnMariadb, mariadbUrl } from './server.js';

let database: Database;
beforeEach(() => {
  database = new Database();
});
afterEach(() => database.close());

const start = (instanceId: string): StartItem => ({
  kind: 'start',
  instanceId,
  generation: `life-of-${instanceId}`,
  name: 'Test',
  version: '1.0.0',
  input: '1',
  ifExists: 'reject',
});
const join = (provider: TypeOrmProvider, node: string): Promise<void> =>
  provider.join({ node, lanes: provider.lanes, buildId: 'build', now: 1_000, leaseUntil: 10_000 });
const commit = (provider: TypeOrmProvider, node: string, seq: number, ...items: StartItem[]) =>
  provider.commit(node, 0, { seq, now: 1_000, items }, 0);
const run = (sql: string): Statement => ({ sql, parameters: [], returns: false });
const query = (sql: string): Statement => ({ sql, parameters: [], returns: true });

async function opened(options: Parameters<Database['providerWith']>[0] = {}): Promise<TypeOrmProvider> {
  const provider = database.providerWith(options);
  await provider.open();
  await join(provider, 'a');
  return provider;
}

describeOnMariadb('opening', () => {
  it('migrates once when several processes boot at the same time', async () => {
    const providers = Array.from({ length: 6 }, () => database.providerWith());
    await Promise.all(providers.map((provider) => provider.open()));
    expect(await database.sql('SELECT version FROM $.durable_migration')).toEqual([{ version: 1 }]);
    await Promise.all(providers.map((provider, index) => join(provider, `n${index}`)));
  });

  it('completes a migration that was cut off', async () => {
    await (await opened()).close();
    await database.sql('DELETE FROM $.durable_migration');
    await database.sql('DROP TABLE $.durable_lane');
    await database.sql('DROP TABLE $.durable_kv');
    await database.sql('DROP INDEX durable_activity_claimable ON $.durable_activity');
    const provider = database.providerWith();
    await provider.open();
    await join(provider, 'b');
    expect((await commit(provider, 'b', 1, start('i'))).verdicts).toEqual([{ kind: 'accepted' }]);
    expect(await database.sql('SHOW INDEX FROM $.durable_activity WHERE Key_name LIKE "%claimable"')).toHaveLength(2);
  });

  it('keeps tables of several prefixes apart', async () => {
    const [one, other] = [
      database.providerWith({ tablePrefix: 'one_' }),
      database.providerWith({ tablePrefix: 'Two_' }),
    ];
    for (const provider of [one, other]) {
      await provider.open();
      await join(provider, 'a');
    }
    await commit(one, 'a', 1, start('i'));
    expect((await commit(other, 'a', 1, start('i'))).verdicts).toEqual([{ kind: 'accepted' }]);
    expect(await database.sql('SELECT instance_id FROM $.Two_instance')).toEqual([{ instance_id: 'i' }]);
  });

  it('takes the options of a DataSource of the application, also one of the type mysql', async () => {
    const application = new DataSource(database.storage({ type: 'mysql', bigNumberStrings: true }));
    const provider = await opened({ storage: application });
    expect((await commit(provider, 'a', 1, start('i'))).verdicts).toEqual([{ kind: 'accepted' }]);
    expect((await provider.status('i'))!.createdAt).toBe(1_000);
    expect(application.isInitialized).toBe(false);
  });

  it('is refused for a schema of a newer version', async () => {
    await (await opened()).close();
    await database.sql('INSERT INTO $.durable_migration (version, applied_at) VALUES (99, 0)');
    await expect(database.providerWith().open()).rejects.toMatchObject({ code: 'ERR_DURABLE_SCHEMA_NEWER' });
  });

  it('says what is wrong with the way to the server, and whether waiting helps', async () => {
    const at = (changes: object) => database.providerWith({ storage: database.storage(changes) }).open();
    await expect(at({ port: 1 })).rejects.toMatchObject({ code: 'ERR_DURABLE_CONNECTION', retryable: true });
    for (const changes of [{ database: 'missing' }, { username: 'nobody' }])
      await expect(at(changes)).rejects.toMatchObject({ code: 'ERR_DURABLE_CANNOT_OPEN', retryable: false });
  });

  it('is refused where a power cut could undo commits, unless that is accepted', async () => {
    const provider = database.providerWith({ durability: 'full' });
    const [row] = await database.sql('SELECT @@innodb_flush_log_at_trx_commit AS flush');
    await database.sql('SET GLOBAL innodb_flush_log_at_trx_commit = 0');
    try {
      await expect(provider.open()).rejects.toMatchObject({
        code: 'ERR_DURABLE_SERVER',
        message: expect.stringContaining(`durability: 'normal'`),
      });
    } finally {
      await database.sql(`SET GLOBAL innodb_flush_log_at_trx_commit = ${String(row!['flush'])}`);
    }
  });

  it('is refused by a server that only reads, which passes', async () => {
    await (await opened()).close();
    await database.sql(`CREATE OR REPLACE USER ${database.name} IDENTIFIED BY 'app'`);
    await database.sql(`GRANT ALL ON $.* TO ${database.name}`);
    const asApplication = database.providerWith({
      storage: database.storage({ username: database.name, password: 'app' }),
    });
    await database.sql('SET GLOBAL read_only = 1');
    try {
      await expect(asApplication.open()).rejects.toMatchObject({ code: 'ERR_DURABLE_READ_ONLY', retryable: true });
    } finally {
      await database.sql('SET GLOBAL read_only = 0');
    }
    await asApplication.open();
    await database.sql(`DROP USER ${database.name}`);
  });
});

describeOnMariadb('a commit', () => {
  it('starts what is not taken, and says so again when it is repeated', async () => {
    const provider = await opened();
    await commit(provider, 'a', 1, start('i'), start('j'));
    for (let time = 1; time <= 2; time++) {
      const clash = await commit(provider, 'a', 2, start('i'), start('k'));
      expect(clash.verdicts.map(({ kind }) => kind)).toEqual(['exists', 'accepted']);
    }
  });

  it('keeps ids apart that differ in case, accents or spaces at the end only', async () => {
    const provider = await opened();
    const ids = ['a', 'A', 'á', 'a ', 'a  ', 'ａ', 'ß', 'ss'];
    const { verdicts } = await commit(provider, 'a', 1, ...ids.map(start));
    expect(verdicts.map(({ kind }) => kind)).toEqual(ids.map(() => 'accepted'));
    for (const id of ids) expect((await provider.statuses([id])).map(({ instanceId }) => instanceId)).toEqual([id]);
  });

  it('keeps whole numbers of any size', async () => {
    const provider = await opened();
    for (const [seq, now] of [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 7, Number.MAX_SAFE_INTEGER].entries()) {
      await provider.commit('a', 0, { seq: seq + 1, now, items: [start(`i${seq}`)] }, 0);
      expect((await provider.status(`i${seq}`))!.createdAt).toBe(now);
    }
  });
});

describeOnMariadb('a connection', () => {
  it('begins a transaction again that lost to another one in a deadlock', async () => {
    const provider = await opened();
    await commit(provider, 'a', 1, start('i'), start('j'));
    const connection = await MysqlConnection.open({
      options: database.storage(),
      durability: 'normal',
      connections: 2,
      createDataSource: (options) => new DataSource(options),
    });
    const locked = new Set<string>();
    let attempts = 0;
    /** Locks one, waits until the other transaction has locked the other, and wants that, too. */
    function* crossing(mine: string, others: string): Script<readonly Row[]> {
      attempts++;
      yield query(`SELECT 1 FROM durable_instance WHERE instance_id = '${mine}' FOR UPDATE`);
      locked.add(mine);
      while (!locked.has(others)) yield query('SELECT 1');
      yield run(`UPDATE durable_instance SET version = CONCAT(version, '${mine}') WHERE instance_id = '${others}'`);
      return yield query('SELECT 1');
    }
    try {
      await Promise.all([connection.write(() => crossing('i', 'j')), connection.write(() => crossing('j', 'i'))]);
    } finally {
      await connection.close();
    }
    expect(attempts).toBeGreaterThan(2);
    expect(await database.sql('SELECT instance_id, version FROM $.durable_instance ORDER BY 1')).toEqual([
      { instance_id: 'i', version: '1.0.0j' },
      { instance_id: 'j', version: '1.0.0i' },
    ]);
  });

  it('goes on after it was cut, and says meanwhile that the same may be tried again', async () => {
    const provider = await opened({ connections: 1 });
    await database.cutConnections();
    // The pool may know already.
    const repeated = async (): Promise<unknown> => {
      try {
        return (await commit(provider, 'a', 1, start('i'))).verdicts;
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_DURABLE_CONNECTION', retryable: true });
        return repeated();
      }
    };
    expect(await repeated()).toEqual([{ kind: 'accepted' }]);
  });
});

describeOnMariadb('a session', () => {
  let client: MysqlClient;
  beforeEach(() => {
    client = mysql.createConnection({ uri: mariadbUrl(), multipleStatements: true });
  });
  afterEach(() => client.destroy());

  it('sends no packet larger than the server takes, and refuses a statement that is', async () => {
    const session = new MysqlSession(client as unknown as Client, 8_192);
    const text = 'x'.repeat(2_000);
    const answers = await session.run(...[1, 2, 3, 4, 5].map((n) => query(`SELECT ${n} AS n, '${text}' AS text`)));
    expect(answers.map(([row]) => row!['n'])).toEqual([1, 2, 3, 4, 5]);
    await expect(session.run(query(`SELECT '${'x'.repeat(8_192)}'`))).rejects.toMatchObject({
      code: 'ERR_DURABLE_PACKET',
      retryable: false,
    });
  });

  it('makes literals of texts as they are', async () => {
    const session = new MysqlSession(client as unknown as Client, 65_536);
    const text = `'; DROP TABLE x; -- "\\ ?1 ?2[] \n é😀`;
    const [rows] = await session.run({
      sql: 'SELECT ?1 AS text, ?1 IN (?2[]) AS among, ?1 IN (?3[]) AS none, ?4 AS nothing',
      parameters: [text, JSON.stringify(['a', text]), '[]', null],
      returns: true,
    });
    expect(rows).toEqual([{ text, among: 1, none: null, nothing: null }]);
  });
});

describeOnMariadb('every statement of the write path', () => {
  it('finds its rows by an index, also in small tables', async () => {
    // The plan for rows that are not there names no table.
    await commit(await opened(), 'a', 1, start('i'));
    await database.sql(`INSERT INTO $.durable_history SELECT no, 1, 1, 1, '[]' FROM $.durable_instance`);
    const sql = statementsOf(mysqlDialect('mariadb'), tablesOf('durable_'));
    const connection = await MysqlConnection.open({
      options: database.storage(),
      durability: 'normal',
      connections: 1,
      createDataSource: (options) => new DataSource(options),
    });
    const turn = ['i', 'g', 1, 1, 0, 0, 'Running', 1, 2, 0];
    const claim = ['i', 1, 1, 'g', 1];
    const statements = {
      advance: sql.lanes.advance('a', 0, 2),
      fence: sql.instances.fence('n', 1, [turn]),
      fencePlain: sql.instances.fencePlain('n', 1, [[1, 'g', 1, 2, 0]]),
      address: sql.instances.address([['i', null, 1, 0]]),
      end: sql.instances.end(1, [['i', null, null]]),
      complete: sql.activities.complete('n', [claim]),
      retry: sql.activities.retry('n', [[...claim, 1, null]]),
      close: sql.activities.close([['i', 1, 1]]),
      claim: sql.activities.claim('n', 1, '["a"]', '[]', 1),
      useMessages: sql.journal.useMessages([['i', 1]]),
      dropMessagesOf: sql.journal.dropMessagesOf('["i"]'),
      runnable: sql.instances.runnable('n', '', 10),
      history: sql.journal.history('["i"]'),
    };
    const table = /^(i|d|h|durable_(instance|activity|message|lane|timer|kv))$/;
    const wholeTables: string[] = [];
    const examined = new Set<string>();
    try {
      for (const [name, statement] of Object.entries(statements)) {
        const plan = await connection.write(function* (): Script<readonly Row[]> {
          return yield { ...statement, sql: `EXPLAIN ${statement.sql}`, returns: true, steps: undefined };
        });
        for (const row of plan) if (table.test(String(row['table']))) examined.add(name);
        for (const row of plan)
          if (table.test(String(row['table'])) && row['type'] === 'ALL')
            wholeTables.push(`${name}: ${String(row['table'])}`);
      }
    } finally {
      await connection.close();
    }
    expect(wholeTables).toEqual([]);
    expect([...examined]).toEqual(Object.keys(statements));
  });
});
