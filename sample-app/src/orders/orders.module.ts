import { Module } from '@nestjs/common';
import { CatalogueModule } from '../catalogue/catalogue.module.js';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { PaymentModule } from '../payment/payment.module.js';
import { ShippingModule } from '../shipping/shipping.module.js';
import { StockModule } from '../stock/stock.module.js';
import { FulfillOrder } from './fulfill-order.orchestration.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { SeedOrders } from './seed-orders.js';

@Module({
  imports: [CatalogueModule, StockModule, PaymentModule, ShippingModule, NotificationsModule],
  controllers: [OrdersController],
  providers: [OrdersService, SeedOrders, FulfillOrder],
})
export class OrdersModule {}
