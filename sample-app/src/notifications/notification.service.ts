import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Activity, ActivityCtx, type ActivityContext } from 'nest-durable';
import type { Ledger } from '../ledger/ledger.js';
import { Ledgers } from '../ledger/ledgers.js';

interface NotificationEntry {
  readonly key: string;
  readonly channel: 'email' | 'letter';
  readonly to: string;
  readonly text: string;
}

export class MailBouncedError extends Error {
  override readonly name = 'MailBouncedError';
}

@Injectable()
export class NotificationService {
  private readonly ledger: Ledger<NotificationEntry>;

  constructor(ledgers: Ledgers) {
    this.ledger = ledgers.open('notifications');
  }

  @Activity({ name: 'notification.email', retry: { maxAttempts: 5, nonRetryableErrors: ['MailBouncedError'] } })
  async sendEmail(to: string, text: string, @ActivityCtx() activity?: ActivityContext): Promise<void> {
    if (to.endsWith('@bounces.example')) throw new MailBouncedError(`Nobody reads ${to}.`);
    this.sendOnce('email', to, text, activity);
  }

  @Activity({ name: 'notification.letter', retry: { maxAttempts: 5 } })
  async sendLetter(to: string, text: string, @ActivityCtx() activity?: ActivityContext): Promise<void> {
    this.sendOnce('letter', to, text, activity);
  }

  private sendOnce(channel: 'email' | 'letter', to: string, text: string, activity?: ActivityContext): void {
    const key = activity?.idempotencyKey ?? randomUUID();
    if (this.ledger.of(key).length === 0) this.ledger.append({ key, channel, to, text });
  }
}
