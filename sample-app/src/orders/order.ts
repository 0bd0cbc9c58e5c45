export interface OrderLine {
  readonly sku: string;
  readonly quantity: number;
}

export interface Order {
  readonly id: string;
  /** The customer's e-mail address. */
  readonly customer: string;
  /** The token of a card, as the payment gateway gave it; `tok_declined` is declined. */
  readonly card: string;
  readonly lines: readonly OrderLine[];
}

/** The rules an order was placed under. They travel with it: a later change of the configuration is for later orders. */
export interface Terms {
  readonly approvalLimitCents: number;
  readonly approvalTime: string;
  readonly shippingTime: string;
}

export interface PlacedOrder extends Order {
  readonly terms: Terms;
}

export interface Approval {
  readonly approved: boolean;
  readonly by: string;
}

export interface Shipment {
  readonly trackingId: string;
  readonly carrier: string;
}

export interface Receipt {
  readonly chargeId: string;
  readonly cents: number;
}

export type Stage =
  | 'pricing'
  | 'reserving-stock'
  | 'awaiting-approval'
  | 'charging'
  | 'awaiting-shipment'
  | 'shipping'
  | 'compensating'
  | 'notifying'
  | 'done';

/** The custom status of an order. */
export interface Progress {
  readonly stage: Stage;
  readonly cents?: number;
  readonly approvedBy?: string;
}

export type StopOutcome = 'unknown-sku' | 'out-of-stock' | 'not-approved' | 'declined' | 'not-shipped';

/** How an order ends. What business knows of is a result; a failed orchestration is a fault of this program. */
export type OrderResult =
  | { readonly outcome: 'shipped'; readonly cents: number; readonly receipt: Receipt; readonly shipment: Shipment }
  | { readonly outcome: StopOutcome; readonly reason: string };

export const FULFILL_ORDER = 'FulfillOrder';
export const WAREHOUSE_SHIPPED = 'WarehouseShipped';
export const APPROVAL_DECIDED = 'ApprovalDecided';

const PREFIX = 'order-';
export const instanceIdOf = (orderId: string): string => `${PREFIX}${orderId}`;
export const idOf = (instanceId: string): string => instanceId.slice(PREFIX.length);
