import { ActivityError } from 'nest-durable';
import type { StopOutcome } from './order.js';

/** Ends an order early for a reason business knows of. */
export class OrderStopped extends Error {
  constructor(
    readonly outcome: StopOutcome,
    reason: string,
  ) {
    super(reason);
  }
}

const OUTCOMES: Readonly<Record<string, StopOutcome>> = {
  UnknownSkuError: 'unknown-sku',
  OutOfStockError: 'out-of-stock',
  CardDeclinedError: 'declined',
};

/** Why the order stopped, or undefined for what no business rule explains. */
export function stoppedBy(error: unknown): OrderStopped | undefined {
  if (error instanceof OrderStopped) return error;
  if (!(error instanceof ActivityError)) return undefined;
  const outcome = OUTCOMES[error.failure.name];
  return outcome && new OrderStopped(outcome, error.failure.message);
}
