import type { Failure } from '../../core/failure.js';
import type { HistoryEvent, ParentLink } from '../../core/history-event.js';
import type { InstanceStatus } from '../../core/instance.js';
import type { Message, StoredMessage } from '../../core/message.js';
import type { ClaimedActivity, ScheduleKey } from '../../provider/batch.js';
import type { InstanceRow } from '../../provider/provider.js';
import type { Row } from './dialect.js';
import type { Cell } from './statements/statement-set.js';

/** kind, name, body: the data of events and queue messages stands alone, everything else is one JSON text. */
export function messageCells(message: Message): Cell[] {
  if (message.kind === 'external-event' || message.kind === 'queue-message')
    return [message.kind, message.name, message.data];
  return [message.kind, null, JSON.stringify(message)];
}

export function storedMessageOf(row: Row): StoredMessage {
  const seq = row['seq'] as number;
  const kind = row['kind'] as Message['kind'];
  const body = row['body'] as string;
  if (kind === 'external-event' || kind === 'queue-message') {
    return { seq, message: { kind, name: row['name'] as string, data: body } };
  }
  return { seq, message: JSON.parse(body) as Message };
}

export const eventsOf = (row: Row): HistoryEvent[] => JSON.parse(row['events'] as string) as HistoryEvent[];

export const claimedActivityOf = (row: Row): ClaimedActivity => ({
  instanceId: row['instance_id'] as string,
  generation: row['generation'] as string,
  executionId: row['execution_id'] as number,
  scheduleId: row['schedule_id'] as number,
  claim: row['claim'] as number,
  name: row['name'] as string,
  tag: row['tag'] as string | null,
  args: row['args'] as string,
  options: row['options'] as string | null,
  attempt: row['attempt'] as number,
  crashes: row['crashes'] as number,
  scheduledAt: row['scheduled_at'] as number,
});

export const scheduleKeyOf = (row: Row): ScheduleKey => ({
  executionId: row['execution_id'] as number,
  scheduleId: row['schedule_id'] as number,
});

export function parentOf(row: Row): ParentLink | undefined {
  if (row['parent_instance_id'] === null) return undefined;
  return {
    instanceId: row['parent_instance_id'] as string,
    generation: row['parent_generation'] as string,
    executionId: row['parent_execution_id'] as number,
    scheduleId: row['parent_schedule_id'] as number,
  };
}

export const instanceRowOf = (row: Row): InstanceRow => ({
  instanceId: row['instance_id'] as string,
  generation: row['generation'] as string,
  name: row['name'] as string,
  version: row['version'] as string,
  status: row['status'] as InstanceStatus,
  executionId: row['execution_id'] as number,
  parent: parentOf(row),
  customStatus: row['custom_status'] as string | null,
  output: row['output'] as string | null,
  failure: row['failure'] === null ? null : (JSON.parse(row['failure'] as string) as Failure),
  suspension:
    row['suspended_by'] === null
      ? null
      : {
          by: row['suspended_by'] as 'operator' | 'engine',
          code: row['suspended_code'] as string,
          reason: row['suspended_reason'] as string,
        },
  cancelRequested: row['cancel_requested'] === 1,
  createdAt: row['created_at'] as number,
  updatedAt: row['updated_at'] as number,
  endedAt: row['ended_at'] as number | null,
});
