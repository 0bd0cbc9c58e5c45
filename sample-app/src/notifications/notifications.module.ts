import { Module } from '@nestjs/common';
import { LedgerModule } from '../ledger/ledger.module.js';
import { NotificationService } from './notification.service.js';
import { NotifyCustomer } from './notify-customer.orchestration.js';

@Module({ imports: [LedgerModule], providers: [NotificationService, NotifyCustomer] })
export class NotificationsModule {}
