import type { Failure } from '../../core/failure.js';
import type { ParentLink } from '../../core/history-event.js';
import type { InstanceStatus, Suspension } from '../../core/instance.js';
import type { Message, StoredMessage } from '../../core/message.js';
import type { Payload } from '../../core/payload.js';
import type { ActivityClaim, ClaimedActivity, InstanceKey, NewActivity, ScheduleKey } from '../../provider/batch.js';
import type { InstanceRow } from '../../provider/provider.js';

/** What the model stores. Rows are never changed, only replaced; texts stay texts, so that nobody shares an object with it. */
export interface StoredInstance extends InstanceKey {
  readonly name: string;
  readonly version: string;
  readonly status: InstanceStatus;
  readonly executionId: number;
  readonly nextEventId: number;
  readonly turn: number;
  readonly owner: string | null;
  readonly messagesIn: number;
  readonly messagesSeen: number;
  readonly held: number;
  readonly crashes: number;
  readonly suspect: string | null;
  readonly cancelRequested: boolean;
  readonly parent: ParentLink | undefined;
  readonly customStatus: Payload | null;
  readonly output: Payload | null;
  /** JSON. */
  readonly failure: string | null;
  readonly suspension: Suspension | null;
  readonly failedBuilds: readonly string[];
  readonly engineFormat: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly endedAt: number | null;
}

export interface StoredTurn {
  readonly instanceId: string;
  readonly executionId: number;
  readonly firstEventId: number;
  readonly eventCount: number;
  readonly events: string;
}

export interface MessageRow {
  readonly instanceId: string;
  readonly seq: number;
  readonly kind: Message['kind'];
  /** Of an event or a queue message. */
  readonly name: string | null;
  readonly body: string;
}

export interface ActivityRow extends ActivityClaim {
  readonly name: string;
  readonly tag: string | null;
  readonly args: Payload;
  readonly options: string | null;
  readonly node: string | null;
  readonly attempt: number;
  readonly crashes: number;
  readonly suspect: string | null;
  readonly dueAt: number;
  readonly scheduledAt: number;
  readonly lastFailure: string | null;
}

export interface TimerRow extends ScheduleKey {
  readonly instanceId: string;
  readonly fireAt: number;
}

export interface KvRow {
  readonly instanceId: string;
  readonly key: string;
  readonly value: Payload | null;
  /** The value before the first write of `executionId`. */
  readonly base: Payload | null;
  readonly executionId: number;
}

export interface NodeRow {
  readonly node: string;
  readonly engine: boolean;
  readonly buildId: string;
  readonly leaseUntil: number;
}

export interface LaneRow {
  readonly node: string;
  readonly lane: number;
  readonly seq: number;
  readonly verdicts: string;
}

/** One text of several parts, as a key. */
export const keyOf = (...parts: readonly (string | number)[]): string => JSON.stringify(parts);
export const scheduleKey = (instanceId: string, { executionId, scheduleId }: ScheduleKey): string =>
  keyOf(instanceId, executionId, scheduleId);

export const lifeOf = ({ instanceId, generation }: InstanceKey): string => keyOf(instanceId, generation);

/** As a database with binary collation sorts: by code point. Other orders lose rows where a cursor meets capitals or accents. */
export function byCodePoint(a: string, b: string): number {
  for (let index = 0; ;) {
    const [left, right] = [a.codePointAt(index), b.codePointAt(index)];
    if (left === undefined || right === undefined) return a.length - b.length;
    if (left !== right) return left - right;
    index += left > 0xffff ? 2 : 1;
  }
}

export function messageRow(instanceId: string, seq: number, message: Message): MessageRow {
  return message.kind === 'external-event' || message.kind === 'queue-message'
    ? { instanceId, seq, kind: message.kind, name: message.name, body: message.data }
    : { instanceId, seq, kind: message.kind, name: null, body: JSON.stringify(message) };
}

export const storedMessageOf = ({ seq, kind, name, body }: MessageRow): StoredMessage => ({
  seq,
  message:
    kind === 'external-event' || kind === 'queue-message'
      ? { kind, name: name!, data: body }
      : (JSON.parse(body) as Message),
});

export const activityRow = (
  { instanceId, generation }: InstanceKey,
  { claimed, lastFailure, ...activity }: NewActivity,
  node: string,
): ActivityRow => ({
  ...activity,
  instanceId,
  generation,
  claim: claimed ? 1 : 0,
  node: claimed ? node : null,
  suspect: null,
  lastFailure: lastFailure === null ? null : JSON.stringify(lastFailure),
});

export const claimedActivityOf = (row: ActivityRow): ClaimedActivity => ({
  instanceId: row.instanceId,
  generation: row.generation,
  executionId: row.executionId,
  scheduleId: row.scheduleId,
  claim: row.claim,
  name: row.name,
  tag: row.tag,
  args: row.args,
  options: row.options,
  attempt: row.attempt,
  crashes: row.crashes,
  scheduledAt: row.scheduledAt,
});

export const instanceRowOf = (row: StoredInstance): InstanceRow => ({
  instanceId: row.instanceId,
  generation: row.generation,
  name: row.name,
  version: row.version,
  status: row.status,
  executionId: row.executionId,
  parent: row.parent && { ...row.parent },
  customStatus: row.customStatus,
  output: row.output,
  failure: row.failure === null ? null : (JSON.parse(row.failure) as Failure),
  suspension: row.suspension && { ...row.suspension },
  cancelRequested: row.cancelRequested,
  createdAt: row.createdAt,
  updatedAt: row.updatedAt,
  endedAt: row.endedAt,
});
