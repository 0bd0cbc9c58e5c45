import type { Plan } from './plan.js';
import { simulate, type Outcome } from './simulate.js';

/** Enough of what failed to know it again: the invariant, not whom it met. */
export const kindOf = ({ problems }: Outcome): string =>
  /\b[A-Z]{1,2}-?\d+\b/.exec(problems[0] ?? '')?.[0] ?? problems[0] ?? '';

const MAX_RUNS = 150;

/** A smaller plan that breaks the same invariant: fewer incidents, instances, nodes, statements and kinds of faults. */
export async function shrink(failing: Outcome): Promise<Outcome> {
  const kind = kindOf(failing);
  let best = failing;
  let runs = 0;
  const fails = async (plan: Plan): Promise<boolean> => {
    if (++runs > MAX_RUNS) return false;
    const outcome = await simulate(plan);
    if (outcome.problems.length === 0 || kindOf(outcome) !== kind) return false;
    best = outcome;
    return true;
  };
  for (let smaller = true; smaller && runs <= MAX_RUNS;) {
    smaller = false;
    for (const plan of smallerPlans(best.plan))
      if (await fails(plan)) {
        smaller = true;
        break;
      }
  }
  return best;
}

/** The largest steps first. */
function* smallerPlans(plan: Plan): Generator<Plan> {
  const { incidents, instances, nodes, faults } = plan;
  if (incidents.length > 1) yield { ...plan, incidents: [] };
  for (const list of without(instances)) if (list.length > 0) yield { ...plan, instances: list };
  for (const list of without(incidents)) yield { ...plan, incidents: list };
  for (const kind of ['before', 'after', 'twice', 'slow'] as const)
    if (faults[kind] > 0) yield { ...plan, faults: { ...faults, [kind]: 0 } };
  for (const list of without(nodes))
    if (list.some(({ engine }) => engine))
      yield { ...plan, nodes: list, incidents: incidents.filter(({ node }) => list.some(({ name }) => name === node)) };
  for (const [index, instance] of instances.entries()) {
    const replaced = (smaller: object): Plan => ({
      ...plan,
      instances: instances.map((one, at) => (at === index ? { ...instance, ...smaller } : one)),
    });
    for (const extra of ['rival', 'again', 'suspend', 'end'] as const)
      if (instance[extra] !== undefined) yield replaced({ [extra]: undefined });
    for (const program of without(instance.program)) yield replaced({ program });
  }
}

function* without<T>(list: readonly T[]): Generator<T[]> {
  for (const index of list.keys()) yield list.filter((_, at) => at !== index);
}
