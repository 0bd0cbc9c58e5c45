import type { ConformanceCase, ConformanceFixture } from './fixture.js';
import { Node, persistently } from './node.js';

/** The store of a case, and the processes on it. */
export class World {
  constructor(readonly fixture: ConformanceFixture) {}

  /** A process of its own that has joined, with a provider of its own. */
  async node(name: string, settings: { readonly lanes?: number; readonly leaseUntil?: number } = {}): Promise<Node> {
    const provider = await this.fixture.provider();
    const { lanes = 1, leaseUntil = 10_000 } = settings;
    await persistently(() => provider.join({ node: name, lanes, buildId: 'build', now: 1_000, leaseUntil }));
    return new Node(name, provider);
  }

  /** One that runs instances, not only a client. */
  async engine(name: string): Promise<Node> {
    const node = await this.node(name);
    await node.takeOver([]);
    return node;
  }
}

export type Body = (world: World) => Promise<void>;

/** Cases of one theme, by name. */
export const theme = (
  name: string,
  bodies: Readonly<Record<string, Body>>,
  skip: ConformanceCase['skip'] = neverSkipped,
) =>
  Object.entries(bodies).map(([title, body]): ConformanceCase => ({
    theme: name,
    name: title,
    skip,
    run: (fixture) => body(new World(fixture)),
  }));

function neverSkipped(): undefined {}

/** One case for each row: every row of such a table is something that can break by itself. */
export const table = <T>(rows: readonly T[], name: (row: T) => string, body: (world: World, row: T) => Promise<void>) =>
  Object.fromEntries(rows.map((row): [string, Body] => [name(row), (world) => body(world, row)]));

export const sorted = (values: Iterable<string>): string[] => [...values].sort();
export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
