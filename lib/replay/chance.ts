import { createHash } from 'node:crypto';
import type { Execution } from './execution.js';

/**
 * Chance that replays: everything is a hash of the generation (128 random bits of the start), the execution and a counter
 * of calls. No two instances, executions or calls share it, on whatever host; no round trip records it.
 */
function hash(execution: Execution, use: string, index: number): Buffer {
  return createHash('sha256').update(`${execution.generation}/${execution.executionId}/${use}/${index}`).digest();
}

/** An RFC 4122 version 4 looking GUID. */
export function newGuid(execution: Execution): string {
  const bytes = hash(execution, 'guid', execution.chanceCounter++);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** 0 <= value < 1, with 48 random bits. */
export function random(execution: Execution): number {
  return hash(execution, 'random', execution.chanceCounter++).readUIntBE(0, 6) / 2 ** 48;
}

const MAX_ID = 256;

/** The id of a child without one of its own: unique over parents, generations and executions, the same on every replay. */
export function automaticInstanceId(execution: Execution, scheduleId: number): string {
  const suffix = `::${execution.generation.slice(0, 8)}.${execution.executionId}.${scheduleId}`;
  if (execution.instanceId.length + suffix.length <= MAX_ID) return execution.instanceId + suffix;
  const digest = createHash('sha256').update(execution.instanceId).digest('base64url');
  // Cut by code points, so that no surrogate pair is split.
  const head = [...execution.instanceId].slice(0, 64).join('');
  return `${head}~${digest}${suffix}`;
}

/** The same for all attempts of one activity and for no other activity ever (protocol 9). */
export function idempotencyKey(generation: string, executionId: number, activityId: number): string {
  return createHash('sha256')
    .update(`${generation}/${executionId}/activity/${activityId}`)
    .digest('base64url')
    .slice(0, 32);
}
