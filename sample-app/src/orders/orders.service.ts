import { Injectable } from '@nestjs/common';
import { DurableClient } from 'nest-durable';
import { SampleConfig } from '../config/sample-config.js';
import { HistoryEntry } from './dto/history-entry.dto.js';
import { OrderView, type OrderPage } from './dto/order-view.dto.js';
import { FulfillOrder } from './fulfill-order.orchestration.js';
import {
  APPROVAL_DECIDED,
  FULFILL_ORDER,
  instanceIdOf,
  WAREHOUSE_SHIPPED,
  type Approval,
  type Order,
  type Shipment,
} from './order.js';

/** Orders are instances of one orchestration; there is no other table of them. */
@Injectable()
export class OrdersService {
  constructor(
    private readonly durable: DurableClient,
    private readonly config: SampleConfig,
  ) {}

  async place(order: Order, idReuse?: 'return-existing'): Promise<OrderView> {
    const { approvalLimitCents, approvalTime, shippingTime } = this.config;
    const placed = { ...order, terms: { approvalLimitCents, approvalTime, shippingTime } };
    const handle = await this.durable.startOrchestration(FulfillOrder, placed, {
      instanceId: instanceIdOf(order.id),
      idReuse,
    });
    return OrderView.of(await handle.status());
  }

  async list(limit: number, cursor?: string): Promise<OrderPage> {
    const page = await this.durable.management.listInstances({ name: FULFILL_ORDER }, { limit, cursor });
    return { orders: page.items.map((status) => OrderView.of(status)), cursor: page.cursor };
  }

  async get(orderId: string): Promise<OrderView> {
    return OrderView.of(await this.durable.getOrchestrationStatus(instanceIdOf(orderId)));
  }

  async history(orderId: string): Promise<HistoryEntry[]> {
    const page = await this.durable.management.readExecutionHistory(instanceIdOf(orderId), { limit: 1_000 });
    return page.items.map((event) => HistoryEntry.of(event));
  }

  async decide(orderId: string, approval: Approval): Promise<void> {
    await this.durable.raiseEvent(instanceIdOf(orderId), APPROVAL_DECIDED, approval);
  }

  async shipped(orderId: string, shipment: Shipment): Promise<void> {
    await this.durable.raiseEvent(instanceIdOf(orderId), WAREHOUSE_SHIPPED, shipment);
  }

  async cancel(orderId: string, reason?: string): Promise<void> {
    await this.durable.cancelInstance(instanceIdOf(orderId), reason);
  }
}
