import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Optional, Scope } from '@nestjs/common';
import { DurableClient, DurableModule, Orchestration, type OrchestrationContext } from '../../lib/index.js';
import { boot, outputOf, storage, type Metadata } from './support.js';

@Injectable()
class Prices {
  constructor(@Inject('FACTOR') private readonly factor: number) {}
  of(count: number): number {
    return count * this.factor;
  }
}
const factor = { provide: 'FACTOR', useValue: 3 };

class Base {
  @Inject() readonly prices!: Prices;
}

@Orchestration()
class Quote extends Base {
  @Inject('NAME') @Optional() readonly name: string = 'nobody';
  readonly #steps: number[] = [];
  readonly lines: number[] = [];

  async run(ctx: OrchestrationContext, count: number): Promise<unknown> {
    this.lines.push(count);
    await ctx.scheduleTimer(1);
    this.lines.push(count);
    this.#steps.push(...this.lines);
    return [this.prices.of(count), this.name, this.#steps];
  }
}

const runtime = () => DurableModule.forRoot({ storage: storage() });

describe('an orchestration', () => {
  it('gets an object of its own for each execution, with the singletons of its properties', async () => {
    const app = await boot({ imports: [runtime()], providers: [Quote, Prices, factor] });
    const outputs = await Promise.all([1, 2, 3].map((count) => outputOf(app, Quote, count)));
    expect(outputs).toEqual([1, 2, 3].map((count) => [count * 3, 'nobody', [count, count]]));
    expect(app.get(Quote).lines).toEqual([]);
  });

  it('sees mocks of what it injects', async () => {
    const app = await boot({ imports: [runtime()], providers: [Quote, Prices, factor] }, (builder) =>
      builder.overrideProvider(Prices).useValue({ of: () => 0 }),
    );
    expect(await outputOf(app, Quote, 4)).toEqual([0, 'nobody', [4, 4]]);
  });

  it('whose constructor throws fails its execution and nothing else', async () => {
    let calls = 0;
    @Orchestration()
    class Fragile {
      readonly value = this.make();
      private make(): number {
        if (calls++ > 0) throw new Error('no object');
        return 1;
      }
      async run(): Promise<number> {
        return this.value;
      }
    }
    const app = await boot({ imports: [runtime()], providers: [Fragile, Quote, Prices, factor] });
    await expect(outputOf(app, Fragile)).rejects.toThrow(/no object/);
    expect(await outputOf(app, Quote, 1)).toEqual([3, 'nobody', [1, 1]]);
  });

  it('that no module provides is named by the refusal of its start', async () => {
    const app = await boot({ imports: [runtime()] });
    const start = app.get(DurableClient).startOrchestration(Quote, 1);
    await expect(start).rejects.toMatchObject({
      code: 'ERR_DURABLE_UNKNOWN_ORCHESTRATION',
      message: expect.stringContaining('"Quote"'),
    });
  });
});

describe('the boot fails, naming the class,', () => {
  it.each<[string, () => NonNullable<Metadata['providers']>, RegExp]>([
    [
      'where a property injects a transient provider',
      () => {
        @Injectable({ scope: Scope.TRANSIENT })
        class Fleeting {}
        @Orchestration()
        class HoldsFleeting {
          @Inject(Fleeting) readonly fleeting!: Fleeting;
          async run(): Promise<void> {}
        }
        return [Fleeting, HoldsFleeting];
      },
      /class HoldsFleeting, property fleeting, injects a transient provider.*singleton/,
    ],
    [
      'where the orchestration itself is made for each injection',
      () => {
        class Own {
          async run(): Promise<void> {}
        }
        Orchestration({ name: 'Own' })(Own);
        return [{ provide: Own, useClass: Own, scope: Scope.TRANSIENT }];
      },
      /class Own is an orchestration that is, or depends on, a request-scoped or transient provider/,
    ],
    [
      'where a subclass has no decorator of its own',
      () => {
        @Injectable()
        class CheapQuote extends Quote {}
        return [CheapQuote, Prices, factor];
      },
      /class CheapQuote extends an orchestration and has no @Orchestration\(\) of its own/,
    ],
    [
      'where run is a property',
      () => {
        @Orchestration()
        class Arrow {
          run = async (): Promise<void> => undefined;
        }
        return [Arrow];
      },
      /class Arrow has @Orchestration\(\) but no method run/,
    ],
    [
      'where a base class has constructor parameters',
      () => {
        @Injectable()
        class Parent {
          constructor(readonly prices: Prices) {}
        }
        @Orchestration()
        class Child extends Parent {
          async run(): Promise<void> {}
        }
        return [Child, Prices, factor];
      },
      /class Child is an orchestration with 1 constructor parameter/,
    ],
  ])('%s', async (_, providers, message) => {
    await expect(boot({ imports: [runtime()], providers: providers() })).rejects.toThrow(message);
  });
});
