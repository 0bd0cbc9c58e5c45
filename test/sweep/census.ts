import { ActivityStatements } from '../../lib/providers/typeorm/statements/activity-statements.js';
import { InstanceStatements } from '../../lib/providers/typeorm/statements/instance-statements.js';
import { JournalStatements } from '../../lib/providers/typeorm/statements/journal-statements.js';
import { LaneStatements } from '../../lib/providers/typeorm/statements/lane-statements.js';

const GROUPS = [InstanceStatements, JournalStatements, ActivityStatements, LaneStatements];
type Methods = Record<string, (...parameters: unknown[]) => unknown>;

/** Which statements of the product were asked for while `work` ran, and which were not. */
export async function census<R>(work: () => Promise<R>): Promise<{ result: R; asked: number; unasked: string[] }> {
  const asked = new Set<string>();
  const all: string[] = [];
  const restore: (() => void)[] = [];
  for (const group of GROUPS) {
    const methods = group.prototype as unknown as Methods;
    for (const name of Object.getOwnPropertyNames(methods).filter((own) => own !== 'constructor')) {
      const statement = methods[name]!;
      const label = `${group.name}.${name}`;
      all.push(label);
      methods[name] = function (this: unknown, ...parameters: unknown[]) {
        asked.add(label);
        return Reflect.apply(statement, this, parameters);
      };
      restore.push(() => (methods[name] = statement));
    }
  }
  try {
    const result = await work();
    return { result, asked: asked.size, unasked: all.filter((label) => !asked.has(label)) };
  } finally {
    for (const undo of restore) undo();
  }
}
