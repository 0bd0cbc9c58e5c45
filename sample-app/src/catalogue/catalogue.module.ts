import { Module } from '@nestjs/common';
import { Catalogue } from './catalogue.js';
import { PricingService } from './pricing.service.js';

@Module({ providers: [Catalogue, PricingService], exports: [Catalogue] })
export class CatalogueModule {}
