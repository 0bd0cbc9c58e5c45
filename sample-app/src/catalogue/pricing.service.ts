import { Injectable } from '@nestjs/common';
import { Activity } from 'nest-durable';
import type { OrderLine } from '../orders/order.js';
import { Catalogue } from './catalogue.js';

export class UnknownSkuError extends Error {
  override readonly name = 'UnknownSkuError';

  constructor(skus: readonly string[]) {
    super(`The catalogue has no ${skus.join(' and no ')}.`);
  }
}

@Injectable()
export class PricingService {
  constructor(private readonly catalogue: Catalogue) {}

  /** What the lines cost today; recorded, so a later change of prices does not change a running order. */
  @Activity({ name: 'pricing.quote' })
  async quote(lines: readonly OrderLine[]): Promise<number> {
    const unknown = lines.filter(({ sku }) => this.catalogue.find(sku) === undefined);
    if (unknown.length > 0) throw new UnknownSkuError(unknown.map(({ sku }) => sku));
    return lines.reduce((sum, { sku, quantity }) => sum + quantity * this.catalogue.find(sku)!.cents, 0);
  }
}
