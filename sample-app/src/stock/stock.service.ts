import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Activity, ActivityCtx, type ActivityContext } from 'nest-durable';
import { Catalogue } from '../catalogue/catalogue.js';
import type { Ledger } from '../ledger/ledger.js';
import { Ledgers } from '../ledger/ledgers.js';
import type { OrderLine } from '../orders/order.js';

interface StockEntry {
  readonly key: string;
  readonly kind: 'reserved' | 'released';
  readonly orderId: string;
  readonly sku: string;
  readonly quantity: number;
}

export class OutOfStockError extends Error {
  override readonly name = 'OutOfStockError';

  constructor(line: OrderLine, left: number) {
    super(`${line.quantity} of ${line.sku} were ordered, ${left} are left.`);
  }
}

/** Activities may run more than once, so each looks first whether this call has been done. */
@Injectable()
export class StockService {
  private readonly ledger: Ledger<StockEntry>;
  private readonly left: Map<string, number>;

  constructor(catalogue: Catalogue, ledgers: Ledgers) {
    this.ledger = ledgers.open('stock');
    this.left = new Map(catalogue.articles.map(({ sku, stock }) => [sku, stock]));
    for (const entry of this.ledger.entries) this.count(entry);
  }

  @Activity({ name: 'stock.reserve', retry: { maxAttempts: 5, nonRetryableErrors: ['OutOfStockError'] } })
  async reserve(orderId: string, line: OrderLine, @ActivityCtx() activity?: ActivityContext): Promise<void> {
    const key = activity?.idempotencyKey ?? randomUUID();
    if (this.ledger.of(key).length > 0) return;
    const left = this.left.get(line.sku) ?? 0;
    if (left < line.quantity) throw new OutOfStockError(line, left);
    this.count(this.ledger.append({ key, kind: 'reserved', orderId, ...line }));
  }

  @Activity({ name: 'stock.release', retry: { maxAttempts: 50, maxInterval: '1m' } })
  async release(orderId: string, line: OrderLine, @ActivityCtx() activity?: ActivityContext): Promise<void> {
    const key = activity?.idempotencyKey ?? randomUUID();
    if (this.ledger.of(key).length > 0) return;
    this.count(this.ledger.append({ key, kind: 'released', orderId, ...line }));
  }

  private count({ kind, sku, quantity }: StockEntry): void {
    this.left.set(sku, (this.left.get(sku) ?? 0) + (kind === 'released' ? quantity : -quantity));
  }
}
