import { NodeDeclaredDeadError } from '../../core/errors.js';
import { isFinal } from '../../core/instance.js';
import { SUSPECT_AFTER_CRASHES } from '../../core/limits.js';
import type { NodeRegistration, TakeOver } from '../../provider/provider.js';
import { messageRow, type ActivityRow, type StoredInstance } from './rows.js';
import type { Tables } from './store.js';
import type { Transaction } from './transaction.js';

/** Again where the answer was lost: what is there stays as it is, lanes at their numbers. */
export async function join(tx: Transaction, tables: Tables, registration: NodeRegistration): Promise<void> {
  const { node, lanes, buildId, leaseUntil } = registration;
  await tx.insert('node', tables.nodes, [{ node, engine: false, buildId, leaseUntil }], 'nothing');
  const rows = Array.from({ length: lanes }, (_, lane) => ({ node, lane, seq: 0, verdicts: '[]' }));
  await tx.insert('lanes', tables.lanes, rows, 'nothing');
}

/** Declares nodes dead and takes back what they held; blames the suspect alone if there is one, else all they ran. */
export async function takeOver(
  tx: Transaction,
  tables: Tables,
  node: string,
  nodes: 'all-others' | readonly string[],
  now: number,
): Promise<TakeOver> {
  const me = await tx.update('become engine', tables.nodes, (row) => ({ ...row, engine: true }), { keys: [node] });
  if (me.length === 0) throw new NodeDeclaredDeadError(node);
  const others = await tx.select('other nodes', tables.nodes, (row) => row.node !== node);
  const isMeant = ({ node: name, engine, leaseUntil }: (typeof others)[number]): boolean =>
    nodes === 'all-others' ? engine || leaseUntil < now : nodes.includes(name);
  const dead = await removeNodes(tx, tables, new Set(others.filter(isMeant).map((row) => row.node)));
  if (dead.size === 0) return { nodes: [], activities: 0, instances: 0 };
  const { blamed, instances } = await countCrashes(tx, tables, dead, now);
  await askToContinue(tx, tables, dead);
  const taken = await takeBack(tx, tables, dead, !blamed);
  if (nodes === 'all-others') await adopt(tx, tables, node, dead, now);
  return { nodes: [...dead], activities: taken, instances };
}

/** Graceful: nothing is counted. */
export async function leave(tx: Transaction, tables: Tables, node: string): Promise<void> {
  const gone = await removeNodes(tx, tables, new Set([node]));
  if (gone.size === 0) return;
  await askToContinue(tx, tables, gone);
  await takeBack(tx, tables, gone, false);
  await tx.update('disown', tables.instances, (row) =>
    row.owner === node ? { ...row, owner: null, suspect: null } : undefined,
  );
}

/**
 * First of all: the lanes' locks wait for commits on their way, so that none of them comes in behind what follows. Whoever
 * removed a node is who takes its work: of two that do it at once, the second finds it gone.
 */
async function removeNodes(tx: Transaction, tables: Tables, gone: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  if (gone.size === 0) return gone;
  await tx.remove('lanes', tables.lanes, (row) => gone.has(row.node));
  return new Set((await tx.remove('nodes', tables.nodes, (row) => gone.has(row.node))).map(({ node }) => node));
}

async function countCrashes(
  tx: Transaction,
  tables: Tables,
  dead: ReadonlySet<string>,
  now: number,
): Promise<{ blamed: boolean; instances: number }> {
  const suspects = await tx.update('suspect instances', tables.instances, (row) =>
    isIn(dead, row.suspect) ? { ...row, crashes: row.crashes + 1, suspect: null } : undefined,
  );
  const activities = await tx.update('suspect activities', tables.activities, (row) =>
    isIn(dead, row.suspect) && row.node === row.suspect ? { ...row, crashes: row.crashes + 1 } : undefined,
  );
  if (suspects.length + activities.length > 0) return { blamed: true, instances: suspects.length };
  const ranThere = idsOf(tx.rows(tables.activities).filter((row) => isIn(dead, row.node)));
  const due = dueAt(tx, tables, now);
  const counted = await tx.update('count crashes', tables.instances, (row) => {
    const ran =
      row.held > 0 || row.messagesIn > row.messagesSeen || ranThere.has(row.instanceId) || due.has(row.instanceId);
    // A suspect runs only under its mark, so a crash without that mark was not its own.
    const counts = isOpen(row) && row.crashes < SUSPECT_AFTER_CRASHES && isIn(dead, row.owner) && ran;
    return counts ? { ...row, crashes: row.crashes + 1 } : undefined;
  });
  return { blamed: false, instances: counted.length };
}

/** What they held without a row, suspended instances included. */
async function askToContinue(tx: Transaction, tables: Tables, gone: ReadonlySet<string>): Promise<void> {
  const rows = await tx.update('ask to continue', tables.instances, (row) =>
    row.held > 0 && isIn(gone, row.owner) && !isFinal(row.status)
      ? { ...row, messagesIn: row.messagesIn + 1 }
      : undefined,
  );
  const messages = rows.map(({ instanceId, messagesIn }) => messageRow(instanceId, messagesIn, { kind: 'continue' }));
  await tx.insert('continue', tables.messages, messages);
}

async function takeBack(
  tx: Transaction,
  tables: Tables,
  gone: ReadonlySet<string>,
  isCounted: boolean,
): Promise<number> {
  const rows = await tx.update('take back', tables.activities, (row) => {
    if (!isIn(gone, row.node)) return undefined;
    const crashes = isCounted && row.crashes < SUSPECT_AFTER_CRASHES ? row.crashes + 1 : row.crashes;
    return { ...row, node: null, suspect: null, crashes };
  });
  return rows.length;
}

/** What will run next is this node's before its first turn there, so that a crash in that very turn counts. */
async function adopt(
  tx: Transaction,
  tables: Tables,
  node: string,
  dead: ReadonlySet<string>,
  now: number,
): Promise<void> {
  const active = idsOf(tx.rows(tables.activities));
  const due = dueAt(tx, tables, now);
  await tx.update('adopt', tables.instances, (row) => {
    const isFree = row.owner === null || dead.has(row.owner);
    const runs = row.messagesIn > row.messagesSeen || active.has(row.instanceId) || due.has(row.instanceId);
    return isOpen(row) && isFree && runs ? { ...row, owner: node } : undefined;
  });
}

const dueAt = (tx: Transaction, { timers }: Tables, now: number): ReadonlySet<string> =>
  idsOf(tx.rows(timers).filter(({ fireAt }) => fireAt <= now));
const idsOf = (rows: readonly Pick<ActivityRow, 'instanceId'>[]): ReadonlySet<string> =>
  new Set(rows.map(({ instanceId }) => instanceId));
const isIn = (nodes: ReadonlySet<string>, node: string | null): node is string => node !== null && nodes.has(node);
export const isOpen = ({ status }: StoredInstance): boolean => status === 'Pending' || status === 'Running';
