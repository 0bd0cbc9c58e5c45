import { Injectable } from '@nestjs/common';
import { Activity, ActivityContext, DurableClient } from 'nest-durable';
import { Settings } from '../common/settings.js';
import type { Order, Shipment } from '../orders/order.js';

/** Asks the warehouse to ship. Its answer comes later, as the external event `WarehouseShipped`. */
@Injectable()
export class ShippingService {
  constructor(
    private readonly settings: Settings,
    private readonly durable: DurableClient,
  ) {}

  @Activity({ name: 'shipping.request', retry: { maxAttempts: 5 } })
  async request(order: Order): Promise<void> {
    const { instanceId } = ActivityContext.current();
    if (!this.settings.autoShip) return;
    const shipment: Shipment = { trackingId: `AUTO-${order.id}` };
    await this.durable.raiseEvent(instanceId, 'WarehouseShipped', shipment, { ifFinished: 'ignore' });
  }
}
