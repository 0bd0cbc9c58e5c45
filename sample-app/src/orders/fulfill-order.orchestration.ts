import { Orchestration, type OrchestrationContext } from 'nest-durable';
import { NotifyCustomer } from '../notification/notify-customer.orchestration.js';
import { PaymentService } from '../payment/payment.service.js';
import { ShippingService } from '../shipping/shipping.service.js';
import { StockService } from '../stock/stock.service.js';
import type { Approval, Order, OrderResult, Shipment } from './order.js';

export interface FulfillInput {
  readonly order: Order;
  /** Read when the order was placed: an orchestration must not decide by settings that change under it. */
  readonly approvalLimitCents: number;
  readonly approvalTime: string;
  readonly shippingTime: string;
}

/** From the placed order to the parcel, or back to where it began. */
@Orchestration({ name: 'FulfillOrder' })
export class FulfillOrder {
  /** What has been done and must be undone, newest last: this object belongs to one execution alone. */
  private readonly compensations: (() => Promise<unknown>)[] = [];

  async run(ctx: OrchestrationContext, input: FulfillInput): Promise<OrderResult> {
    const { order } = input;
    try {
      await this.reserveStock(ctx, order);
      await this.waitForApproval(ctx, input);
      const chargeId = await this.charge(ctx, order);
      const shipment = await this.ship(ctx, input);
      ctx.setCustomStatus({ stage: 'shipped', trackingId: shipment.trackingId });
      await this.notify(ctx, order, `Your order ${order.id} is on its way: ${shipment.trackingId}`);
      return { outcome: 'shipped', chargeId, trackingId: shipment.trackingId };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      await ctx.shield(() => this.compensate(ctx, order, reason));
      if (ctx.cancellation.requested) throw error;
      return { outcome: error instanceof NotShippedInTime ? 'not shipped in time' : 'rejected', reason };
    }
  }

  private async reserveStock(ctx: OrchestrationContext, order: Order): Promise<void> {
    ctx.setCustomStatus({ stage: 'reserving stock' });
    const stock = ctx.activities(StockService);
    const outcomes = await Promise.allSettled(order.lines.map((line) => stock.reserve(order.id, line)));
    outcomes.forEach(({ status }, index) => {
      if (status === 'fulfilled') this.compensations.push(() => stock.release(order.id, order.lines[index]!));
    });
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  private async waitForApproval(ctx: OrchestrationContext, { order, approvalLimitCents, approvalTime }: FulfillInput): Promise<void> {
    if (order.cents <= approvalLimitCents) return;
    ctx.setCustomStatus({ stage: 'waiting for approval' });
    const answer = await ctx.select({ decision: ctx.scheduleWait<Approval>('Approval'), late: ctx.scheduleTimer(approvalTime) });
    if (answer.winner === 'late') throw new Error('nobody approved the order in time');
    if (!answer.value.approved) throw new Error(`${answer.value.by} did not approve the order`);
  }

  private async charge(ctx: OrchestrationContext, order: Order): Promise<string> {
    ctx.setCustomStatus({ stage: 'charging' });
    const payment = ctx.activities(PaymentService);
    const chargeId = await payment.charge(order);
    this.compensations.push(() => payment.refund(order));
    return chargeId;
  }

  private async ship(ctx: OrchestrationContext, { order, shippingTime }: FulfillInput): Promise<Shipment> {
    ctx.setCustomStatus({ stage: 'waiting for the warehouse' });
    await ctx.activities(ShippingService).request(order);
    const answer = await ctx.select({ shipped: ctx.scheduleWait<Shipment>('WarehouseShipped'), late: ctx.scheduleTimer(shippingTime) });
    if (answer.winner === 'late') throw new NotShippedInTime(`the warehouse did not ship within ${shippingTime}`);
    return answer.value;
  }

  /** In reverse order, each step durable. Shielded: also when the order was cancelled. */
  private async compensate(ctx: OrchestrationContext, order: Order, reason: string): Promise<void> {
    ctx.setCustomStatus({ stage: 'compensating', reason });
    for (const undo of this.compensations.reverse()) await undo();
    ctx.setCustomStatus({ stage: 'compensated', reason });
    await this.notify(ctx, order, `We could not fulfill your order ${order.id}: ${reason}`);
  }

  private async notify(ctx: OrchestrationContext, order: Order, text: string): Promise<void> {
    await ctx.scheduleSubOrchestration(NotifyCustomer, { to: order.customer, text });
  }
}

class NotShippedInTime extends Error {}
