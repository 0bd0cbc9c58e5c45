import { Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { SampleConfig } from '../config/sample-config.js';
import type { Ledger } from '../ledger/ledger.js';
import { Ledgers } from '../ledger/ledgers.js';

/** A line of `charges.ndjson`. `begun` and `unavailable` tell of requests, `charged` and `refunded` of money. */
export interface ChargeEntry {
  readonly key: string;
  readonly kind: 'begun' | 'unavailable' | 'declined' | 'charged' | 'refunded';
  readonly orderId: string;
  readonly cents: number;
  readonly chargeId?: string;
}

export class GatewayUnavailableError extends Error {
  override readonly name = 'GatewayUnavailableError';
}

export class CardDeclinedError extends Error {
  override readonly name = 'CardDeclinedError';
}

/**
 * Stands for the payment provider on the other side of the network. Like a real one it knows a request by its key: a key that
 * was charged is answered with that charge. Some orders are refused with a passing trouble first: how often follows from
 * the order's id.
 */
@Injectable()
export class PaymentGateway {
  private readonly ledger: Ledger<ChargeEntry>;

  constructor(
    private readonly config: SampleConfig,
    ledgers: Ledgers,
  ) {
    this.ledger = ledgers.open('charges');
  }

  async charge(key: string, orderId: string, card: string, cents: number): Promise<string> {
    this.ledger.append({ key, kind: 'begun', orderId, cents });
    await this.network();
    const charged = this.ledger.of(key).find(({ kind }) => kind === 'charged');
    if (charged !== undefined) return charged.chargeId!;
    if (this.isUnavailable(key, orderId)) {
      this.ledger.append({ key, kind: 'unavailable', orderId, cents });
      throw new GatewayUnavailableError('The payment gateway is not available.');
    }
    if (card === 'tok_declined') {
      this.ledger.append({ key, kind: 'declined', orderId, cents });
      throw new CardDeclinedError('The card was declined.');
    }
    const chargeId = `ch_${hash(key).toString(16).padStart(8, '0')}`;
    this.ledger.append({ key, kind: 'charged', orderId, cents, chargeId });
    await this.network(); // the money has moved, the caller does not know it yet
    return chargeId;
  }

  async refund(key: string, orderId: string, chargeId: string, cents: number): Promise<void> {
    await this.network();
    if (this.ledger.of(key).length > 0) return;
    this.ledger.append({ key, kind: 'refunded', orderId, cents, chargeId });
  }

  /** The first 0, 1 or 2 requests of an order meet trouble. */
  private isUnavailable(key: string, orderId: string): boolean {
    const troubles = this.ledger.of(key).filter(({ kind }) => kind === 'unavailable').length;
    return troubles < hash(orderId) % 3;
  }

  private network(): Promise<void> {
    return delay(this.config.gatewayLatencyMs / 2);
  }
}

/** FNV-1a, 32 bit. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
