import { isDeepStrictEqual } from 'node:util';
import { outcomeOf, type Program, type Single, type Statement } from './program.js';

/** KV as the statements so far leave it: reading it back is part of a value. */
type Kv = Map<string, number>;

/** What an instance's output must be, where races leave a choice: one of what may be. Yields what it cannot be. */
export function* problemsOfOutput(program: Program, output: unknown): Generator<string> {
  yield* problemsOfSequence(program, output, new Map(), 'output');
}

function* problemsOfSequence(program: Program, values: unknown, kv: Kv, where: string): Generator<string> {
  if (!Array.isArray(values) || values.length !== program.length)
    return yield `${where} is ${JSON.stringify(values)}, for ${program.length} statements`;
  for (const [index, statement] of program.entries())
    yield* problemsOf(statement, values[index] as unknown, kv, `${where}[${index}] (${statement.do})`);
}

function* problemsOf(statement: Statement, value: unknown, kv: Kv, where: string): Generator<string> {
  const must = (expected: unknown): string[] =>
    isDeepStrictEqual(value, expected)
      ? []
      : [`${where} is ${JSON.stringify(value)} instead of ${JSON.stringify(expected)}`];
  switch (statement.do) {
    case 'all': {
      if (!Array.isArray(value) || value.length !== statement.branches.length)
        return yield `${where} is ${JSON.stringify(value)}`;
      for (const [index, branch] of statement.branches.entries())
        yield* problemsOfSequence(branch, value[index], new Map(), `${where}[${index}]`);
      return;
    }
    case 'select':
    case 'race': {
      const { winner, value: won, error } = value as { winner?: number; value?: unknown; error?: string };
      if (statement.do === 'select' && error !== undefined) {
        const may = statement.of.some((single) => [...problemsOf(single, value, kv, where)].length === 0);
        if (!may) yield `${where} failed with ${error}, which none of it can`;
        return;
      }
      const single = statement.of[winner ?? -1];
      if (single === undefined) yield `${where} is ${JSON.stringify(value)}`;
      else yield* problemsOf(single, won, kv, `${where} won by ${winner}`);
      return;
    }
    case 'give-up':
      if (isDeepStrictEqual(value, { error: 'ERR_DURABLE_FUTURE_CANCELLED' })) return;
      return yield* problemsOf(statement.what, value, kv, where);
    case 'kv':
      return yield* must(afterKv(statement, kv));
    case 'status':
      return yield* must(null);
    case 'box':
      return yield* must({ travelled: true, n: statement.n, guid: 36 });
    case 'again':
      return yield* must('again');
    case 'drain':
      if (!Array.isArray(value)) yield `${where} is ${JSON.stringify(value)}`;
      return;
    case 'fail':
      return yield `${where} was passed`;
    default:
      return yield* problemsOfSingle(statement, value, where);
  }
}

function* problemsOfSingle(single: Single, value: unknown, where: string): Generator<string> {
  const wrong = `${where} is ${JSON.stringify(value)}`;
  const { error } = (value ?? {}) as { error?: unknown };
  switch (single.do) {
    case 'act': {
      const expected =
        single.until > single.maxAttempts
          ? { error: 'ERR_DURABLE_ACTIVITY_FAILED' }
          : { n: outcomeOf(single.n), attempt: single.until };
      if (!isDeepStrictEqual(value, expected)) yield `${wrong} instead of ${JSON.stringify(expected)}`;
      return;
    }
    case 'sleep':
      if (value !== null) yield wrong;
      return;
    case 'wait':
      if (typeof value !== 'number') yield wrong;
      return;
    case 'child': {
      const fails = single.program.some((statement) => statement.do === 'fail');
      if (fails || error !== undefined) {
        const may = fails || single.id !== undefined;
        if (!may || error !== 'ERR_DURABLE_SUB_ORCHESTRATION_FAILED') yield wrong;
        return;
      }
      return yield* problemsOfSequence(single.program, value, new Map(), where);
    }
    case 'detach':
      if (
        single.id === undefined
          ? typeof value !== 'string'
          : value !== single.id && error !== 'ERR_DURABLE_INSTANCE_EXISTS'
      )
        yield wrong;
      return;
  }
}

function afterKv({ op, key, n }: Extract<Statement, { do: 'kv' }>, kv: Kv): number | null {
  if (op === 'set') kv.set(key, n);
  else if (op === 'add') kv.set(key, (kv.get(key) ?? 0) + n);
  else if (op === 'delete') kv.delete(key);
  else if (op === 'clear') kv.clear();
  else return n;
  return kv.get(key) ?? null;
}
