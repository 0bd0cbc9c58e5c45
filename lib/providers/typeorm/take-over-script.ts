import { NodeDeclaredDeadError } from '../../core/errors.js';
import type { TakeOver } from '../../provider/provider.js';
import type { Row, Script } from './dialect.js';
import { messageCells } from './rows.js';
import type { Statements } from './statements/statements.js';

/** Takes back what dead nodes held, and blames: the suspect alone if the node had marked one, else all it ran (protocol 8). */
export function* takeOverScript(
  sql: Statements,
  node: string,
  nodes: 'all-others' | readonly string[],
  now: number,
): Script<TakeOver> {
  if ((yield sql.lanes.becomeEngine(node)).length === 0) throw new NodeDeclaredDeadError(node);
  const others = yield sql.lanes.otherNodes(node);
  const meant = others
    .filter((row) =>
      nodes === 'all-others'
        ? row['engine'] === 1 || (row['lease_until'] as number) < now
        : nodes.includes(row['node'] as string),
    )
    .map((row) => row['node'] as string);
  const dead = yield* removeNodes(sql, meant);
  if (dead.length === 0) return { nodes: [], activities: 0, instances: 0 };
  const list = JSON.stringify(dead);
  const suspects = yield sql.instances.countSuspectCrash(list);
  const blamed = suspects.length + (yield sql.activities.countSuspectCrash(list)).length > 0;
  const counted = blamed ? suspects : yield sql.instances.countCrash(list, now);
  yield* askToContinue(sql, list);
  const activities = yield blamed ? sql.activities.takeBackUncounted(list) : sql.activities.takeBack(list);
  if (nodes === 'all-others') yield sql.instances.adopt(node, list, now);
  return { nodes: dead, activities: activities.length, instances: counted.length };
}

/**
 * Lanes first: their locks wait for batches that are on their way, so that none comes in behind what is taken back. Who
 * removed the row of a node takes its work: of two at once, the second finds it gone.
 */
function* removeNodes(sql: Statements, nodes: readonly string[]): Script<string[]> {
  if (nodes.length === 0) return [];
  const list = JSON.stringify(nodes);
  yield sql.lanes.removeLanes(list);
  return (yield sql.lanes.removeNodes(list)).map((row) => row['node'] as string);
}

/** Graceful: nothing is counted. */
export function* leaveScript(sql: Statements, node: string): Script<void> {
  yield* removeNodes(sql, [node]);
  const list = JSON.stringify([node]);
  yield* askToContinue(sql, list);
  yield sql.activities.takeBackUncounted(list);
  yield sql.instances.disown(node);
}

/** A message to instances whose activities these nodes held without a row: their next turn gives the lost ones rows. */
function* askToContinue(sql: Statements, nodes: string): Script<void> {
  yield* addContinue(sql, yield sql.instances.countInLost(nodes));
}

function* addContinue(sql: Statements, rows: readonly Row[]): Script<void> {
  if (rows.length === 0) return;
  const cells = messageCells({ kind: 'continue' });
  yield sql.journal.addMessages(
    rows.map((row) => [row['instance_id'] as string, row['messages_in'] as number, ...cells]),
  );
}

/** Poisoned and limited instances need more than another build: they are left to an operator. */
const NEEDS_OPERATOR: ReadonlySet<unknown> = new Set(['ERR_DURABLE_POISONED', 'ERR_DURABLE_LIMIT']);

export function* resumeForBuildScript(sql: Statements, buildId: string, now: number): Script<number> {
  const suspended = yield sql.instances.engineSuspended();
  const ids = suspended
    .filter((row) => !NEEDS_OPERATOR.has(row['suspended_code']))
    .filter((row) => !(JSON.parse((row['failed_builds'] as string | null) ?? '[]') as string[]).includes(buildId))
    .map((row) => row['instance_id'] as string);
  if (ids.length === 0) return 0;
  // As after `resume`: what came due meanwhile is in no node's memory.
  const retried = yield sql.instances.retryOnBuild(now, JSON.stringify(ids));
  yield* addContinue(sql, retried);
  return retried.length;
}
