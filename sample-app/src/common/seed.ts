import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Order } from '../orders/order.js';
import type { Product } from '../stock/catalogue.service.js';

/** The data that ships with the sample, beside its sources. */
function read<T>(name: string): T {
  for (const folder of [join(import.meta.dirname, '../../seed'), join(import.meta.dirname, '../../../sample-app/seed')]) {
    const file = join(folder, name);
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as T;
  }
  throw new Error(`the seed file ${name} is not beside the sample application`);
}

export const seedOrders = (): Omit<Order, 'cents'>[] => read('orders.json');
export const seedCatalogue = (): Product[] => read('catalogue.json');
