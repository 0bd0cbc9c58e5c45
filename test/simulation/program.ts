/** What a simulated orchestration does, as data: what may come of it can be worked out beforehand. */
export type Statement =
  | Single
  | { readonly do: 'all'; readonly branches: readonly Program[] }
  /** Losers are cancelled. */
  | { readonly do: 'select'; readonly of: readonly Single[] }
  /** Native: losers go on. */
  | { readonly do: 'race'; readonly of: readonly Single[] }
  /** Made and cancelled by hand. */
  | { readonly do: 'give-up'; readonly what: Single }
  | {
      readonly do: 'kv';
      readonly op: 'set' | 'add' | 'delete' | 'clear' | 'alias';
      readonly key: string;
      readonly n: number;
    }
  | { readonly do: 'status'; readonly n: number }
  /** A side effect whose value must come back as data. */
  | { readonly do: 'box'; readonly n: number }
  | { readonly do: 'fail'; readonly n: number }
  /** Continue as new; the rest runs in the next execution. Only at the top. */
  | { readonly do: 'again' }
  /** Messages of a queue until -1, continuing as new after every `per`. Only at the top. */
  | { readonly do: 'drain'; readonly queue: string; readonly per: number };

/** What one future stands for. */
export type Single =
  | Act
  | { readonly do: 'sleep'; readonly ms: number }
  | { readonly do: 'wait'; readonly name: string }
  | {
      readonly do: 'child';
      readonly program: Program;
      readonly onParentClose: 'cancel' | 'terminate' | 'abandon';
      readonly id?: string;
    }
  | { readonly do: 'detach'; readonly program: Program; readonly id?: string };

export interface Act {
  readonly do: 'act';
  readonly n: number;
  readonly ms: number;
  /** Attempts before this one fail. */
  readonly until: number;
  readonly maxAttempts: number;
  /** Runs of it that end their process, before the first that does not. */
  readonly kills: number;
}

export type Program = readonly Statement[];

/** What an execution starts with. */
export interface ProgramInput {
  readonly program: Program;
  /** What the statements before it came to. */
  readonly values: readonly unknown[];
  /** Of a queue that is being drained. */
  readonly taken?: readonly number[];
}

/** The pure function every activity computes. */
export const outcomeOf = (n: number): number => n * 3 + 1;

export function* statementsOf(program: Program): Generator<Statement> {
  for (const statement of program) {
    yield statement;
    if (statement.do === 'all') for (const branch of statement.branches) yield* statementsOf(branch);
    else if (statement.do === 'select' || statement.do === 'race') yield* statementsOf(statement.of);
    else if (statement.do === 'give-up') yield* statementsOf([statement.what]);
  }
}

/** How often plain waits of each name need an event; those in a `select` may do without. */
export function waitsOf(program: Program): Map<string, number> {
  const needed = new Map<string, number>();
  const count = (statements: Program): void => {
    for (const statement of statements) {
      if (statement.do === 'wait') needed.set(statement.name, (needed.get(statement.name) ?? 0) + 1);
      else if (statement.do === 'all') statement.branches.forEach(count);
    }
  };
  count(program);
  return needed;
}

export const queuesOf = (program: Program): string[] =>
  program.flatMap((statement) => (statement.do === 'drain' ? [statement.queue] : []));

/** It waits for what nobody sends: somebody must end it. */
export const isEndless = (program: Program): boolean => [...waitsOf(program).keys()].includes(NEVER);

/** The name of an event nobody raises. */
export const NEVER = 'never';
