import {
  Orchestration,
  OrchestrationCancelledError,
  SubOrchestrationError,
  type OrchestrationContext,
} from 'nest-durable';
import { PricingService } from '../catalogue/pricing.service.js';
import { NotifyCustomer } from '../notifications/notify-customer.orchestration.js';
import { PaymentService } from '../payment/payment.service.js';
import { ShippingService } from '../shipping/shipping.service.js';
import { StockService } from '../stock/stock.service.js';
import { OrderStopped, stoppedBy } from './order-stopped.js';
import {
  APPROVAL_DECIDED,
  FULFILL_ORDER,
  WAREHOUSE_SHIPPED,
  type Approval,
  type OrderResult,
  type PlacedOrder,
  type Progress,
  type Receipt,
  type Shipment,
  type Stage,
} from './order.js';

/**
 * Price, stock, approval, money, parcel. What was done is undone in reverse order when the order stops early or is cancelled.
 *
 * Steps with an effect outside run in `ctx.shield`: a cancellation waits until it is known whether they happened, and then
 * meets the next await. Waits are not shielded, so they end at once.
 */
@Orchestration({ name: FULFILL_ORDER })
export class FulfillOrder {
  // Fields belong to one execution: every execution has an object of its own.
  private progress: Progress = { stage: 'pricing' };
  private readonly undo: (() => Promise<void>)[] = [];

  async run(ctx: OrchestrationContext, order: PlacedOrder): Promise<OrderResult> {
    try {
      const result = await this.fulfil(ctx, order);
      return await ctx.shield(() => this.end(ctx, order, result));
    } catch (error) {
      return ctx.shield(() => this.giveUp(ctx, order, error));
    }
  }

  private async fulfil(ctx: OrchestrationContext, order: PlacedOrder): Promise<OrderResult> {
    this.show(ctx, 'pricing');
    const cents = await ctx.activities(PricingService).quote(order.lines);
    this.progress = { ...this.progress, cents };

    this.show(ctx, 'reserving-stock');
    await ctx.shield(() => this.reserve(ctx, order));
    if (cents > order.terms.approvalLimitCents) await this.awaitApproval(ctx, order);

    this.show(ctx, 'charging');
    const receipt = await ctx.shield(() => this.charge(ctx, order, cents));

    this.show(ctx, 'awaiting-shipment');
    const shipment = await this.awaitShipment(ctx, order);

    this.show(ctx, 'shipping');
    await ctx.shield(() => ctx.activities(ShippingService).register(order.id, shipment));
    this.undo.length = 0; // a parcel on its way is not called back
    return { outcome: 'shipped', cents, receipt, shipment };
  }

  /** All lines at once. Each one's end is awaited, so that none is still being reserved while others are released. */
  private async reserve(ctx: OrchestrationContext, order: PlacedOrder): Promise<void> {
    const stock = ctx.activities(StockService);
    const reserved = await Promise.allSettled(order.lines.map((line) => stock.reserve(order.id, line)));
    reserved.forEach(({ status }, index) => {
      if (status === 'fulfilled') this.undo.push(() => stock.release(order.id, order.lines[index]!));
    });
    const refused = reserved.find(({ status }) => status === 'rejected');
    if (refused?.status === 'rejected') throw refused.reason;
  }

  private async awaitApproval(ctx: OrchestrationContext, { terms }: PlacedOrder): Promise<void> {
    this.show(ctx, 'awaiting-approval');
    const first = await ctx.select({
      decision: ctx.scheduleWait<Approval>(APPROVAL_DECIDED),
      late: ctx.scheduleTimer(terms.approvalTime),
    });
    if (first.winner === 'late') throw new OrderStopped('not-approved', `Nobody decided within ${terms.approvalTime}.`);
    const { approved, by } = first.value;
    if (!approved) throw new OrderStopped('not-approved', `${by} refused it.`);
    this.progress = { ...this.progress, approvedBy: by };
  }

  private async charge(ctx: OrchestrationContext, order: PlacedOrder, cents: number): Promise<Receipt> {
    const payment = ctx.activities(PaymentService);
    const { terms: _terms, ...details } = order;
    const receipt = await payment.charge(details, cents);
    this.undo.push(() => payment.refund(order.id, receipt));
    return receipt;
  }

  private async awaitShipment(ctx: OrchestrationContext, { terms }: PlacedOrder): Promise<Shipment> {
    const first = await ctx.select({
      shipment: ctx.scheduleWait<Shipment>(WAREHOUSE_SHIPPED),
      late: ctx.scheduleTimer(terms.shippingTime),
    });
    if (first.winner === 'shipment') return first.value;
    throw new OrderStopped('not-shipped', `The warehouse shipped nothing within ${terms.shippingTime}.`);
  }

  private async end(ctx: OrchestrationContext, order: PlacedOrder, result: OrderResult): Promise<OrderResult> {
    await this.notify(ctx, order, textOf(order, result));
    this.show(ctx, 'done');
    return result;
  }

  private async giveUp(ctx: OrchestrationContext, order: PlacedOrder, error: unknown): Promise<OrderResult> {
    this.show(ctx, 'compensating');
    for (const step of this.undo.reverse()) await step();
    const stopped = stoppedBy(error);
    if (stopped !== undefined) return this.end(ctx, order, { outcome: stopped.outcome, reason: stopped.message });
    const why =
      error instanceof OrchestrationCancelledError ? `was cancelled: ${error.reason}` : 'could not be carried out';
    await this.notify(ctx, order, `Your order ${order.id} ${why}.`);
    this.show(ctx, 'done');
    throw error;
  }

  /** A customer who cannot be reached does not change what became of the order. */
  private async notify(ctx: OrchestrationContext, order: PlacedOrder, text: string): Promise<void> {
    this.show(ctx, 'notifying');
    try {
      await ctx.scheduleSubOrchestration(NotifyCustomer, { to: order.customer, text });
    } catch (error) {
      if (!(error instanceof SubOrchestrationError)) throw error;
      ctx.log.warn(`Nobody could tell ${order.customer} about order ${order.id}`, { reason: error.message });
    }
  }

  private show(ctx: OrchestrationContext, stage: Stage): void {
    this.progress = { ...this.progress, stage };
    ctx.setCustomStatus(this.progress);
  }
}

function textOf({ id }: PlacedOrder, result: OrderResult): string {
  if (result.outcome !== 'shipped') return `Your order ${id} was not carried out: ${result.reason}`;
  return `Your order ${id} is on its way with ${result.shipment.carrier}, ${result.shipment.trackingId}.`;
}
