import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Activity, ActivityCtx, type ActivityContext } from 'nest-durable';
import type { Ledger } from '../ledger/ledger.js';
import { Ledgers } from '../ledger/ledgers.js';
import type { Shipment } from '../orders/order.js';

interface ShipmentEntry extends Shipment {
  readonly key: string;
  readonly orderId: string;
}

@Injectable()
export class ShippingService {
  private readonly ledger: Ledger<ShipmentEntry>;

  constructor(ledgers: Ledgers) {
    this.ledger = ledgers.open('shipments');
  }

  /** Enters the parcel into the book of the carrier. */
  @Activity({ name: 'shipping.register', retry: { maxAttempts: 50, maxInterval: '1m' } })
  async register(orderId: string, shipment: Shipment, @ActivityCtx() activity?: ActivityContext): Promise<void> {
    const key = activity?.idempotencyKey ?? randomUUID();
    if (this.ledger.of(key).length === 0) this.ledger.append({ key, orderId, ...shipment });
  }
}
