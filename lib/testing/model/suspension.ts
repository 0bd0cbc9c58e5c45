import { isFinal } from '../../core/instance.js';
import type { SuspendItem, Verdict } from '../../provider/batch.js';
import type { Commit } from './commit.js';
import { messageRow, type StoredInstance } from './rows.js';
import type { Tables } from './store.js';
import type { Transaction } from './transaction.js';

const MAX_FAILED_BUILDS = 8;
/** Poisoned and limited instances need more than another build. */
const NEEDS_OPERATOR: readonly string[] = ['ERR_DURABLE_POISONED', 'ERR_DURABLE_LIMIT'];

export async function suspend(commit: Commit): Promise<void> {
  const { tx, tables, batch } = commit;
  for (const [item, index] of commit.itemsOf('suspend')) {
    const [row] = await tx.update(
      'suspend',
      tables.instances,
      (it) => (mayBeSuspended(it, item) ? suspended(it, item, batch.now) : undefined),
      { keys: [item.instanceId] },
    );
    if (row !== undefined) continue;
    commit.verdicts[index] =
      item.generation === undefined ? await whyNot(commit, item.instanceId) : { kind: 'refused' };
  }
}

function mayBeSuspended(row: StoredInstance, { generation, expectedTurn, by }: SuspendItem): boolean {
  if ((generation ?? row.generation) !== row.generation || (expectedTurn ?? row.turn) !== row.turn) return false;
  // An operator's suspension is never turned into one by an engine, which another build would end.
  return !isFinal(row.status) && (by === 'operator' || row.status !== 'Suspended');
}

const suspended = (row: StoredInstance, { by, code, reason, buildId }: SuspendItem, now: number): StoredInstance => ({
  ...row,
  status: 'Suspended',
  owner: row.held > 0 ? row.owner : null,
  suspect: null,
  suspension: { by, code, reason },
  failedBuilds:
    buildId === null
      ? []
      : [...row.failedBuilds.filter((build) => build !== buildId), buildId].slice(-MAX_FAILED_BUILDS),
  updatedAt: now,
});

export async function resume(commit: Commit): Promise<void> {
  const { tx, tables, batch } = commit;
  for (const [{ instanceId }, index] of commit.itemsOf('resume')) {
    const [row] = await tx.update(
      'resume',
      tables.instances,
      (it) =>
        it.status === 'Suspended'
          ? { ...resumed(it, batch.now), failedBuilds: [], crashes: 0, suspect: null }
          : undefined,
      { keys: [instanceId] },
    );
    if (row === undefined) commit.verdicts[index] = await whyNot(commit, instanceId);
    else commit.post({ instanceId, message: { kind: 'continue' } });
  }
}

const resumed = (row: StoredInstance, now: number): StoredInstance => ({
  ...row,
  status: row.turn === 0 ? 'Pending' : 'Running',
  suspension: null,
  updatedAt: now,
});

/** What is already as it was asked to be is no trouble. */
async function whyNot({ tx, tables }: Commit, instanceId: string): Promise<Verdict> {
  const [row] = await tx.select('why not', tables.instances, (it) => it.instanceId === instanceId);
  if (row === undefined) return { kind: 'not-found' };
  return { kind: isFinal(row.status) ? 'finished' : 'accepted' };
}

export async function suspectInstance(commit: Commit): Promise<void> {
  const { tx, tables, node } = commit;
  for (const [{ instanceId, generation, expectedTurn }, index] of commit.itemsOf('suspect')) {
    const [row] = await tx.update(
      'suspect',
      tables.instances,
      (it) =>
        it.generation === generation && it.turn === expectedTurn && (it.status === 'Pending' || it.status === 'Running')
          ? { ...it, suspect: node }
          : undefined,
      { keys: [instanceId] },
    );
    if (row === undefined) commit.refuse(index);
  }
}

export async function resumeForBuild(tx: Transaction, tables: Tables, buildId: string, now: number): Promise<number> {
  const rows = await tx.update('resume for build', tables.instances, (row) =>
    row.suspension?.by === 'engine' &&
    !NEEDS_OPERATOR.includes(row.suspension.code) &&
    !row.failedBuilds.includes(buildId)
      ? { ...resumed(row, now), messagesIn: row.messagesIn + 1 }
      : undefined,
  );
  const messages = rows.map(({ instanceId, messagesIn }) => messageRow(instanceId, messagesIn, { kind: 'continue' }));
  await tx.insert('continue', tables.messages, messages);
  return rows.length;
}
