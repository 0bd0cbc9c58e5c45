import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { Approval, Order, OrderLine, Shipment } from '../order.js';

export class OrderLineDto implements OrderLine {
  @ApiProperty({ example: 'TEA-GREEN' })
  sku!: string;

  @ApiProperty({ example: 2, minimum: 1, maximum: 1_000 })
  quantity!: number;
}

export class PlaceOrderDto implements Order {
  @ApiProperty({ example: 'A-1' })
  id!: string;

  @ApiProperty({ example: 'ada@example.com' })
  customer!: string;

  @ApiPropertyOptional({ example: 'tok_visa', default: 'tok_visa', description: 'tok_declined is declined' })
  card!: string;

  @ApiProperty({ type: [OrderLineDto] })
  lines!: OrderLineDto[];
}

export class ApprovalDto implements Approval {
  @ApiProperty({ example: true })
  approved!: boolean;

  @ApiProperty({ example: 'grace' })
  by!: string;
}

export class ShipmentDto implements Shipment {
  @ApiProperty({ example: 'PX-42' })
  trackingId!: string;

  @ApiProperty({ example: 'parcel-express' })
  carrier!: string;
}
