import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { StartItem } from '../../lib/provider/index.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import { describeOnPostgres, postgresUrl, Schema } from './server.js';

let schema: Schema;
beforeEach(() => {
  schema = new Schema();
});
afterEach(() => schema.close());

const storage = (changes: object = {}): DataSourceOptions =>
  ({ type: 'postgres', url: postgresUrl(), ...changes }) as DataSourceOptions;
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

async function opened(options: Parameters<Schema['providerWith']>[0] = {}): Promise<TypeOrmProvider> {
  const provider = schema.providerWith(options);
  await provider.open();
  await join(provider, 'a');
  return provider;
}

describeOnPostgres('opening', () => {
  it('migrates once when several processes boot at the same time', async () => {
    const providers = Array.from({ length: 6 }, () => schema.providerWith());
    await Promise.all(providers.map((provider) => provider.open()));
    expect(await schema.sql('SELECT version::int FROM $.durable_migration')).toEqual([{ version: 1 }]);
    await Promise.all(providers.map((provider, index) => join(provider, `n${index}`)));
  });

  it('keeps tables of several prefixes apart, in a schema that needs quotes', async () => {
    const [one, other] = [schema.providerWith({ tablePrefix: 'one_' }), schema.providerWith({ tablePrefix: 'Two_' })];
    for (const provider of [one, other]) {
      await provider.open();
      await join(provider, 'a');
    }
    await commit(one, 'a', 1, start('i'));
    expect((await commit(other, 'a', 1, start('i'))).verdicts).toEqual([{ kind: 'accepted' }]);
    expect(await schema.sql('SELECT instance_id FROM $."Two_instance"')).toEqual([{ instance_id: 'i' }]);
  });

  it('is refused for a schema of a newer version', async () => {
    const provider = await opened();
    await provider.close();
    await schema.sql('INSERT INTO $.durable_migration (version, applied_at) VALUES (99, 0)');
    await expect(schema.providerWith().open()).rejects.toMatchObject({ code: 'ERR_DURABLE_SCHEMA_NEWER' });
  });

  it('says what is wrong with the way to the server, and whether waiting helps', async () => {
    const at = (changes: object) => schema.providerWith({ storage: storage(changes) }).open();
    await expect(at({ url: 'postgres://postgres@127.0.0.1:1/postgres' })).rejects.toMatchObject({ retryable: true });
    await expect(at({ database: 'missing', url: `${postgresUrl()}-missing` })).rejects.toMatchObject({
      code: 'ERR_DURABLE_CANNOT_OPEN',
      retryable: false,
    });
  });

  it('is refused by a server that only reads, which passes when it is promoted', async () => {
    const readOnly = storage({ extra: { options: '-c default_transaction_read_only=on' } });
    await (await opened()).close();
    await expect(
      schema
        .providerWith({ storage: readOnly })
        .open()
        .then(() => undefined),
    ).rejects.toMatchObject({ code: 'ERR_DURABLE_READ_ONLY', retryable: true });
  });
});

describeOnPostgres("an application's own pool", () => {
  let application: DataSource;
  beforeEach(async () => {
    application = await new DataSource(storage({ extra: { max: 2 } })).initialize();
  });
  afterEach(() => application.destroy());

  it('is used by the engine and left open, with its settings as they were', async () => {
    const provider = await opened({ storage: application });
    expect((await commit(provider, 'a', 1, start('i'))).verdicts).toEqual([{ kind: 'accepted' }]);
    expect((await provider.status('i'))!.status).toBe('Pending');
    await provider.close();
    expect(await application.query('SHOW enable_seqscan')).toEqual([{ enable_seqscan: 'on' }]);
    expect(await application.query('SHOW jit')).toEqual([{ jit: 'on' }]);
  });

  it('has to be initialized', async () => {
    const provider = schema.providerWith({ storage: new DataSource(storage()) });
    await expect(provider.open()).rejects.toMatchObject({ code: 'ERR_DURABLE_OPTION' });
  });

  it('may forget prepared statements, as a pooler does', async () => {
    const provider = await opened({ storage: application });
    await commit(provider, 'a', 1, start('one'));
    await Promise.all([application.query('DISCARD ALL'), application.query('DISCARD ALL')]);
    const again = async (): Promise<unknown> => (await commit(provider, 'a', 2, start('two'))).verdicts;
    await expect(
      again().catch((error: { retryable: boolean }) => (error.retryable ? again() : error)),
    ).resolves.toEqual([{ kind: 'accepted' }]);
  });
});

describeOnPostgres('a commit', () => {
  it('that went on without waiting for an answer begins again when the answer is another one', async () => {
    const provider = await opened();
    const taken = await commit(provider, 'a', 1, start('i'), start('j'));
    expect(taken.verdicts.map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
    const clash = await commit(provider, 'a', 2, start('i'), start('k'));
    expect(clash.verdicts.map(({ kind }) => kind)).toEqual(['exists', 'accepted']);
    expect((await commit(provider, 'a', 2, start('i'), start('k'))).verdicts.map(({ kind }) => kind)).toEqual([
      'exists',
      'accepted',
    ]);
    expect(await schema.sql('SELECT instance_id FROM $.durable_message ORDER BY 1')).toEqual(
      ['i', 'j', 'k'].map((id) => ({ instance_id: id })),
    );
  });

  it('keeps whole numbers of any size, signs and nulls apart on their way', async () => {
    const provider = await opened();
    for (const [seq, now] of [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 7, Number.MAX_SAFE_INTEGER].entries()) {
      await provider.commit('a', 0, { seq: seq + 1, now, items: [start(`i${seq}`)] }, 0);
      expect((await provider.status(`i${seq}`))!.createdAt).toBe(now);
    }
  });
});
