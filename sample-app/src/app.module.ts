import { Module } from '@nestjs/common';
import { DurableModule } from 'nest-durable';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Settings } from './common/settings.js';
import { NotificationService } from './notification/notification.service.js';
import { NotifyCustomer } from './notification/notify-customer.orchestration.js';
import { FulfillOrder } from './orders/fulfill-order.orchestration.js';
import { OrdersController } from './orders/orders.controller.js';
import { PaymentService } from './payment/payment.service.js';
import { ShippingService } from './shipping/shipping.service.js';
import { CatalogueService } from './stock/catalogue.service.js';
import { StockService } from './stock/stock.service.js';

@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}

@Module({
  imports: [
    SettingsModule,
    DurableModule.forRootAsync({
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: ({ database }: Settings) => {
        mkdirSync(dirname(database), { recursive: true });
        return { storage: { type: 'better-sqlite3', database } };
      },
    }),
  ],
  controllers: [OrdersController],
  providers: [CatalogueService, StockService, PaymentService, ShippingService, NotificationService, FulfillOrder, NotifyCustomer],
})
export class AppModule {}
