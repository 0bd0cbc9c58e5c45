import { describe, expect, it } from '@jest/globals';
import type { OtherNode } from '../../lib/provider/index.js';
import { judge } from '../../lib/runtime/fleet-judge.js';

const NOW = 1_000_000;
const LEASE = 15_000;
const LONG = 60_000;

const node = (changes: Partial<OtherNode>): OtherNode => ({
  node: 'other',
  isConnected: true,
  heartbeatAt: NOW - 500,
  leaseUntil: NOW + LEASE - 500,
  ...changes,
});
const judged = (changes: Partial<OtherNode>, steadyMs = LONG) =>
  judge({ now: NOW, nodes: [node(changes)] }, steadyMs, LEASE);

describe('a judge of other nodes', () => {
  const cases: readonly [what: string, node: Partial<OtherNode>, steadyMs: number, isDead: boolean][] = [
    ['leaves a node that is connected and shows that it lives', {}, LONG, false],
    [
      'leaves a node whose connection broke a moment ago',
      { isConnected: false, heartbeatAt: NOW - 1_900 },
      LONG,
      false,
    ],
    [
      'declares a node dead without a connection and two heartbeats',
      { isConnected: false, heartbeatAt: NOW - 2_001 },
      LONG,
      true,
    ],
    ['does not while it was itself cut off', { isConnected: false, heartbeatAt: NOW - 60_000 }, 0, false],
    [
      'leaves a connected node that is late, as long as its lease lasts',
      { heartbeatAt: NOW - 14_000, leaseUntil: NOW + 1 },
      LONG,
      false,
    ],
    [
      'declares a connected node dead when its lease ran out',
      { heartbeatAt: NOW - 15_001, leaseUntil: NOW - 1 },
      LONG,
      true,
    ],
    [
      'does not when it has not renewed its own for a whole lease',
      { heartbeatAt: NOW - 60_000, leaseUntil: NOW - 45_000 },
      14_999,
      false,
    ],
  ];
  it.each(cases)('%s', (_what, changes, steadyMs, isDead) => {
    expect(judged(changes, steadyMs).dead).toEqual(isDead ? ['other'] : []);
  });

  it('looks again when a node without a connection may be dead, not at the next heartbeat', () => {
    expect(judged({}).againInMs).toBe(1_000);
    expect(judged({ isConnected: false, heartbeatAt: NOW - 1_700 }).againInMs).toBe(301);
    expect(judged({ isConnected: false, heartbeatAt: NOW - 5_000 }, 1_500).againInMs).toBe(501);
  });
});
