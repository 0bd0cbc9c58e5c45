import { Injectable, Logger } from '@nestjs/common';
import { readSeedFile } from '../config/seed-file.js';
import { SampleConfig } from '../config/sample-config.js';
import type { Order } from './order.js';
import { OrdersService } from './orders.service.js';

/** With SEED_ORDERS=1: places the orders of `seed/orders.json`, once however often the application starts. */
@Injectable()
export class SeedOrders {
  private readonly logger = new Logger(SeedOrders.name);

  constructor(
    private readonly orders: OrdersService,
    private readonly config: SampleConfig,
  ) {}

  async placeIfAsked(): Promise<void> {
    if (!this.config.seedOrders) return;
    const seed = readSeedFile<Order[]>('orders.json');
    await Promise.all(seed.map((order) => this.orders.place(order, 'return-existing')));
    this.logger.log(`${seed.length} orders of seed/orders.json are placed`);
  }
}
