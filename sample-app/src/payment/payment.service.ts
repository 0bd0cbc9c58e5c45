import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Activity, ActivityCtx, type ActivityContext } from 'nest-durable';
import type { Order, Receipt } from '../orders/order.js';
import { PaymentGateway } from './payment-gateway.js';

@Injectable()
export class PaymentService {
  constructor(private readonly gateway: PaymentGateway) {}

  /** The idempotency key is the same for every attempt, also after a crash: the gateway charges once. */
  @Activity({
    name: 'payment.charge',
    retry: { maxAttempts: 5, initialInterval: '200ms', nonRetryableErrors: ['CardDeclinedError'] },
    startToCloseTimeout: '30s',
  })
  async charge(order: Order, cents: number, @ActivityCtx() activity?: ActivityContext): Promise<Receipt> {
    const key = activity?.idempotencyKey ?? randomUUID();
    const chargeId = await this.gateway.charge(key, order.id, order.card, cents);
    return { chargeId, cents };
  }

  @Activity({ name: 'payment.refund', retry: { maxAttempts: 50, maxInterval: '1m' }, startToCloseTimeout: '30s' })
  async refund(orderId: string, receipt: Receipt, @ActivityCtx() activity?: ActivityContext): Promise<void> {
    const key = activity?.idempotencyKey ?? randomUUID();
    await this.gateway.refund(key, orderId, receipt.chargeId, receipt.cents);
  }
}
