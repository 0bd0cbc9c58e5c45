import { Module } from '@nestjs/common';
import { Ledgers } from './ledgers.js';

@Module({ providers: [Ledgers], exports: [Ledgers] })
export class LedgerModule {}
