// Compiled, never run: services of every shape, as `ctx.activities()` and the decorators see them.
import {
  Activity,
  ActivityContext,
  ActivityCtx,
  type ActivitiesOf,
  type Carried,
  type DurableFuture,
  type InputOf,
  InjectDurableClient,
  Orchestration,
  type OrchestrationContext,
  type OutputOf,
} from 'nest-durable';
import type { DurableClient } from 'nest-durable';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <_Holds extends true>(): void => undefined;

// oxlint-disable-next-line typescript/no-explicit-any -- users have it
type Anything = any;

class Shapes {
  async none(): Promise<void> {}
  async onlyContext(@ActivityCtx() _activity?: ActivityContext): Promise<number> {
    return 1;
  }
  async optional(_a: string, _b?: number, @ActivityCtx() _activity?: ActivityContext): Promise<string> {
    return '';
  }
  async requiredContext(_a: string, @ActivityCtx() _activity: ActivityContext): Promise<string> {
    return '';
  }
  async defaults(_a: string, _b = 2, _activity?: ActivityContext): Promise<string> {
    return '';
  }
  async rest(..._all: number[]): Promise<number> {
    return 0;
  }
  async anything(_data: Anything): Promise<string> {
    return '';
  }
  async unknownThing(_data: unknown): Promise<unknown> {
    return '';
  }
  async maybe(): Promise<Date | undefined> {
    return undefined;
  }
  async list(): Promise<readonly { readonly at: Date; go(): void }[]> {
    return [];
  }
  readonly arrow = async (_n: number): Promise<number> => 1;
  sync(_n: number): number {
    return 1;
  }
  field = 5;
  private async hidden(): Promise<void> {}
  useHidden(): void {
    void this.hidden();
  }
}

type Proxy = ActivitiesOf<Shapes>;
type Call<K extends keyof Proxy> = Proxy[K];

expectType<
  Equal<
    keyof Proxy,
    | 'none'
    | 'onlyContext'
    | 'optional'
    | 'requiredContext'
    | 'defaults'
    | 'rest'
    | 'anything'
    | 'unknownThing'
    | 'maybe'
    | 'list'
    | 'arrow'
  >
>();
expectType<Equal<Call<'none'>, () => DurableFuture<void>>>();
expectType<Equal<Call<'onlyContext'>, () => DurableFuture<number>>>();
expectType<Equal<Parameters<Call<'optional'>>, [_a: string, _b?: number]>>();
expectType<Equal<Parameters<Call<'requiredContext'>>, [_a: string]>>();
expectType<Equal<Parameters<Call<'defaults'>>, [_a: string, _b?: number]>>();
expectType<Equal<Parameters<Call<'rest'>>, number[]>>();
expectType<Equal<Parameters<Call<'anything'>>, [_data: Anything]>>();
expectType<Equal<Parameters<Call<'unknownThing'>>, [_data: unknown]>>();
expectType<Equal<ReturnType<Call<'maybe'>>, DurableFuture<Date | undefined>>>();
expectType<Equal<ReturnType<Call<'list'>>, DurableFuture<readonly { readonly at: Date }[]>>>();

abstract class Port {
  abstract send(text: string, activity?: ActivityContext): Promise<boolean>;
}

@Orchestration('Named', { version: '1.2.3', aliases: ['Old'], runtime: 'billing' })
class Uses {
  async run(ctx: OrchestrationContext, input?: { readonly n: number }): Promise<Map<string, Date>> {
    const sent = await ctx.activities(Port, { retry: { maxAttempts: 2 }, tag: 'gpu' }).send('x');
    expectType<Equal<typeof sent, boolean>>();
    // @ts-expect-error no such option of a call
    void ctx.activities(Port, { retires: 2 });
    // @ts-expect-error an instance is not the class
    void ctx.activities(new Shapes());
    void input;
    return new Map();
  }
}
expectType<Equal<InputOf<typeof Uses>, { readonly n: number } | undefined>>();
expectType<Equal<OutputOf<typeof Uses>, Map<string, Date>>>();
expectType<Equal<Carried<Shapes>, { field: number }>>();

class NeedsConstructor {
  constructor(readonly port: Port) {}
  async run(_ctx: OrchestrationContext): Promise<void> {}
}
class NoRun {}

export class Decorated {
  constructor(
    @InjectDurableClient('billing') private readonly billing: DurableClient,
    @InjectDurableClient() private readonly main: DurableClient,
  ) {}
  @InjectDurableClient() readonly property!: DurableClient;

  @Activity({ name: 'a', aliases: ['b'], runtime: 'billing', tag: 'gpu', scheduleToCloseTimeout: 5_000 })
  async go(): Promise<string> {
    return ActivityContext.current().idempotencyKey;
  }

  // @ts-expect-error a misspelt option
  @Activity({ retires: { maxAttempts: 3 } })
  async typo(): Promise<void> {}

  async start(): Promise<void> {
    await this.main.startOrchestration(Uses, undefined);
    await this.main.startOrchestration(Uses, { n: 1 });
    // @ts-expect-error the input has another shape
    await this.main.startOrchestration(Uses, { n: 'one' });
    // @ts-expect-error an orchestration has no constructor parameters
    await this.billing.startOrchestration(NeedsConstructor, undefined);
    // @ts-expect-error an orchestration has run()
    await this.billing.startOrchestration(NoRun, undefined);
    const handle = this.main.getHandle(null, 'x');
    const result = await handle.result();
    expectType<Equal<typeof result, unknown>>();
  }
}
