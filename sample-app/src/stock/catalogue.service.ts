import { BadRequestException, Injectable } from '@nestjs/common';
import { seedCatalogue } from '../common/seed.js';
import type { OrderLine } from '../orders/order.js';

export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly cents: number;
  readonly stock: number;
}

@Injectable()
export class CatalogueService {
  private readonly products = new Map(seedCatalogue().map((product) => [product.sku, product]));

  get(sku: string): Product {
    const product = this.products.get(sku);
    if (product === undefined) throw new BadRequestException(`there is no product ${sku}: ${[...this.products.keys()].join(', ')}`);
    return product;
  }

  price(lines: readonly OrderLine[]): number {
    return lines.reduce((sum, { sku, quantity }) => sum + this.get(sku).cents * quantity, 0);
  }
}
