import { isFinal } from '../../core/instance.js';
import type { ActivityClaim, BatchItem } from '../../provider/batch.js';
import type { Commit } from './commit.js';
import { activityRow, byCodePoint, claimedActivityOf, lifeOf, scheduleKey, type ActivityRow } from './rows.js';
import type { Change } from './transaction.js';

type Claiming = Extract<BatchItem, ActivityClaim>['kind'];

/** Rows for what the node held without: fenced like a turn, but for suspended instances too. */
export async function keepActivities(commit: Commit): Promise<void> {
  const { tx, tables, node } = commit;
  const asked = new Map(commit.itemsOf('keep-activities').map(([item, index]) => [lifeOf(item), { item, index }]));
  if (asked.size === 0) return;
  const kept = await tx.update(
    'keep',
    tables.instances,
    (row) => {
      const item = asked.get(lifeOf(row))?.item;
      if (item === undefined || row.turn !== item.expectedTurn || row.owner !== node) return undefined;
      if (row.held === 0 || isFinal(row.status)) return undefined;
      return { ...row, held: 0, turn: row.turn + 1, owner: row.status === 'Suspended' ? null : node };
    },
    { keys: [...new Set([...asked.values()].map(({ item }) => item.instanceId))].sort(byCodePoint) },
  );
  const lives = new Set(kept.map(lifeOf));
  const rows: ActivityRow[] = [];
  for (const [life, { item, index }] of asked) {
    if (lives.has(life)) rows.push(...item.activities.map((activity) => activityRow(item, activity, node)));
    else commit.refuse(index);
  }
  await tx.insert('kept activities', tables.activities, rows);
}

export async function completeActivities(commit: Commit): Promise<void> {
  for (const item of await forClaims(commit, 'complete-activity', () => null)) {
    const { instanceId, generation, message } = item;
    commit.post({ instanceId, generation, message });
  }
}

/** After completions and messages: rows closed and added by turns, then what happens to claims. */
export async function commitActivities(commit: Commit): Promise<void> {
  const { tx, tables, turns, node } = commit;
  const closed = turns.flatMap((turn) => turn.closedActivities.map((key) => scheduleKey(turn.instanceId, key)));
  await tx.remove('closed activities', tables.activities, () => true, closed);
  const added = turns.flatMap((turn) => turn.activities.map((activity) => activityRow(turn, activity, node)));
  await tx.insert('activities', tables.activities, added);
  await forClaims(commit, 'retry-activity', (row, { dueAt, failure }) => ({
    ...row,
    attempt: row.attempt + 1,
    crashes: 0,
    node: null,
    suspect: null,
    dueAt,
    lastFailure: JSON.stringify(failure),
  }));
  await forClaims(commit, 'suspect-activity', (row) => ({ ...row, suspect: node }));
  await forClaims(commit, 'release-activity', (row) => ({ ...row, node: null, suspect: null }));
}

/** Whatever happens to a claim is decided by the claim: generation, number and node. The items that came through. */
async function forClaims<K extends Claiming>(
  commit: Commit,
  kind: K,
  change: (row: ActivityRow, item: Extract<BatchItem, { kind: K }>) => ActivityRow | null,
): Promise<Extract<BatchItem, { kind: K }>[]> {
  const done: Extract<BatchItem, { kind: K }>[] = [];
  for (const [item, index] of commit.itemsOf(kind)) {
    const { instanceId, generation, claim: number } = item as ActivityClaim;
    const guarded: Change<ActivityRow> = (row) =>
      row.generation === generation && row.claim === number && row.node === commit.node ? change(row, item) : undefined;
    let isDeleted = false;
    const changed = await commit.tx.update(kind, commit.tables.activities, guarded, {
      keys: [scheduleKey(instanceId, item as ActivityClaim)],
      onDelete: () => (isDeleted = true),
    });
    if (isDeleted || changed.length === 1) done.push(item);
    else commit.refuse(index);
  }
  return done;
}

/** Last of all, so that nothing is claimed that this batch takes away. */
export async function claimActivities(commit: Commit): Promise<void> {
  const { tx, tables, node, batch, verdicts } = commit;
  for (const [item, index] of commit.itemsOf('claim-activities')) {
    const [names, tags] = [new Set(item.names), new Set(item.tags)];
    const claimed = await tx.update(
      'claim',
      tables.activities,
      (row) =>
        row.node === null && row.dueAt <= batch.now && names.has(row.name) && (row.tag === null || tags.has(row.tag))
          ? { ...row, node, claim: row.claim + 1 }
          : undefined,
      { order: (a, b) => a.dueAt - b.dueAt, limit: item.limit, skipLocked: true },
    );
    verdicts[index] = { kind: 'claimed', activities: claimed.map(claimedActivityOf) };
  }
}
