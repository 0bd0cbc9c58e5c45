import type { TurnItem } from '../../provider/batch.js';
import type { Commit } from './commit.js';
import { keyOf, scheduleKey, type KvRow, type StoredInstance } from './rows.js';

/** What accepted turns append and use up. */
export async function appendTurns({ tx, tables, turns }: Commit): Promise<void> {
  if (turns.length === 0) return;
  const of = new Map(turns.map((turn) => [turn.instanceId, turn]));
  await tx.update('custom status', tables.instances, (row) => described(row, of.get(row.instanceId)!), {
    keys: [...of.keys()],
  });
  const appended = turns.flatMap(({ instanceId, history }) =>
    history === undefined ? [] : [{ instanceId, ...history }],
  );
  await tx.insert('history', tables.history, appended);
  const consumed = turns.flatMap((turn) => turn.consumed.map((seq) => keyOf(turn.instanceId, seq)));
  await tx.remove('consumed', tables.messages, () => true, consumed);
  const closed = turns.flatMap((turn) => turn.closedTimers.map((key) => scheduleKey(turn.instanceId, key)));
  await tx.remove('closed timers', tables.timers, () => true, closed);
  const timers = turns.flatMap(({ instanceId, timers: added }) => added.map((timer) => ({ ...timer, instanceId })));
  await tx.insert('timers', tables.timers, timers);
  for (const turn of turns) await putKv(turn, { tx, tables });
}

function described(row: StoredInstance, { customStatus, changes }: TurnItem): StoredInstance | undefined {
  if (customStatus === undefined && changes === undefined) return undefined;
  return { ...row, customStatus: customStatus ?? row.customStatus, ...changes };
}

/** The first write of an execution keeps what was there before it: a replay starts from that. */
async function putKv(turn: TurnItem, { tx, tables }: Pick<Commit, 'tx' | 'tables'>): Promise<void> {
  const { instanceId } = turn;
  const executionId = turn.history?.executionId ?? turn.executionId;
  for (const { key, value } of turn.kv) {
    const row: KvRow = { instanceId, key, value, base: null, executionId };
    if ((await tx.insert('kv', tables.kv, [row], 'nothing')).length === 1) continue;
    const rebased = (old: KvRow): KvRow => ({ ...row, base: old.executionId < executionId ? old.value : old.base });
    await tx.update('kv', tables.kv, rebased, { keys: [keyOf(instanceId, key)] });
  }
}

/** The row keeps what callers ask for, history and KV stay; what could still happen to it is gone. */
export async function endInstances({ tx, tables, turns, batch }: Commit): Promise<void> {
  const endings = new Map(
    turns.flatMap(({ instanceId, ending }) => (ending === undefined ? [] : [[instanceId, ending] as const])),
  );
  if (endings.size === 0) return;
  await tx.update(
    'end',
    tables.instances,
    (row): StoredInstance => {
      const ending = endings.get(row.instanceId)!;
      const output = ending.status === 'Completed' ? ending.output : null;
      const failure = ending.status === 'Completed' ? null : JSON.stringify(ending.failure);
      return { ...row, output, failure, endedAt: batch.now };
    },
    { keys: [...endings.keys()] },
  );
  const ofThem = ({ instanceId }: { readonly instanceId: string }): boolean => endings.has(instanceId);
  await tx.remove('messages of the ended', tables.messages, ofThem);
  await tx.remove('timers of the ended', tables.timers, ofThem);
  await tx.remove('activities of the ended', tables.activities, ofThem);
}
