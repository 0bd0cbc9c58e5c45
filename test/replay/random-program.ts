import * as fc from 'fast-check';

/** A program as data: what fast-check shrinks and a failure prints. */
export type Node =
  | { readonly kind: 'activity'; readonly label: number; readonly ms: number; readonly fails: boolean }
  | { readonly kind: 'timer'; readonly ms: number; readonly moment: boolean }
  | { readonly kind: 'wait' | 'dequeue'; readonly name: string }
  | { readonly kind: 'child'; readonly ms: number; readonly fails: boolean }
  | { readonly kind: 'start'; readonly taken: boolean }
  | { readonly kind: 'note'; readonly how: Note }
  | { readonly kind: 'until'; readonly flags: number; readonly timeout: number | null }
  | { readonly kind: 'continue-as-new'; readonly awaited: boolean }
  | { readonly kind: Group; readonly nodes: readonly Node[] }
  | {
      readonly kind: 'select';
      readonly named: boolean;
      readonly keep: boolean;
      /** Milliseconds from the start of its candidates to the `select`: some have settled then. */
      readonly after: number;
      readonly nodes: readonly Node[];
    }
  | { readonly kind: 'pool'; readonly workers: number; readonly nodes: readonly Node[] }
  | { readonly kind: 'stream'; readonly take: number; readonly nodes: readonly Node[] }
  | { readonly kind: 'started-first'; readonly first: Node; readonly second: Node }
  | { readonly kind: 'attempt'; readonly body: Node; readonly rescue: Node; readonly last: Node | null }
  | { readonly kind: 'helper'; readonly ticks: number; readonly body: Node }
  | { readonly kind: 'loop'; readonly times: number; readonly body: Node }
  | { readonly kind: 'cancelled'; readonly after: number; readonly body: Node }
  | { readonly kind: 'unawaited' | 'shield' | 'shared'; readonly body: Node };

const NOTES = [
  'kv',
  'kv',
  'status',
  'effect',
  'chance',
  'time',
  'log',
  'kv-delete',
  'kv-clear',
  'bad-effect',
  'cancellation',
  'raise-flag',
] as const;
export type Note = (typeof NOTES)[number];

const GROUPS = ['sequence', 'sequence', 'all', 'join', 'race', 'any', 'allSettled'] as const;
export type Group = (typeof GROUPS)[number];

/** A program and what its world sends it, at moments of a virtual clock that starts at 0. */
export interface RandomCase {
  readonly node: Node;
  readonly messages: readonly {
    readonly what: 'event' | 'message' | 'cancel';
    readonly name: string;
    readonly at: number;
  }[];
}

const { constant, constantFrom, boolean, record, integer, option } = fc;
const ms = integer({ min: 0, max: 6 });
const fails = constantFrom(false, false, false, true);
const eventName = constantFrom('e', 'f');

/** The first is what everything shrinks to. */
const leaves: readonly fc.WeightedArbitrary<Node>[] = [
  {
    weight: 6,
    arbitrary: record({
      kind: constant('activity' as const),
      label: integer({ min: 0, max: 99 }),
      ms,
      fails,
    }),
  },
  { weight: 3, arbitrary: record({ kind: constant('timer' as const), ms, moment: boolean() }) },
  { weight: 3, arbitrary: record({ kind: constantFrom('wait' as const, 'dequeue' as const), name: eventName }) },
  { weight: 1, arbitrary: record({ kind: constant('child' as const), ms, fails }) },
  { weight: 1, arbitrary: record({ kind: constant('start' as const), taken: fails }) },
  { weight: 4, arbitrary: record({ kind: constant('note' as const), how: constantFrom(...NOTES) }) },
  {
    weight: 1,
    arbitrary: record({
      kind: constant('until' as const),
      flags: integer({ min: 0, max: 3 }),
      timeout: option(ms, { nil: null }),
    }),
  },
  { weight: 1, arbitrary: record({ kind: constant('continue-as-new' as const), awaited: boolean() }) },
];

const { node } = fc.letrec<{ node: Node }>((tie) => {
  const body = tie('node');
  const nodes = fc.array(body, { minLength: 1, maxLength: 4 });
  const count = integer({ min: 1, max: 3 });
  const compounds: readonly fc.WeightedArbitrary<Node>[] = [
    { weight: 7, arbitrary: record({ kind: constantFrom(...GROUPS), nodes }) },
    {
      weight: 2,
      arbitrary: record({ kind: constant('select' as const), named: boolean(), keep: boolean(), after: ms, nodes }),
    },
    { weight: 1, arbitrary: record({ kind: constant('pool' as const), workers: count, nodes }) },
    { weight: 1, arbitrary: record({ kind: constant('stream' as const), take: count, nodes }) },
    { weight: 1, arbitrary: record({ kind: constant('started-first' as const), first: body, second: body }) },
    {
      weight: 2,
      arbitrary: record({ kind: constant('attempt' as const), body, rescue: body, last: option(body, { nil: null }) }),
    },
    {
      weight: 2,
      arbitrary: record({ kind: constant('helper' as const), ticks: integer({ min: 0, max: 3 }), body }),
    },
    { weight: 1, arbitrary: record({ kind: constant('loop' as const), times: count, body }) },
    { weight: 1, arbitrary: record({ kind: constant('cancelled' as const), after: ms, body }) },
    {
      weight: 3,
      arbitrary: record({
        kind: constantFrom('unawaited' as const, 'shield' as const, 'shared' as const),
        body,
      }),
    },
  ];
  return {
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true, maxDepth: 5 },
      { weight: 5, arbitrary: fc.oneof({ withCrossShrink: true }, ...leaves) },
      ...compounds,
    ),
  };
});

export const randomCase: fc.Arbitrary<RandomCase> = record({
  node: fc.array(node, { minLength: 1, maxLength: 5 }).map((nodes): Node => ({ kind: 'sequence', nodes })),
  messages: fc.array(
    record({
      what: fc.oneof(
        { weight: 5, arbitrary: constant('event' as const) },
        { weight: 5, arbitrary: constant('message' as const) },
        { weight: 1, arbitrary: constant('cancel' as const) },
      ),
      name: eventName,
      at: integer({ min: 0, max: 20 }),
    }),
    { maxLength: 10 },
  ),
});

/** An outline to read: one line a node, what is inside it indented below. */
export function printed({ node: program, messages }: RandomCase): string {
  const lines = ['program', ...outline(program, '  ')];
  for (const { what, name, at } of messages)
    lines.push(`at ${at} ms: ${what === 'cancel' ? 'cancel' : `${what} ${JSON.stringify(name)}`}`);
  return lines.join('\n');
}

function outline(node: Node, indent: string, role = ''): string[] {
  const details: string[] = [];
  const inside: string[] = [];
  for (const [key, value] of Object.entries(node) as [string, unknown][]) {
    if (key === 'kind') continue;
    if (Array.isArray(value)) inside.push(...value.flatMap((each: Node) => outline(each, `${indent}  `)));
    else if (typeof value === 'object' && value !== null)
      inside.push(...outline(value as Node, `${indent}  `, key === 'body' ? '' : `${key}: `));
    else details.push(`${key}=${String(value)}`);
  }
  return [`${indent}${role}${[node.kind, ...details].join(' ')}`, ...inside];
}

/** The same program with something left out, or with a node in the place of what it stood in: the largest steps first. */
export function* smaller(node: Node): Generator<Node> {
  const inside: [string, Node | readonly Node[]][] = [];
  for (const [key, value] of Object.entries(node) as [string, unknown][])
    if (typeof value === 'object' && value !== null) inside.push([key, value as Node | readonly Node[]]);
  for (const [, value] of inside) yield* isList(value) ? value : [value];
  for (const [key, value] of inside) {
    const changed = (to: unknown): Node => ({ ...node, [key]: to }) as Node;
    if (key === 'last') yield changed(null);
    if (isList(value)) {
      for (const index of value.length > 1 ? value.keys() : []) yield changed(value.toSpliced(index, 1));
      for (const [index, each] of value.entries())
        for (const less of smaller(each)) yield changed(value.with(index, less));
    } else {
      for (const less of smaller(value)) yield changed(less);
    }
  }
}

const isList = (value: Node | readonly Node[]): value is readonly Node[] => Array.isArray(value);
