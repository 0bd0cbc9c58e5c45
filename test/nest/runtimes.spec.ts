import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import {
  Activity,
  ActivityCtx,
  DURABLE_MODULE_OPTIONS,
  DurableClient,
  DurableModule,
  getDurableClientToken,
  Orchestration,
  TypeOrmProvider,
  type ActivityContext,
  type DurableOptionsFactory,
  type OrchestrationContext,
} from '../../lib/index.js';
import { boot, outputOf, storage, type Metadata } from './support.js';

@Orchestration()
class Twice {
  async run(_ctx: OrchestrationContext, n: number): Promise<number> {
    return n * 2;
  }
}

describe('forRootAsync', () => {
  @Injectable()
  class Settings implements DurableOptionsFactory {
    async createDurableOptions() {
      return { storage: storage('settings') };
    }
  }
  @Module({ providers: [Settings], exports: [Settings] })
  class SettingsModule {}

  it.each<[string, () => Parameters<typeof DurableModule.forRootAsync>[0]]>([
    [
      'an injecting factory',
      () => ({
        imports: [SettingsModule],
        inject: [Settings],
        useFactory: (it: Settings) => it.createDurableOptions(),
      }),
    ],
    ['an existing factory', () => ({ imports: [SettingsModule], useExisting: Settings })],
    ['a class', () => ({ useClass: Settings })],
  ])('takes options from %s', async (_, options) => {
    const app = await boot({ imports: [DurableModule.forRootAsync(options())], providers: [Twice] });
    expect(await outputOf(app, Twice, 4)).toBe(8);
  });

  it.each<[string, unknown, RegExp]>([
    ['no object', undefined, /forRootAsync\(\) is undefined/],
    ['no factory', { name: 'x' }, /forRootAsync\(\) is "without a factory": use one of useFactory/],
    ['two factories', { useFactory: () => ({}), useClass: Settings }, /"useFactory, useClass"/],
    [
      'options beside the factory',
      { useFactory: () => ({}), storage: {} },
      /option storage is \{\}.*what the factory returns/,
    ],
    ['a bad isGlobal', { useFactory: () => ({}), isGlobal: 'yes' }, /isGlobal is "yes"/],
    ['a bad name', { useFactory: () => ({}), name: '' }, /name of the runtime "" must not be empty/],
  ])('refuses %s', (_, options, message) => {
    expect(() => DurableModule.forRootAsync(options as never)).toThrow(message);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /what the factory of DurableModule returned is undefined/],
    ['the name of the runtime', { name: 'billing' }, /option name is "billing".*stand beside the factory/],
    ['a bad option of the engine', { runtime: { lease: '1ms' } }, /runtime\.lease is "1ms"/],
  ])('fails the boot for a factory that returns %s', async (_, options, message) => {
    const module = DurableModule.forRootAsync({ useFactory: () => options as never });
    await expect(boot({ imports: [module] })).rejects.toThrow(message);
  });
});

describe('the options', () => {
  it('can be replaced by a test', async () => {
    const app = await boot(
      { imports: [DurableModule.forRoot({ storage: { type: 'mongodb' } as never })], providers: [Twice] },
      (builder) => builder.overrideProvider(DURABLE_MODULE_OPTIONS).useValue({ storage: storage() }),
    );
    expect(await outputOf(app, Twice, 4)).toBe(8);
  });

  it('take a data source of the application, which stays open, and a provider of one’s own', async () => {
    const dataSource = await new DataSource(storage('shared')).initialize();
    for (const given of [dataSource, new TypeOrmProvider({ storage: storage('own') })]) {
      const app = await boot({ imports: [DurableModule.forRoot({ storage: given })], providers: [Twice] });
      expect(await outputOf(app, Twice, 4)).toBe(8);
      await app.close();
    }
    expect(dataSource.isInitialized).toBe(true);
    await dataSource.destroy();
  });

  it('refuse what a provider of one’s own would ignore', () => {
    const own = new TypeOrmProvider({ storage: storage() });
    expect(() => DurableModule.forRoot({ storage: own, durability: 'normal' })).toThrow(
      /option durability is "normal".*beside a provider/,
    );
    expect(() => DurableModule.forRoot({ storage: own, tablePrefix: 'x_' })).toThrow(/option tablePrefix is "x_"/);
  });

  it('give a codec and a prefix to the storage', async () => {
    const codec = {
      encode: (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64'),
      decode: (text: string) => JSON.parse(Buffer.from(text, 'base64').toString()) as unknown,
    };
    const app = await boot({
      imports: [DurableModule.forRoot({ storage: storage(), codec, tablePrefix: 'mine_' })],
      providers: [Twice],
    });
    expect(await outputOf(app, Twice, 4)).toBe(8);
    const dataSource = await new DataSource(storage()).initialize();
    const tables = await dataSource.query<{ name: string }[]>("SELECT name FROM sqlite_master WHERE type = 'table'");
    await dataSource.destroy();
    expect(tables.filter(({ name }) => name.startsWith('mine_')).length).toBeGreaterThan(3);
    expect(tables.filter(({ name }) => name.startsWith('durable_'))).toEqual([]);
  });

  it('keep the client in the module that asked for it', async () => {
    @Module({ imports: [DurableModule.forRoot({ storage: storage(), isGlobal: false })] })
    class Private {}
    @Injectable()
    class Outsider {
      constructor(readonly client: DurableClient) {}
    }
    await expect(boot({ imports: [Private], providers: [Outsider] })).rejects.toThrow(
      /can't resolve dependencies of the Outsider/i,
    );
  });
});

describe('several runtimes', () => {
  it('serve the activities and orchestrations that name them, each from its own file', async () => {
    @Injectable()
    class Desk {
      @Activity({ runtime: 'billing', name: 'bill' })
      async bill(@ActivityCtx() activity?: ActivityContext): Promise<string> {
        return `bill in ${activity!.instanceId}`;
      }
      @Activity({ name: 'pack' })
      async pack(): Promise<string> {
        return 'packed';
      }
    }
    @Orchestration({ runtime: 'billing' })
    class Billing {
      async run(ctx: OrchestrationContext): Promise<string> {
        return ctx.activities(Desk).bill();
      }
    }
    @Orchestration()
    class Packing {
      async run(ctx: OrchestrationContext): Promise<string> {
        return ctx.activities(Desk).pack();
      }
    }
    const app = await boot({
      imports: [
        DurableModule.forRoot({ storage: storage('main') }),
        DurableModule.forRootAsync({ name: 'billing', useFactory: () => ({ storage: storage('billing') }) }),
      ],
      providers: [Desk, Billing, Packing],
    });
    const billing = app.get<DurableClient>(getDurableClientToken('billing'));
    const handle = await billing.startOrchestration(Billing, undefined, { instanceId: 'b' });
    expect(await handle.result({ timeout: '10s' })).toBe('bill in b');
    expect(await outputOf(app, Packing)).toBe('packed');
    await expect(app.get(DurableClient).getOrchestrationStatus('b')).rejects.toMatchObject({ status: 404 });
  });

  it.each<[string, () => Metadata, RegExp]>([
    [
      'two runtimes without a name',
      () => ({
        imports: [DurableModule.forRoot({ storage: storage('a') }), DurableModule.forRoot({ storage: storage('b') })],
      }),
      /DurableModule is registered twice without a name.*give each runtime a name/,
    ],
    [
      'a handler of a runtime that is not here',
      () => {
        @Orchestration({ runtime: 'shipping' })
        class Ship {
          async run(): Promise<void> {}
        }
        return { imports: [DurableModule.forRoot({ storage: storage() })], providers: [Ship] };
      },
      /class Ship names the runtime "shipping", which is not here: give its decorator one of the runtimes default/,
    ],
    [
      'a handler without a runtime where every one has a name',
      () => ({ imports: [DurableModule.forRoot({ name: 'billing', storage: storage() })], providers: [Twice] }),
      /class Twice names no runtime, and every runtime here has a name/,
    ],
  ])('fail the boot for %s', async (_, metadata, message) => {
    await expect(boot(metadata())).rejects.toThrow(message);
  });

  it('are one if two modules import the same registration', async () => {
    const durable = DurableModule.forRoot({ storage: storage() });
    @Module({ imports: [durable] })
    class Feature {
      constructor(@Inject(DurableClient) readonly client: DurableClient) {}
    }
    const app = await boot({ imports: [durable, Feature], providers: [Twice] });
    expect(app.get(Feature).client).toBe(app.get(DurableClient));
  });
});
