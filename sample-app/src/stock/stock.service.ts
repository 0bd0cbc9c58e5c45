import { Injectable } from '@nestjs/common';
import { Activity, ActivityContext, NonRetryableError } from 'nest-durable';
import { join } from 'node:path';
import { Ledger } from '../common/ledger.js';
import { Settings } from '../common/settings.js';
import type { OrderLine } from '../orders/order.js';
import { CatalogueService } from './catalogue.service.js';

interface StockEntry {
  readonly key: string;
  readonly orderId: string;
  readonly sku: string;
  readonly quantity: number;
}

/** The stock, as movements: a reservation takes away, a release gives back. Repeating one with the same key does nothing. */
@Injectable()
export class StockService {
  private readonly ledger: Ledger<StockEntry>;
  private readonly keys = new Set<string>();
  private readonly taken = new Map<string, number>();

  constructor(
    settings: Settings,
    private readonly catalogue: CatalogueService,
  ) {
    this.ledger = new Ledger(join(settings.dataDirectory, 'stock.ndjson'));
    for (const entry of this.ledger.entries()) this.count(entry);
  }

  @Activity({ name: 'stock.reserve', retry: { maxAttempts: 3, initialInterval: '100ms' } })
  async reserve(orderId: string, { sku, quantity }: OrderLine): Promise<void> {
    const { stock } = this.catalogue.get(sku);
    const left = stock - (this.taken.get(sku) ?? 0);
    const { idempotencyKey: key } = ActivityContext.current();
    if (!this.keys.has(key) && left < quantity) throw new NonRetryableError(`only ${left} of ${sku} left, ${quantity} wanted`);
    this.move({ key, orderId, sku, quantity });
  }

  @Activity({ name: 'stock.release', retry: { maxAttempts: 10 } })
  async release(orderId: string, { sku, quantity }: OrderLine): Promise<void> {
    this.move({ key: ActivityContext.current().idempotencyKey, orderId, sku, quantity: -quantity });
  }

  private move(entry: StockEntry): void {
    if (this.keys.has(entry.key)) return;
    this.ledger.append(entry);
    this.count(entry);
  }

  private count({ key, sku, quantity }: StockEntry): void {
    this.keys.add(key);
    this.taken.set(sku, (this.taken.get(sku) ?? 0) + quantity);
  }
}
