import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Inject, Injectable, Module, Scope } from '@nestjs/common';
import {
  Activity,
  ActivityContext,
  ActivityCtx,
  DurableClient,
  DurableModule,
  Orchestration,
  type OrchestrationContext,
} from '../../lib/index.js';
import type { OrchestrationClass } from '../../lib/replay/index.js';
import { boot, outputOf, storage, type Metadata } from './support.js';

@Injectable()
class Clerk {
  constructor(@Inject('GREETING') private readonly greeting: string) {}

  @Activity()
  async write(name: string): Promise<string> {
    return `${this.greeting} ${name}`;
  }
}

/** An orchestration that calls one activity of a service. */
function calls(service: abstract new (...args: never[]) => object, method: string, ...args: unknown[]) {
  @Orchestration({ name: 'Calls' })
  class Calls {
    async run(ctx: OrchestrationContext): Promise<unknown> {
      const proxy = ctx.activities(service) as Record<string, (...args: unknown[]) => Promise<unknown>>;
      return proxy[method]!(...args);
    }
  }
  return Calls as OrchestrationClass<undefined, unknown>;
}

const greeting = { provide: 'GREETING', useValue: 'Dear' };

async function outputWith(
  providers: NonNullable<Metadata['providers']>,
  orchestration: OrchestrationClass<undefined, unknown>,
): Promise<unknown> {
  const app = await boot({
    imports: [DurableModule.forRoot({ storage: storage() })],
    providers: [...providers, orchestration as never],
  });
  const output = await outputOf(app, orchestration as OrchestrationClass);
  await app.close();
  return output;
}

describe('handlers are found', () => {
  it('in a module that knows nothing of the one with the runtime, even one further down', async () => {
    const Caller = calls(Clerk, 'write', 'Ada');
    @Module({ providers: [Clerk, greeting, Caller as never] })
    class Deep {}
    @Module({ imports: [Deep] })
    class Outer {}
    const app = await boot({ imports: [Outer, DurableModule.forRoot({ storage: storage() })] });
    expect(await outputOf(app, Caller as OrchestrationClass)).toBe('Dear Ada');
  });

  it.each<[string, () => NonNullable<Metadata['providers']>]>([
    ['a factory made', () => [{ provide: 'CLERK', useFactory: () => new Clerk('Dear') }]],
    ['a value holds', () => [{ provide: 'CLERK', useValue: new Clerk('Dear') }]],
    ['a text token stands for', () => [{ provide: 'CLERK', useClass: Clerk }, greeting]],
    ['a factory makes under its own class', () => [{ provide: Clerk, useFactory: () => new Clerk('Dear') }]],
  ])('in an object %s', async (_, providers) => {
    expect(await outputWith(providers(), calls(Clerk, 'write', 'Ada'))).toBe('Dear Ada');
  });

  it('once where another token is an alias, or another module has the class too', async () => {
    @Module({ providers: [Clerk, greeting] })
    class Other {}
    const Caller = calls(Clerk, 'write', 'Ada');
    const app = await boot({
      imports: [DurableModule.forRoot({ storage: storage() }), Other],
      providers: [Clerk, greeting, { provide: 'ALIAS', useExisting: Clerk }, Caller as never],
    });
    expect(await outputOf(app, Caller as OrchestrationClass)).toBe('Dear Ada');
  });

  it('beside providers that have no class', async () => {
    const bare = Object.create(null) as object;
    const odd = [
      { provide: 'BARE', useValue: bare },
      { provide: 'PLAIN', useValue: {} },
      { provide: 'NUMBER', useValue: 5 },
      { provide: 'NOTHING', useValue: null },
      { provide: 'FUNCTION', useValue: () => 1 },
      { provide: 'LIST', useFactory: () => [1] },
    ];
    expect(await outputWith([Clerk, greeting, ...odd], calls(Clerk, 'write', 'Ada'))).toBe('Dear Ada');
  });

  it('in no class with two objects, as nobody can say which one is meant', async () => {
    const two = ['A', 'B'].map((provide) => ({ provide, useFactory: () => new Clerk(provide) }));
    await expect(outputWith(two, calls(Clerk, 'write', 'Ada'))).rejects.toThrow(
      /class Clerk has activities and two objects, under A and B: provide the class itself/,
    );
    expect(await outputWith([...two, Clerk, greeting], calls(Clerk, 'write', 'Ada'))).toBe('Dear Ada');
  });

  it('in controllers', async () => {
    @Controller('desk')
    class Desk {
      @Activity()
      @Get()
      async open(): Promise<string> {
        return 'open';
      }
    }
    const Caller = calls(Desk, 'open');
    const app = await boot({
      imports: [DurableModule.forRoot({ storage: storage() })],
      controllers: [Desk],
      providers: [Caller as never],
    });
    expect(await outputOf(app, Caller as OrchestrationClass)).toBe('open');
  });
});

describe('orchestrations name', () => {
  abstract class Port {
    abstract write(name: string): Promise<string>;
  }

  it('an abstract class whose substitute has the activities', async () => {
    const providers = [{ provide: Port, useClass: Clerk }, greeting];
    expect(await outputWith(providers, calls(Port, 'write', 'Ada'))).toBe('Dear Ada');
  });

  it('an alias of the class, or the class behind it', async () => {
    const providers = [Clerk, { provide: Port, useExisting: Clerk }, greeting];
    expect(await outputWith(providers, calls(Port, 'write', 'Ada'))).toBe('Dear Ada');
  });

  it('a class whose overriding method has no decorator of its own', async () => {
    @Injectable()
    class LoudClerk extends Clerk {
      override async write(name: string): Promise<string> {
        return `${await super.write(name)}!`;
      }
    }
    expect(await outputWith([LoudClerk, greeting], calls(LoudClerk, 'write', 'Ada'))).toBe('Dear Ada!');
  });

  it('a class and its subclass, each with names of its own', async () => {
    @Injectable()
    class NightClerk extends Clerk {}
    const app = await boot({
      imports: [DurableModule.forRoot({ storage: storage() })],
      providers: [Clerk, NightClerk, greeting, calls(NightClerk, 'write', 'Ada') as never],
    });
    const handle = await app.get(DurableClient).startOrchestration<string>('Calls');
    await handle.result({ timeout: '10s' });
    const history = await app.get(DurableClient).management.readExecutionHistory(handle.instanceId);
    expect(JSON.stringify(history)).toContain('"NightClerk.write"');
  });

  it('an earlier name of an activity', async () => {
    @Injectable()
    class Renamed {
      @Activity({ name: 'new.name', aliases: ['old.name'] })
      async go(): Promise<string> {
        return 'went';
      }
    }
    @Orchestration({ name: 'Old' })
    class Old {
      async run(ctx: OrchestrationContext): Promise<string[]> {
        return ctx.join([ctx.scheduleActivity<string>('old.name'), ctx.scheduleActivity<string>('new.name')]);
      }
    }
    const app = await boot({ imports: [DurableModule.forRoot({ storage: storage() })], providers: [Renamed, Old] });
    expect(await outputOf(app, Old)).toEqual(['went', 'went']);
  });

  it('two versions of one orchestration, in two classes', async () => {
    @Orchestration({ name: 'Priced', version: '1.0.0' })
    class PricedOne {
      async run(): Promise<number> {
        return 1;
      }
    }
    @Orchestration('Priced', { version: '2.0.0' })
    class PricedTwo {
      async run(): Promise<number> {
        return 2;
      }
    }
    const app = await boot({
      imports: [DurableModule.forRoot({ storage: storage() })],
      providers: [PricedTwo, PricedOne],
    });
    const client = app.get(DurableClient);
    const outputs = [
      await (await client.startOrchestration(PricedOne, undefined)).result(),
      await (await client.startOrchestration(PricedTwo, undefined)).result(),
      await (await client.startOrchestration('Priced')).result(),
      await (await client.startOrchestration('Priced', undefined, { version: '1.0.0' })).result(),
    ];
    expect(outputs).toEqual([1, 2, 2, 1]);
  });
});

describe('mocks', () => {
  const modules = () => [DurableModule.forRoot({ storage: storage() })];

  it('of a class keep the names and options of the class they stand for', async () => {
    class FakeClerk {
      async write(name: string): Promise<string> {
        return `fake ${name}`;
      }
    }
    const Caller = calls(Clerk, 'write', 'Ada');
    const app = await boot({ imports: modules(), providers: [Clerk, greeting, Caller as never] }, (builder) =>
      builder.overrideProvider(Clerk).useClass(FakeClerk),
    );
    expect(await outputOf(app, Caller as OrchestrationClass)).toBe('fake Ada');
  });

  it('without the method fail the call in words', async () => {
    const Caller = calls(Clerk, 'write', 'Ada');
    const app = await boot({ imports: modules(), providers: [Clerk, greeting, Caller as never] }, (builder) =>
      builder.overrideProvider(Clerk).useValue({}),
    );
    await expect(outputOf(app, Caller as OrchestrationClass)).rejects.toThrow(
      /Clerk\.write\(\) is not a function of the provider/,
    );
  });

  it('of an orchestration run in its place', async () => {
    const Caller = calls(Clerk, 'write', 'Ada');
    const run = jest.fn(async () => 'mocked');
    const app = await boot({ imports: modules(), providers: [Clerk, greeting, Caller as never] }, (builder) =>
      builder.overrideProvider(Caller).useValue({ run }),
    );
    expect(await outputOf(app, Caller as OrchestrationClass)).toBe('mocked');
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('of an orchestration by another class get a fresh object each', async () => {
    class Fake {
      count = 0;
      async run(): Promise<number> {
        return ++this.count;
      }
    }
    const Caller = calls(Clerk, 'write', 'Ada');
    const app = await boot({ imports: modules(), providers: [Clerk, greeting, Caller as never] }, (builder) =>
      builder.overrideProvider(Caller).useClass(Fake),
    );
    expect([
      await outputOf(app, Caller as OrchestrationClass),
      await outputOf(app, Caller as OrchestrationClass),
    ]).toEqual([1, 1]);
  });
});

describe('the context of an attempt', () => {
  @Injectable()
  class Desk {
    @Activity({ name: 'desk.sign' })
    async sign(text: string, times = 2, @ActivityCtx() activity?: ActivityContext): Promise<unknown> {
      return [text, times, activity?.activityName, ActivityContext.current() === activity];
    }

    @Activity()
    async late(): Promise<string> {
      await Promise.resolve();
      try {
        ActivityContext.current();
        return 'found';
      } catch (error) {
        return (error as { code: string }).code;
      }
    }
  }

  it('stands at its place, whatever optional arguments were left out', async () => {
    expect(await outputWith([Desk], calls(Desk, 'sign', 'x'))).toEqual(['x', 2, 'desk.sign', true]);
    expect(await outputWith([Desk], calls(Desk, 'sign', 'x', 5))).toEqual(['x', 5, 'desk.sign', true]);
  });

  it('is current until the first await, and says so later', async () => {
    expect(await outputWith([Desk], calls(Desk, 'late'))).toBe('ERR_DURABLE_NO_ACTIVITY_CONTEXT');
  });

  it('need not be given in plain calls', async () => {
    await expect(new Desk().sign('x', 1, {} as ActivityContext)).rejects.toMatchObject({
      code: 'ERR_DURABLE_NO_ACTIVITY_CONTEXT',
    });
  });

  it.each([Scope.REQUEST, Scope.TRANSIENT])('is current in a host made for the attempt (scope %s)', async (scope) => {
    let made = 0;
    @Injectable({ scope })
    class Scoped {
      readonly serial = ++made;
      @Activity({ retry: { maxAttempts: 3, initialInterval: 1 } })
      async go(@ActivityCtx() activity?: ActivityContext): Promise<unknown> {
        if (activity!.attempt < 3) throw new Error('again');
        return [ActivityContext.current() === activity, this.serial - made];
      }
    }
    const before = made;
    expect(await outputWith([Scoped], calls(Scoped, 'go'))).toEqual([true, 0]);
    expect(made - before).toBe(3);
  });

  it('reaches a host that only depends on something request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Tenant {
      static made = 0;
      readonly serial = ++Tenant.made;
    }
    @Injectable()
    class Host {
      constructor(readonly tenant: Tenant) {}
      @Activity()
      async go(): Promise<unknown> {
        return [this.tenant.serial, ActivityContext.current().attempt];
      }
    }
    expect(await outputWith([Tenant, Host], calls(Host, 'go'))).toEqual([1, 1]);
  });
});
