import { Injectable } from '@nestjs/common';
import { readSeedFile } from '../config/seed-file.js';

export interface Article {
  readonly sku: string;
  readonly title: string;
  readonly cents: number;
  /** Pieces in the warehouse before the first order. */
  readonly stock: number;
}

@Injectable()
export class Catalogue {
  readonly articles: readonly Article[] = readSeedFile<Article[]>('catalogue.json');
  private readonly bySku = new Map(this.articles.map((article) => [article.sku, article]));

  find(sku: string): Article | undefined {
    return this.bySku.get(sku);
  }
}
