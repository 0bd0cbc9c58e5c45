import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { HistoryEvent } from 'nest-durable';

/** A history event without its payloads. */
export class HistoryEntry {
  @ApiProperty()
  id!: number;

  @ApiProperty({ example: 'ActivityScheduled' })
  kind!: string;

  @ApiPropertyOptional({ example: 'payment.charge' })
  name?: string;

  @ApiPropertyOptional({ description: 'The event that scheduled what ended here' })
  scheduleId?: number;

  @ApiPropertyOptional()
  at?: string;

  static of(event: HistoryEvent): HistoryEntry {
    return {
      id: event.id,
      kind: event.kind,
      ...('name' in event && { name: event.name }),
      ...('scheduleId' in event && { scheduleId: event.scheduleId }),
      ...('at' in event && { at: new Date(event.at).toISOString() }),
    };
  }
}
