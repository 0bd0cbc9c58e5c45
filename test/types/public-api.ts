// Compiled, never run: what users write must type-check, and what they must not write must not.
import {
  Activity,
  ActivityContext,
  ActivityCtx,
  DurableClient,
  type DurableFuture,
  Orchestration,
  type OrchestrationContext,
  type OrchestrationHandle,
  type OrchestrationStatus,
} from 'nest-durable';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <_Holds extends true>(): void => undefined;

class Receipt {
  constructor(
    readonly id: string,
    readonly paidAt: Date,
    readonly lines: Map<string, bigint>,
  ) {}
  total(): number {
    return 0;
  }
}

class PaymentService {
  private secret = 1;
  @Activity({ retry: { maxAttempts: 5, backoff: 'linear' }, startToCloseTimeout: '30s' })
  async charge(orderId: string, cents: number, @ActivityCtx() _activity?: ActivityContext): Promise<Receipt> {
    return new Receipt(orderId, new Date(cents), new Map());
  }
  @Activity()
  async refund(orderId: string, note?: string): Promise<void> {
    void [orderId, note];
  }
  format(cents: number): string {
    return `${cents + this.secret}`;
  }
  protected async internal(): Promise<void> {}
}

interface Order {
  readonly id: string;
  readonly cents: number;
}

@Orchestration({ name: 'Fulfill', version: '2.1.0' })
class Fulfill {
  async run(ctx: OrchestrationContext, order: Order): Promise<Receipt> {
    const pay = ctx.activities(PaymentService);
    const future = pay.charge(order.id, order.cents);
    expectType<
      Equal<
        typeof future,
        DurableFuture<{ readonly id: string; readonly paidAt: Date; readonly lines: Map<string, bigint> }>
      >
    >();
    void pay.refund(order.id);
    void pay.refund(order.id, 'late');
    // @ts-expect-error the context is not an argument of the call
    void pay.charge(order.id, order.cents, undefined);
    // @ts-expect-error a missing argument
    void pay.charge(order.id);
    // @ts-expect-error a wrong type
    void pay.charge(order.cents, order.id);
    // @ts-expect-error a method that returns no promise is no activity
    void pay.format(1);
    // @ts-expect-error a protected method
    void pay.internal();

    const [first, second] = await ctx.join([future, ctx.scheduleWait<number>('n')]);
    expectType<Equal<typeof second, number>>();
    // @ts-expect-error methods do not travel
    first.total();

    const chosen = await ctx.select({
      tick: ctx.scheduleTimer('1m'),
      stop: ctx.keep(ctx.scheduleWait<string>('stop')),
    });
    if (chosen.winner === 'stop') expectType<Equal<typeof chosen.value, string>>();
    const either = await ctx.select([ctx.scheduleTimer(5), ctx.scheduleWait<string>('stop')]);
    if (either.index === 1) expectType<Equal<typeof either.value, string>>();

    const child = await ctx.scheduleSubOrchestration(Count, 3);
    expectType<Equal<typeof child, number>>();
    // @ts-expect-error the child's input is a number
    void ctx.scheduleSubOrchestration(Count, 'three');
    const byName = await ctx.scheduleSubOrchestration<boolean>('Other', { any: 'thing' });
    expectType<Equal<typeof byName, boolean>>();
    const id = await ctx.scheduleOrchestration(Count, 1);
    expectType<Equal<typeof id, string>>();
    const met = await ctx.waitUntil(() => true, { timeout: '1h' });
    expectType<Equal<typeof met, boolean>>();
    const effect = ctx.sideEffect(() => 7);
    expectType<Equal<typeof effect, number>>();
    const other = await ctx.kvOf('x').get<string>('k');
    expectType<Equal<typeof other, string | undefined>>();
    return ctx.continueAsNew(order);
  }
}

@Orchestration()
class Count {
  async run(_ctx: OrchestrationContext, n: number): Promise<number> {
    return n;
  }
}

@Orchestration()
class NoInput {
  async run(_ctx: OrchestrationContext): Promise<string> {
    return 'x';
  }
}

export async function clients(client: DurableClient): Promise<void> {
  const handle = await client.startOrchestration(
    Fulfill,
    { id: 'a', cents: 1 },
    { instanceId: 'order-a', idReuse: 'return-existing' },
  );
  expectType<
    Equal<
      typeof handle,
      OrchestrationHandle<{ readonly id: string; readonly paidAt: Date; readonly lines: Map<string, bigint> }>
    >
  >();
  const result = await handle.result({ timeout: '5s' });
  expectType<Equal<typeof result.paidAt, Date>>();
  // @ts-expect-error the input lacks cents
  await client.startOrchestration(Fulfill, { id: 'a' });
  // @ts-expect-error no such policy
  await client.startOrchestration(Count, 1, { idReuse: 'sometimes' });
  await client.startOrchestration(NoInput, undefined);
  const byName = await client.startOrchestration<number>('Count', 1);
  expectType<Equal<typeof byName, OrchestrationHandle<number>>>();
  const existing = client.getHandle(Count, 'c-1');
  expectType<Equal<typeof existing, OrchestrationHandle<number>>>();
  const status: OrchestrationStatus<number> = await existing.status();
  if (status.status === 'Completed') expectType<Equal<typeof status.output, number>>();
  if (status.status === 'Suspended') expectType<Equal<typeof status.suspension.by, 'operator' | 'engine'>>();
  // @ts-expect-error only a completed instance has an output
  void status.output;
}
