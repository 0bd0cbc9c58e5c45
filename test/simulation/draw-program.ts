import type { Random } from './chance.js';
import { NEVER, type Act, type Program, type Single, type Statement } from './program.js';

/** What the programs of one run are made of: few features at a time reach deeper than all of them. */
export interface Features {
  readonly random: Random;
  readonly deep: boolean;
  readonly flaky: boolean;
  /** Activities that end their process. */
  readonly deadly: boolean;
}

export function drawProgram(features: Features, id: string): Program {
  const { random } = features;
  const names = new Names(id, random);
  const statements = Array.from({ length: random.between(1, features.deep ? 8 : 4) }, () =>
    drawStatement(features, names, 2),
  );
  if (random.next() < 0.2) statements.push({ do: 'drain', queue: names.next('q'), per: random.between(1, 4) });
  if (random.next() < 0.15) statements.splice(random.between(0, statements.length), 0, { do: 'wait', name: NEVER });
  else if (random.next() < 0.25) statements.splice(random.between(0, statements.length), 0, { do: 'again' });
  return statements;
}

/** Names of one root program, so that no two of its waits or children meet by chance. */
class Names {
  private count = 0;
  constructor(
    private readonly id: string,
    private readonly random: Random,
  ) {}
  next(prefix: string): string {
    return `${prefix}${++this.count}-${this.id}`;
  }
  /** Now and then one that others want, too. */
  child(): string {
    if (this.random.next() < 0.15) return this.random.of(['shared1', 'shared2']);
    return `${this.id}.${++this.count}`;
  }
}

function drawStatement(features: Features, names: Names, depth: number): Statement {
  const { random } = features;
  const kind = random.of(KINDS);
  const key = random.of(['a', 'b', 'c']);
  switch (kind) {
    case 'all':
      return {
        do: 'all',
        branches: Array.from({ length: random.between(1, 4) }, () =>
          Array.from({ length: random.between(1, 2) }, () => drawSingle(features, names, depth - 1)),
        ),
      };
    case 'select':
    case 'race':
      return {
        do: kind,
        of: [
          random.next() < 0.5 ? drawAct(features) : { do: 'sleep', ms: random.between(0, 200) },
          ...Array.from({ length: random.between(1, 2) }, () => drawLoser(features, names, depth - 1)),
        ],
      };
    case 'give-up':
      return { do: 'give-up', what: drawLoser(features, names, depth - 1) };
    case 'kv':
      return {
        do: 'kv',
        op: random.of(['set', 'add', 'add', 'delete', 'clear', 'alias']),
        key,
        n: random.between(1, 9),
      };
    case 'status':
    case 'box':
      return { do: kind, n: random.between(1, 99) };
    default:
      return drawSingle(features, names, depth);
  }
}

const KINDS = [
  ...['act', 'act', 'act', 'act', 'single', 'single', 'single', 'single', 'all', 'all', 'select', 'select', 'race'],
  ...['give-up', 'kv', 'kv', 'kv', 'status', 'box'],
] as const;

function drawSingle(features: Features, names: Names, depth: number): Single {
  const { random } = features;
  const kind = random.of(depth > 0 ? SINGLES : LEAVES);
  switch (kind) {
    case 'sleep':
      return { do: 'sleep', ms: random.next() < 0.8 ? random.between(0, 300) : random.between(300, 8_000) };
    case 'wait':
      return { do: 'wait', name: names.next('e') };
    case 'child': {
      const explicit = random.next() < 0.5;
      const program = drawChild(features, names, depth, explicit);
      const onParentClose = random.of(['cancel', 'cancel', 'terminate', 'abandon'] as const);
      return { do: 'child', program, onParentClose, ...(explicit && { id: names.child() }) };
    }
    case 'detach': {
      const explicit = random.next() < 0.5;
      return {
        do: 'detach',
        program: drawChild(features, names, depth, explicit),
        ...(explicit && { id: names.child() }),
      };
    }
    default:
      return drawAct(features);
  }
}

const LEAVES = ['act', 'act', 'sleep', 'wait'] as const;
const SINGLES = [...LEAVES, 'child', 'child', 'detach'] as const;

/** Only a child whose id is known can be sent events. */
function drawChild(features: Features, names: Names, depth: number, explicit: boolean): Program {
  const { random } = features;
  const program: Statement[] = Array.from({ length: random.between(1, 3) }, () => {
    const single = drawSingle(features, names, depth - 1);
    return single.do === 'wait' && !explicit ? drawAct(features) : single;
  });
  if (random.next() < 0.1) program.push({ do: 'fail', n: random.between(1, 9) });
  else if (random.next() < 0.2) program.splice(random.between(0, program.length), 0, { do: 'again' });
  return program;
}

/** May never settle by itself: something else wins, or it is given up. */
function drawLoser(features: Features, names: Names, depth: number): Single {
  const { random } = features;
  switch (random.between(0, 4)) {
    case 0:
      return { do: 'wait', name: random.next() < 0.5 ? NEVER : names.next('o') };
    case 1:
      return { do: 'sleep', ms: random.between(0, 20_000) };
    case 2:
      if (depth > 0)
        return {
          do: 'child',
          program: [drawAct(features), { do: 'wait', name: NEVER }],
          onParentClose: random.of(['cancel', 'terminate'] as const),
          ...(random.next() < 0.3 && { id: names.child() }),
        };
      return drawAct(features);
    default:
      return { ...drawAct(features), ms: random.between(0, 3_000) };
  }
}

function drawAct({ random, flaky, deadly }: Features): Act {
  const maxAttempts = flaky && random.next() < 0.4 ? random.between(2, 4) : 1;
  return {
    do: 'act',
    n: random.between(0, 99),
    ms: random.next() < 0.5 ? 0 : random.between(1, random.next() < 0.8 ? 50 : 2_000),
    until: maxAttempts === 1 ? (flaky && random.next() < 0.1 ? 2 : 1) : random.between(1, maxAttempts + 1),
    maxAttempts,
    kills: deadly && random.next() < 0.2 ? random.between(1, 3) : 0,
  };
}
