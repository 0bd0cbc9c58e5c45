import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { OrchestrationStatus } from 'nest-durable';
import { idOf, type OrderResult, type Progress } from '../order.js';

const STATUSES = ['Pending', 'Running', 'Suspended', 'Completed', 'Failed', 'Cancelled', 'Terminated'] as const;

export class OrderView {
  @ApiProperty({ example: 'A-1' })
  id!: string;

  @ApiProperty({ enum: STATUSES })
  status!: (typeof STATUSES)[number];

  @ApiPropertyOptional({ type: Object, example: { stage: 'awaiting-shipment', cents: 2580 } })
  progress?: Progress;

  @ApiPropertyOptional({ type: Object, description: 'How the order ended' })
  result?: OrderResult;

  @ApiPropertyOptional({ description: 'Why it has no result, or does not go on' })
  problem?: string;

  @ApiProperty()
  placedAt!: string;

  @ApiPropertyOptional()
  endedAt?: string;

  static of(status: OrchestrationStatus): OrderView {
    return {
      id: idOf(status.instanceId),
      status: status.status,
      progress: status.customStatus as Progress | undefined,
      ...endingOf(status as OrchestrationStatus<OrderResult>),
      placedAt: status.createdAt.toISOString(),
    };
  }
}

function endingOf(status: OrchestrationStatus<OrderResult>): Partial<OrderView> {
  switch (status.status) {
    case 'Pending':
    case 'Running':
      return {};
    case 'Suspended':
      return { problem: status.suspension.reason };
    case 'Completed':
      return { result: status.output, endedAt: status.endedAt.toISOString() };
    case 'Failed':
    case 'Cancelled':
    case 'Terminated':
      return { problem: status.failure.message, endedAt: status.endedAt.toISOString() };
  }
}

export class OrderPage {
  @ApiProperty({ type: [OrderView] })
  orders!: OrderView[];

  @ApiPropertyOptional({ description: 'Ask for the next page with it' })
  cursor?: string;
}
