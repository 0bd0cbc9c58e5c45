import { Module } from '@nestjs/common';
import { DurableModule } from 'nest-durable';
import { SampleConfig } from './config/sample-config.js';
import { SampleConfigModule } from './config/sample-config.module.js';
import { OrdersModule } from './orders/orders.module.js';

@Module({
  imports: [
    SampleConfigModule,
    DurableModule.forRootAsync({
      inject: [SampleConfig],
      useFactory: ({ database }: SampleConfig) => ({ storage: { type: 'better-sqlite3', database } }),
    }),
    OrdersModule,
  ],
})
export class AppModule {}
