import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Param,
  Post,
  Scope,
  type INestApplication,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { join } from 'node:path';
import request from 'supertest';
import {
  Activity,
  ActivityContext,
  ActivityCtx,
  DurableClient,
  DurableModule,
  InjectDurableClient,
  Orchestration,
  type OrchestrationContext,
} from '../../lib/index.js';
import { temporaryDirectory } from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
const apps: INestApplication[] = [];
const storage = (name = 'durable') => ({
  type: 'better-sqlite3' as const,
  database: join(directory.path, `${name}.sqlite`),
});

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  directory.remove();
});

@Injectable()
class Greeter {
  readonly punctuation = '!';

  @Activity({ retry: { maxAttempts: 3, initialInterval: 1 } })
  async greet(name: string, times = 1, @ActivityCtx() activity?: ActivityContext): Promise<string> {
    return `${'Hello, '.repeat(times)}${name}${this.punctuation} (${activity?.attempt ?? 'no'} attempt, ${activity === ActivityContext.current()})`;
  }

  helper(): string {
    return 'not an activity';
  }

  async plain(): Promise<string> {
    return 'not decorated';
  }
}

@Injectable()
class Rules {
  discount(): number {
    return 7;
  }
}

@Orchestration()
class Greet {
  @Inject(Rules) readonly rules!: Rules;
  seen = 0;

  async run(ctx: OrchestrationContext, name: string): Promise<string> {
    this.seen++;
    const text = await ctx.activities(Greeter).greet(name);
    return `${text} seen ${this.seen}, discount ${this.rules.discount()}`;
  }
}

@Orchestration()
class Undecorated {
  async run(ctx: OrchestrationContext): Promise<string> {
    return ctx.activities(Greeter).plain();
  }
}

@Controller('greetings')
class GreetingsController {
  constructor(private readonly durable: DurableClient) {}

  @Post(':id')
  async create(@Param('id') id: string, @Body() body: { name: string }) {
    const handle = await this.durable.startOrchestration(Greet, body.name, { instanceId: id });
    return { result: await handle.result({ timeout: '10s' }) };
  }

  @Get(':id')
  status(@Param('id') id: string) {
    return this.durable.getOrchestrationStatus(id);
  }
}

@Module({ providers: [Greeter, Rules, Greet, Undecorated], controllers: [GreetingsController] })
class GreetingsModule {}

type Metadata = Parameters<typeof Test.createTestingModule>[0];

async function boot(
  metadata: Metadata,
  change: (builder: ReturnType<typeof Test.createTestingModule>) => typeof builder = (builder) => builder,
): Promise<INestApplication> {
  const testing = await change(Test.createTestingModule(metadata)).compile();
  const app = testing.createNestApplication({ logger: false });
  apps.push(app);
  await app.init();
  return app;
}

describe.each(['express', 'fastify'] as const)('on %s', (kind) => {
  it('runs orchestrations for controllers and answers their errors with HTTP statuses', async () => {
    const testing = await Test.createTestingModule({
      imports: [DurableModule.forRoot({ storage: storage() }), GreetingsModule],
    }).compile();
    const app =
      kind === 'express'
        ? testing.createNestApplication({ logger: false })
        : testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
    apps.push(app);
    await app.init();
    if (kind === 'fastify') await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
    const http = request(app.getHttpServer());
    const { body } = await http.post('/greetings/g1').send({ name: 'Ada' }).expect(201);
    expect(body.result).toBe('Hello, Ada! (1 attempt, true) seen 1, discount 7');
    await http.get('/greetings/g1').expect(200);
    await http.get('/greetings/nobody').expect(404);
    await http.post('/greetings/g1').send({ name: 'Ada' }).expect(409);
    await http.post('/greetings/a%00b').send({ name: 'Ada' }).expect(400);
  });
});

describe('the module', () => {
  it('needs no options', async () => {
    const cwd = process.cwd();
    process.chdir(directory.path);
    try {
      const app = await boot({ imports: [DurableModule.forRoot(), GreetingsModule] });
      const handle = await app.get(DurableClient).startOrchestration(Greet, 'Ada');
      expect(await handle.result({ timeout: '10s' })).toContain('Hello, Ada!');
      await app.close();
    } finally {
      process.chdir(cwd);
    }
  });

  it('takes its options from a factory or a class', async () => {
    @Injectable()
    class Options {
      createDurableOptions() {
        return { storage: storage('class') };
      }
    }
    for (const module of [
      DurableModule.forRootAsync({ useFactory: () => ({ storage: storage('factory') }) }),
      DurableModule.forRootAsync({ useClass: Options }),
    ]) {
      const app = await boot({ imports: [module, GreetingsModule] });
      const handle = await app.get(DurableClient).startOrchestration(Greet, 'Ada');
      expect(await handle.result({ timeout: '10s' })).toContain('Hello');
      await app.close();
    }
  });

  it.each<[string, object, RegExp]>([
    ['an unknown option', { storag: {} }, /DurableModule option storag/],
    ['an unknown runtime option', { runtime: { concurency: 3 } }, /runtime\.concurency is 3/],
    ['a bad concurrency', { runtime: { activityConcurrency: '10' } }, /runtime\.activityConcurrency is "10"/],
    ['a bad duration', { runtime: { lease: 'soon' } }, /runtime\.lease is "soon"/],
    ['a bad limit', { runtime: { limits: { maxKvKeys: 0 } } }, /limits\.maxKvKeys is 0/],
    ['a misspelt limit', { runtime: { limits: { maxKvKey: 1 } } }, /limits\.maxKvKey is 1/],
    ['a bad durability', { durability: 'most' }, /durability is "most"/],
    ['a bad codec', { codec: {} }, /codec is \{\}/],
  ])('refuses %s at once, with its value', (_, options, message) => {
    expect(() => DurableModule.forRoot(options)).toThrow(message);
  });

  it.each<[string, object, RegExp]>([
    [
      'a database that is only in memory',
      { type: 'better-sqlite3', database: ':memory:' },
      /storage\.database is ":memory:"/,
    ],
    ['a database type without a dialect', { type: 'mongodb' }, /storage\.type is "mongodb"/],
    ['no object', 5 as never, /storage is 5/],
  ])('refuses %s', async (_, bad, message) => {
    const start = async () => boot({ imports: [DurableModule.forRoot({ storage: bad as never }), GreetingsModule] });
    await expect(start()).rejects.toThrow(message);
  });

  it('serves several named runtimes in one application', async () => {
    @Orchestration({ runtime: 'billing', name: 'Bill' })
    class Bill {
      async run(_: OrchestrationContext, cents: number): Promise<number> {
        return cents * 2;
      }
    }
    @Injectable()
    class Office {
      constructor(
        @InjectDurableClient('billing') readonly billing: DurableClient,
        readonly main: DurableClient,
      ) {}
    }
    const app = await boot({
      imports: [
        DurableModule.forRoot({ storage: storage() }),
        DurableModule.forRoot({ name: 'billing', storage: storage('billing') }),
        GreetingsModule,
      ],
      providers: [Bill, Office],
    });
    const { billing, main } = app.get(Office);
    expect(await (await billing.startOrchestration(Bill, 21)).result({ timeout: '10s' })).toBe(42);
    await expect(main.startOrchestration(Bill, 21)).rejects.toMatchObject({
      code: 'ERR_DURABLE_UNKNOWN_ORCHESTRATION',
    });
    await expect(billing.startOrchestration(Greet, 'x')).rejects.toMatchObject({
      code: 'ERR_DURABLE_UNKNOWN_ORCHESTRATION',
    });
  });

  it('runs two applications in one process, each on its own file', async () => {
    const [first, second] = [
      await boot({ imports: [DurableModule.forRoot({ storage: storage('one') }), GreetingsModule] }),
      await boot({ imports: [DurableModule.forRoot({ storage: storage('two') }), GreetingsModule] }),
    ];
    for (const app of [first, second]) {
      const handle = await app.get(DurableClient).startOrchestration(Greet, 'Ada', { instanceId: 'same' });
      expect(await handle.result({ timeout: '10s' })).toContain('seen 1');
    }
  });

  it('lets a client-only application start what another one runs', async () => {
    const api = await boot({
      imports: [DurableModule.forRoot({ storage: storage(), runtime: false }), GreetingsModule],
    });
    const handle = await api.get(DurableClient).startOrchestration(Greet, 'Ada', { instanceId: 'far' });
    expect((await handle.status()).status).toBe('Pending');
    await boot({ imports: [DurableModule.forRoot({ storage: storage() }), GreetingsModule] });
    expect(await handle.result({ timeout: '10s' })).toContain('Hello, Ada!');
    const second = await api.get(DurableClient).startOrchestration(Greet, 'Bob');
    expect(await second.result({ timeout: '10s' })).toContain('Hello, Bob!');
  });

  it('closes twice without harm and refuses work afterwards', async () => {
    const app = await boot({ imports: [DurableModule.forRoot({ storage: storage() }), GreetingsModule] });
    const client = app.get(DurableClient);
    await app.close();
    await app.close();
    await expect(client.startOrchestration(Greet, 'x')).rejects.toMatchObject({ code: 'ERR_DURABLE_RUNTIME_STOPPED' });
    await expect(client.getOrchestrationStatus('x')).rejects.toMatchObject({ code: 'ERR_DURABLE_RUNTIME_STOPPED' });
  });
});

describe('handlers', () => {
  it('are found behind mocks of overrideProvider', async () => {
    const greet = jest.fn(async (name: string) => `mock ${name}`);
    const app = await boot({ imports: [DurableModule.forRoot({ storage: storage() }), GreetingsModule] }, (builder) =>
      builder.overrideProvider(Greeter).useValue({ greet }),
    );
    const handle = await app.get(DurableClient).startOrchestration(Greet, 'Ada');
    expect(await handle.result({ timeout: '10s' })).toBe('mock Ada seen 1, discount 7');
    expect(greet).toHaveBeenCalledTimes(1);
  });

  it('in request scope get a host for every attempt, which can inject the attempt', async () => {
    let made = 0;
    @Injectable({ scope: Scope.REQUEST })
    class PerAttempt {
      readonly serial = ++made;
      constructor(@Inject(REQUEST) private readonly context: ActivityContext) {}

      @Activity({ retry: { maxAttempts: 2, initialInterval: 1 } })
      async attempt(): Promise<string> {
        if (this.context.attempt === 1) throw new Error('once more');
        return `host ${this.serial} of ${this.context.instanceId}`;
      }
    }
    @Orchestration({ name: 'Scoped' })
    class Scoped {
      async run(ctx: OrchestrationContext): Promise<string> {
        return ctx.activities(PerAttempt).attempt();
      }
    }
    const app = await boot({
      imports: [DurableModule.forRoot({ storage: storage() })],
      providers: [PerAttempt, Scoped],
    });
    const handle = await app.get(DurableClient).startOrchestration(Scoped, undefined, { instanceId: 's' });
    expect(await handle.result({ timeout: '10s' })).toBe('host 2 of s');
  });

  it('say at once which method lacks its decorator', async () => {
    const app = await boot({ imports: [DurableModule.forRoot({ storage: storage() }), GreetingsModule] });
    const handle = await app.get(DurableClient).startOrchestration(Undecorated, undefined);
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow(
      /Greeter\.plain\(\) is not an activity: add @Activity\(\)/,
    );
  });

  it('of a base class serve its subclass under the names of the subclass', async () => {
    @Injectable()
    class LoudGreeter extends Greeter {
      override readonly punctuation = '!!!' as never;
    }
    @Orchestration({ name: 'Loud' })
    class Loud {
      async run(ctx: OrchestrationContext): Promise<string> {
        return ctx.activities(LoudGreeter).greet('Ada', 2);
      }
    }
    const app = await boot({
      imports: [DurableModule.forRoot({ storage: storage() })],
      providers: [LoudGreeter, Loud],
    });
    const handle = await app.get(DurableClient).startOrchestration(Loud, undefined);
    expect(await handle.result({ timeout: '10s' })).toContain('Hello, Hello, Ada!!!');
  });
});

describe('the boot', () => {
  it.each<[string, () => NonNullable<Metadata['providers']>, RegExp]>([
    [
      'an orchestration with constructor parameters',
      () => {
        @Orchestration({ name: 'WithConstructor' })
        class WithConstructor {
          constructor(readonly greeter: Greeter) {}
          async run(): Promise<void> {}
        }
        return [Greeter, WithConstructor];
      },
      /class WithConstructor is an orchestration with 1 constructor parameter.*ctx\.activities/,
    ],
    [
      'an orchestration without run',
      () => {
        @Orchestration({ name: 'NoRun' })
        class NoRun {}
        return [NoRun];
      },
      /class NoRun has @Orchestration\(\) but no method run/,
    ],
    [
      'two orchestrations of one name and version',
      () => {
        @Orchestration({ name: 'Same' })
        class One {
          async run(): Promise<void> {}
        }
        @Orchestration({ name: 'Same' })
        class Two {
          async run(): Promise<void> {}
        }
        return [One, Two];
      },
      /class Two registers the orchestration Same@1\.0\.0, which class One has registered/,
    ],
    [
      'two activities of one name',
      () => {
        @Injectable()
        class Left {
          @Activity({ name: 'twice' }) async run(): Promise<void> {}
        }
        @Injectable()
        class Right {
          @Activity({ name: 'twice' }) async run(): Promise<void> {}
        }
        return [Left, Right];
      },
      /Right\.run\(\) registers the activity twice, which Left\.run\(\) has registered/,
    ],
    [
      'a class name that looks minified',
      () => {
        @Orchestration()
        class ab {
          async run(): Promise<void> {}
        }
        return [ab];
      },
      /class "ab" has a name that looks minified/,
    ],
    [
      'a request-scoped orchestration',
      () => {
        @Injectable({ scope: Scope.REQUEST })
        class Helper {}
        @Orchestration({ name: 'Scoped' })
        class ScopedOne {
          @Inject(Helper) readonly helper!: Helper;
          async run(): Promise<void> {}
        }
        return [Helper, ScopedOne];
      },
      /class ScopedOne is an orchestration that is, or depends on, a request-scoped/,
    ],
  ])('fails on %s, naming class and mend', async (_, providers, message) => {
    await expect(
      boot({ imports: [DurableModule.forRoot({ storage: storage() })], providers: providers() }),
    ).rejects.toThrow(message);
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'a static activity',
      () => {
        class Statics {
          @Activity() static async go(): Promise<void> {}
        }
        return Statics;
      },
      /Statics\.go is a static method/,
    ],
    [
      'an accessor',
      () => {
        class Accessor {
          @Activity() get go(): number {
            return 1;
          }
        }
        return Accessor;
      },
      /Accessor\.go is an accessor/,
    ],
    [
      'a property',
      () => {
        class Property {
          @(Activity() as PropertyDecorator) go = async () => undefined;
        }
        return Property;
      },
      /Property\.go is an accessor or property/,
    ],
    [
      'a method without a text name',
      () => {
        const key = Symbol('go');
        class Symbolic {
          @Activity() async [key](): Promise<void> {}
        }
        return Symbolic;
      },
      /Symbolic\.Symbol\(go\) is an activity named by a symbol/,
    ],
    [
      'a misspelt option',
      () => {
        class Typo {
          @Activity({ retires: 3 } as never) async go(): Promise<void> {}
        }
        return Typo;
      },
      /Typo\.go has the unknown option "retires"/,
    ],
    [
      'a name in the place of options',
      () => {
        class Text {
          @Activity('charge' as never) async go(): Promise<void> {}
        }
        return Text;
      },
      /Text\.go has the options "charge"/,
    ],
    [
      'aliases that are no list',
      () => {
        class Alias {
          @Activity({ aliases: 'Old' as never }) async go(): Promise<void> {}
        }
        return Alias;
      },
      /Alias\.go has the aliases "Old"/,
    ],
    [
      'a bad retry',
      () => {
        class Retry {
          @Activity({ retry: { maxAttempts: 0 } }) async go(): Promise<void> {}
        }
        return Retry;
      },
      /Retry\.go.*maxAttempts is 0/,
    ],
    [
      'a version that is none',
      () => {
        @Orchestration({ version: '1' })
        class Versioned {}
        return Versioned;
      },
      /class Versioned has the version "1"/,
    ],
    [
      'an empty orchestration name',
      () => {
        @Orchestration('')
        class Nameless {}
        return Nameless;
      },
      /class Nameless "" must not be empty/,
    ],
    [
      'the context in a constructor',
      () => {
        class Constructed {
          constructor(@ActivityCtx() readonly activity?: ActivityContext) {}
        }
        return Constructed;
      },
      /Constructed\.constructor has a parameter @ActivityCtx\(\)/,
    ],
    [
      'two contexts in one method',
      () => {
        class Twice {
          @Activity() async go(
            @ActivityCtx() _a?: ActivityContext,
            @ActivityCtx() _b?: ActivityContext,
          ): Promise<void> {}
        }
        return Twice;
      },
      /Twice\.go has two parameters @ActivityCtx\(\)/,
    ],
  ])('refuses %s when the class is defined', (_, define, message) => {
    expect(define).toThrow(message);
  });
});
