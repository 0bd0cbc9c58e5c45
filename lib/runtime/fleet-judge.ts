import type { Others } from '../provider/fleet.js';

export const HEARTBEAT_MS = 1_000;
/** A node without a connection is given so long to show that it lives. */
const MISSED_MS = 2 * HEARTBEAT_MS;

export interface Judgement {
  readonly dead: readonly string[];
  /** When the next node may turn out to be dead; at the latest after a heartbeat. */
  readonly againInMs: number;
}

/**
 * Who is dead (protocol 11): whose connection is gone and who missed two heartbeats; or whose lease ran out. A judge that was
 * itself cut off knows nothing of the others: it has to have renewed its own lease without a gap for as long as they
 * did not.
 */
export function judge({ now, nodes }: Others, steadyMs: number, leaseMs: number): Judgement {
  const dead: string[] = [];
  let againInMs = HEARTBEAT_MS;
  for (const { node, isConnected, heartbeatAt, leaseUntil } of nodes) {
    const leaseRanOut = leaseUntil < now && steadyMs >= leaseMs;
    const missedMs = now - heartbeatAt;
    if (leaseRanOut || (!isConnected && missedMs > MISSED_MS && steadyMs >= MISSED_MS)) dead.push(node);
    else if (!isConnected) againInMs = Math.min(againInMs, Math.max(MISSED_MS - Math.min(missedMs, steadyMs) + 1, 20));
  }
  return { dead, againInMs };
}
