import { ApiProperty } from '@nestjs/swagger';

export class OrderLine {
  @ApiProperty({ example: 'BOOK-TS' })
  readonly sku!: string;
  @ApiProperty({ example: 2, minimum: 1 })
  readonly quantity!: number;
}

export class PlaceOrder {
  @ApiProperty({ example: '2001' })
  readonly id!: string;
  @ApiProperty({ example: 'ada@example.com' })
  readonly customer!: string;
  @ApiProperty({ type: [OrderLine] })
  readonly lines!: readonly OrderLine[];
}

/** What an orchestration gets: the customer's order with its price. */
export interface Order {
  readonly id: string;
  readonly customer: string;
  readonly lines: readonly OrderLine[];
  readonly cents: number;
}

export class Approval {
  @ApiProperty({ example: true })
  readonly approved!: boolean;
  @ApiProperty({ example: 'boss@example.com' })
  readonly by!: string;
}

export class Shipment {
  @ApiProperty({ example: 'DHL-4711' })
  readonly trackingId!: string;
}

/** How an order ended. */
export interface OrderResult {
  readonly outcome: 'shipped' | 'rejected' | 'not shipped in time';
  readonly chargeId?: string;
  readonly trackingId?: string;
  readonly reason?: string;
}
