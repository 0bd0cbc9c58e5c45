import { Module } from '@nestjs/common';
import { CatalogueModule } from '../catalogue/catalogue.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { StockService } from './stock.service.js';

@Module({ imports: [CatalogueModule, LedgerModule], providers: [StockService] })
export class StockModule {}
