import { Injectable } from '@nestjs/common';
import { Activity, ActivityContext, ActivityCtx, NonRetryableError } from 'nest-durable';
import { join } from 'node:path';
import { Ledger } from '../common/ledger.js';
import { Settings } from '../common/settings.js';
import type { Order } from '../orders/order.js';

/** A line of the gateway's books. `begin` is a request that reached it, `charge` and `refund` are money that moved. */
export interface GatewayEntry {
  readonly kind: 'begin' | 'charge' | 'refund';
  readonly key: string;
  readonly orderId: string;
  readonly cents: number;
}

/**
 * Charges cards at a simulated gateway. Like a real one it knows the idempotency keys it has seen: a request that is
 * repeated, because the answer was lost in a crash, moves no money twice.
 */
@Injectable()
export class PaymentService {
  private readonly books: Ledger<GatewayEntry>;
  private readonly moved = new Set<string>();

  constructor(private readonly settings: Settings) {
    this.books = new Ledger(join(settings.dataDirectory, 'charges.ndjson'));
    for (const { kind, key } of this.books.entries()) if (kind !== 'begin') this.moved.add(key);
  }

  @Activity({ name: 'payment.charge', retry: { maxAttempts: 5, initialInterval: '50ms' }, startToCloseTimeout: '30s' })
  async charge(order: Order, @ActivityCtx() activity?: ActivityContext): Promise<string> {
    const { idempotencyKey: key, attempt } = activity!;
    this.books.append({ kind: 'begin', key, orderId: order.id, cents: order.cents });
    await new Promise((resolve) => setTimeout(resolve, this.settings.gatewayMs));
    if (order.customer.startsWith('declined')) throw new NonRetryableError(`the card of ${order.customer} was declined`);
    // Every third order meets a gateway that is down for the first attempt.
    if (Number(order.id.replace(/\D/g, '')) % 3 === 0 && attempt === 1) throw new Error('503 from the gateway');
    this.move({ kind: 'charge', key, orderId: order.id, cents: order.cents });
    return key;
  }

  @Activity({ name: 'payment.refund', retry: { maxAttempts: 10 } })
  async refund(order: Order): Promise<void> {
    const { idempotencyKey: key } = ActivityContext.current();
    this.move({ kind: 'refund', key, orderId: order.id, cents: order.cents });
  }

  private move(entry: GatewayEntry): void {
    if (this.moved.has(entry.key)) return;
    this.moved.add(entry.key);
    this.books.append(entry);
  }
}
