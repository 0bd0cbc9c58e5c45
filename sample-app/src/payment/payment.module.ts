import { Module } from '@nestjs/common';
import { LedgerModule } from '../ledger/ledger.module.js';
import { PaymentGateway } from './payment-gateway.js';
import { PaymentService } from './payment.service.js';

@Module({ imports: [LedgerModule], providers: [PaymentGateway, PaymentService] })
export class PaymentModule {}
