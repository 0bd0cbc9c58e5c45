import * as fc from 'fast-check';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import { cancelAt, enqueue, raise, type Program, type Script } from './support.js';

/** A program as data: what fast-check shrinks and a failure prints. */
export type Node =
  | { readonly kind: 'activity'; readonly label: number; readonly ms: number; readonly fails: boolean }
  | { readonly kind: 'timer'; readonly ms: number }
  | { readonly kind: 'wait' | 'dequeue'; readonly name: string }
  | { readonly kind: 'child' | 'start'; readonly ms: number; readonly fails: boolean }
  | { readonly kind: 'note'; readonly how: 'kv' | 'status' | 'effect' | 'chance' | 'delete' | 'raise-flag' }
  | { readonly kind: 'until'; readonly flags: number; readonly timeout: number | null }
  | { readonly kind: 'sequence' | 'all' | 'race' | 'any' | 'allSettled'; readonly nodes: readonly Node[] }
  | { readonly kind: 'select'; readonly named: boolean; readonly keep: boolean; readonly nodes: readonly Node[] }
  | { readonly kind: 'started-first'; readonly first: Node; readonly second: Node }
  | { readonly kind: 'attempt'; readonly body: Node; readonly rescue: Node; readonly last: Node | null }
  | { readonly kind: 'helper'; readonly ticks: number; readonly body: Node }
  | { readonly kind: 'loop'; readonly times: number; readonly body: Node }
  | { readonly kind: 'unawaited' | 'shield' | 'cancelled'; readonly body: Node };

export interface RandomCase {
  readonly node: Node;
  readonly messages: readonly {
    readonly what: 'event' | 'job' | 'cancel';
    readonly name: string;
    readonly at: number;
  }[];
}

const ms = fc.integer({ min: 0, max: 6 });
const label = fc.integer({ min: 0, max: 99 });
const eventName = fc.constantFrom('e', 'f');

const leaf: fc.Arbitrary<Node> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('activity' as const), label, ms, fails: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('timer' as const), ms }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('wait' as const, 'dequeue' as const), name: eventName }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('child' as const, 'start' as const), ms, fails: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('note' as const),
      how: fc.constantFrom(
        'kv' as const,
        'status' as const,
        'effect' as const,
        'chance' as const,
        'delete' as const,
        'raise-flag' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('until' as const),
      flags: fc.integer({ min: 0, max: 3 }),
      timeout: fc.option(ms),
    }),
  },
);

const { node } = fc.letrec<{ node: Node }>((tie) => {
  const few = fc.array(tie('node'), { minLength: 1, maxLength: 4 });
  const body = tie('node');
  return {
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true, maxDepth: 5 },
      { weight: 4, arbitrary: leaf },
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constantFrom(
            'sequence' as const,
            'sequence' as const,
            'all' as const,
            'race' as const,
            'any' as const,
            'allSettled' as const,
          ),
          nodes: few,
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('select' as const),
          named: fc.boolean(),
          keep: fc.boolean(),
          nodes: few,
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('started-first' as const), first: body, second: body }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('attempt' as const), body, rescue: body, last: fc.option(body) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('helper' as const), ticks: fc.integer({ min: 0, max: 3 }), body }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('loop' as const), times: fc.integer({ min: 1, max: 3 }), body }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constantFrom('unawaited' as const, 'shield' as const, 'cancelled' as const),
          body,
        }),
      },
    ),
  };
});

export const randomCase: fc.Arbitrary<RandomCase> = fc.record({
  node: fc.array(node, { minLength: 2, maxLength: 5 }).map((nodes): Node => ({ kind: 'sequence', nodes })),
  messages: fc.array(
    fc.record({
      what: fc.oneof(
        { weight: 5, arbitrary: fc.constant('event' as const) },
        { weight: 5, arbitrary: fc.constant('job' as const) },
        { weight: 1, arbitrary: fc.constant('cancel' as const) },
      ),
      name: eventName,
      at: fc.integer({ min: 0, max: 20 }),
    }),
    { maxLength: 10 },
  ),
});

export function scriptOf({ messages }: RandomCase): Script {
  const answer = (_label: number, _ms: number, fails: boolean): string => {
    if (fails) throw new Error('as asked');
    return 'fine';
  };
  return {
    activities: { work: answer },
    children: {
      Child: ([, fails]: [number, boolean]) => answer(0, 0, fails),
    },
    delay: (name, args) => {
      if (name === 'work') return Number(args[1]);
      const [input] = args;
      return Array.isArray(input) ? Number(input[0]) : 1;
    },
    messages: messages.map(({ what, name, at }, index) =>
      what === 'event' ? raise(at, name, index) : what === 'job' ? enqueue(at, name, index) : cancelAt(at),
    ),
  };
}

/** Every activity and the result tell what was observed before it, in which order: a difference shows in the next decision. */
export function programOf(node: Node): Program {
  return async (ctx) => {
    const walker = new Walker(ctx);
    try {
      await walker.walk(node);
    } finally {
      ctx.setCustomStatus(walker.observed);
    }
    return walker.observed;
  };
}

class Walker {
  readonly observed: string[] = [];
  private flags = 0;
  private serial = 0;

  constructor(private readonly ctx: OrchestrationContext) {}

  /** The very future where there is one: `select` and `cancel` treat futures and helpers differently. */
  walk(node: Node): Promise<unknown> {
    const promise = this.begin(node);
    // Programs may leave helpers unawaited; that they harm no process is tested elsewhere.
    promise.catch(() => undefined);
    return promise;
  }

  private begin(node: Node): Promise<unknown> {
    const { ctx } = this;
    switch (node.kind) {
      case 'activity':
        return ctx.scheduleActivity('work', [
          node.label,
          node.ms,
          node.fails,
          this.observed.length,
          this.observed.at(-1),
        ]);
      case 'timer':
        return ctx.scheduleTimer(node.ms);
      case 'wait':
        return ctx.scheduleWait(node.name);
      case 'dequeue':
        return ctx.dequeueEvent(node.name);
      case 'child':
        return ctx.scheduleSubOrchestration('Child', [node.ms, node.fails]);
      case 'start':
        return ctx.scheduleOrchestration('Child', [node.ms, node.fails]);
      default:
        return this.helper(node);
    }
  }

  private async see(node: Node): Promise<unknown> {
    try {
      const value = await this.walk(node);
      this.observed.push(`${node.kind} ${JSON.stringify(value) ?? 'nothing'}`);
      return value;
    } catch (error) {
      this.observed.push(`${node.kind} ${(error as Error).name}`);
      throw error;
    }
  }

  private async helper(node: Node): Promise<unknown> {
    const { ctx } = this;
    switch (node.kind) {
      case 'note':
        return this.note(node.how);
      case 'until': {
        const wanted = node.flags;
        return ctx.waitUntil(() => this.flags >= wanted, node.timeout === null ? {} : { timeout: node.timeout });
      }
      case 'sequence':
        for (const each of node.nodes) await this.see(each);
        return node.nodes.length;
      case 'all':
        return Promise.all(node.nodes.map((each) => this.see(each)));
      case 'race':
        return Promise.race(node.nodes.map((each) => this.see(each)));
      case 'any':
        return Promise.any(node.nodes.map((each) => this.walk(each)));
      case 'allSettled':
        return (await Promise.allSettled(node.nodes.map((each) => this.walk(each)))).map(({ status }) => status);
      case 'select':
        return this.select(node.nodes, node.named, node.keep);
      case 'started-first': {
        const first = this.walk(node.first);
        const second = this.walk(node.second);
        return [await second, await first];
      }
      case 'attempt':
        try {
          return await this.see(node.body);
        } catch {
          return await this.see(node.rescue);
        } finally {
          if (node.last !== null) await this.see(node.last);
        }
      case 'helper': {
        for (let tick = 0; tick < node.ticks; tick++) await Promise.resolve();
        return this.see(node.body);
      }
      case 'loop':
        for (let n = 0; n < node.times; n++) await this.see(node.body);
        return node.times;
      case 'unawaited':
        this.see(node.body).catch(() => undefined);
        return 'not awaited';
      case 'shield':
        return ctx.shield(() => this.see(node.body));
      case 'cancelled': {
        const future = this.walk(node.body);
        await ctx.scheduleTimer(2);
        if ('cancel' in future) (future as ReturnType<OrchestrationContext['scheduleTimer']>).cancel('by the program');
        return future;
      }
      default:
        return undefined;
    }
  }

  private select(nodes: readonly Node[], named: boolean, keep: boolean): Promise<unknown> {
    const futures = nodes.map((each) => this.walk(each));
    if (!named) return this.ctx.select(keep ? futures.map((each) => this.ctx.keep(each)) : futures);
    return this.ctx.select(Object.fromEntries(futures.map((each, index) => [`f${index}`, each])));
  }

  private note(how: (Node & { kind: 'note' })['how']): unknown {
    const { ctx } = this;
    switch (how) {
      case 'kv':
        ctx.kv.set(`k${this.observed.length % 3}`, this.serial++);
        return ctx.kv.entries();
      case 'delete':
        ctx.kv.delete('k1');
        return ctx.kv.keys();
      case 'status':
        return ctx.setCustomStatus(this.observed.length);
      case 'effect':
        return ctx.sideEffect(() => this.observed.length);
      case 'chance':
        return [ctx.newGuid(), ctx.random(), ctx.utcNow().getTime()];
      case 'raise-flag':
        return ++this.flags;
    }
  }
}
