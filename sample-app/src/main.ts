import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { AddressInfo } from 'node:net';
import { AppModule } from './app.module.js';
import { SampleConfig } from './config/sample-config.js';
import { SeedOrders } from './orders/seed-orders.js';
import { setUpSwagger } from './swagger.js';

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
setUpSwagger(app);
const server = (await app.listen(process.env['PORT'] ?? 3000)) as { address(): AddressInfo };
const url = `http://localhost:${server.address().port}`;
await app.get(SeedOrders).placeIfAsked();

console.log(`
Orders:   ${url}/orders
Swagger:  ${url}/docs
Database: ${app.get(SampleConfig).database}

  curl ${url}/orders -H 'content-type: application/json' \\
    -d '{"id":"A-1","customer":"ada@example.com","lines":[{"sku":"TEA-GREEN","quantity":2}]}'
  curl ${url}/orders/A-1
  curl ${url}/orders/A-1/warehouse-shipped -H 'content-type: application/json' \\
    -d '{"trackingId":"PX-42","carrier":"parcel-express"}'
  curl ${url}/orders/A-1/history
`);
