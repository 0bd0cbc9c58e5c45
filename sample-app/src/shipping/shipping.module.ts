import { Module } from '@nestjs/common';
import { LedgerModule } from '../ledger/ledger.module.js';
import { ShippingService } from './shipping.service.js';
import { WarehouseSimulator } from './warehouse-simulator.js';

@Module({ imports: [LedgerModule], providers: [ShippingService, WarehouseSimulator] })
export class ShippingModule {}
