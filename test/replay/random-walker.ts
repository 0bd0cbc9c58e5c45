import type { OrchestrationContext } from '../../lib/replay/index.js';
import type { Node, Note, RandomCase } from './random-program.js';
import { cancelAt, enqueue, raise, type Program, type Script } from './support.js';

/** Executions a program may have: the last one does not continue as new. */
const MAX_EXECUTIONS = 3;

/** What one performance or replay of a program is told, and tells. */
export interface Surroundings {
  /** How often the function of a side effect ran: its value, so that it differs whenever it is asked again. */
  effects: number;
  /** What the code of each execution saw, in order. */
  readonly seen: Map<number, readonly string[]>;
}

export const surroundings = (effects = 0): Surroundings => ({ effects, seen: new Map() });

export function scriptOf({ messages }: RandomCase): Script {
  const answer = (value: string, fails: boolean): string => {
    if (fails) throw new Error('as asked', { cause: new RangeError('deeper') });
    return value;
  };
  return {
    activities: { work: (label: number, _ms: number, fails: boolean) => answer(`work ${label}`, fails) },
    children: { Child: ([ms, fails]: [number, boolean]) => answer(`child ${ms}`, fails) },
    taken: ['taken'],
    delay: (name, args) => {
      if (name === 'work') return Number(args[1]);
      const [input] = args;
      return Array.isArray(input) ? Number(input[0]) : 1;
    },
    messages: messages.map(({ what, name, at }, index) =>
      what === 'event' ? raise(at, name, index) : what === 'message' ? enqueue(at, name, index) : cancelAt(at),
    ),
  };
}

/**
 * The code of a program. Every activity and the result tell what was observed before them, in which order: a difference
 * shows in the next decision.
 */
export function programOf(node: Node, around: Surroundings): Program {
  return async (ctx) => {
    const walker = new Walker(ctx, around);
    around.seen.set(ctx.executionId, walker.observed);
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
  /** Of everything observed so far. */
  private digest = 0;

  constructor(
    private readonly ctx: OrchestrationContext,
    private readonly around: Surroundings,
  ) {}

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
        return ctx.scheduleActivity('work', [node.label, node.ms, node.fails, this.observed.length, this.digest]);
      case 'timer':
        return ctx.scheduleTimer(node.moment ? new Date(ctx.utcNow().getTime() + node.ms) : node.ms);
      case 'wait':
        return ctx.scheduleWait(node.name);
      case 'dequeue':
        return ctx.dequeueEvent(node.name);
      case 'child':
        return ctx.scheduleSubOrchestration('Child', [node.ms, node.fails]);
      case 'start':
        return ctx.scheduleOrchestration('Child', this.digest, node.taken ? { instanceId: 'taken' } : {});
      default:
        return this.helper(node);
    }
  }

  private async see(node: Node): Promise<unknown> {
    try {
      const value = await this.walk(node);
      this.observe(`${node.kind} ${JSON.stringify(value) ?? 'nothing'}`);
      return value;
    } catch (error) {
      this.observe(`${node.kind} ${String(error)}`);
      throw error;
    }
  }

  private observe(what: string): void {
    this.observed.push(what);
    for (let index = 0; index < what.length; index++) this.digest = (this.digest * 31 + what.charCodeAt(index)) | 0;
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
      case 'continue-as-new': {
        if (ctx.executionId >= MAX_EXECUTIONS) return 'the last execution';
        const end = ctx.continueAsNew(this.digest);
        return node.awaited ? end : 'not awaited';
      }
      case 'sequence':
        for (const each of node.nodes) await this.see(each);
        return node.nodes.length;
      case 'all':
        return Promise.all(node.nodes.map((each) => this.see(each)));
      case 'join':
        return ctx.join(node.nodes.map((each) => this.walk(each)));
      case 'race':
        return Promise.race(node.nodes.map((each) => this.see(each)));
      case 'any':
        return Promise.any(node.nodes.map((each) => this.walk(each)));
      case 'allSettled':
        return (await Promise.allSettled(node.nodes.map((each) => this.walk(each)))).map(({ status }) => status);
      case 'select':
        return this.select(node);
      case 'pool':
        return this.pool(node.nodes, node.workers);
      case 'stream':
        return this.stream(node.nodes, node.take);
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
      case 'shared': {
        const one = this.walk(node.body);
        return Promise.all([one, one.then((value) => this.observe(`then ${JSON.stringify(value)}`)), one]);
      }
      case 'shield':
        return ctx.shield(() => this.see(node.body));
      case 'cancelled': {
        const future = this.walk(node.body);
        await ctx.scheduleTimer(node.after);
        if ('cancel' in future) (future as ReturnType<OrchestrationContext['scheduleTimer']>).cancel('by the program');
        return future;
      }
      default:
        return undefined;
    }
  }

  private async select({ nodes, named, keep, after }: Node & { kind: 'select' }): Promise<unknown> {
    const futures = nodes.map((each) => this.walk(each));
    if (after > 0) await this.ctx.scheduleTimer(after);
    if (!named) return this.ctx.select(keep ? futures.map((each) => this.ctx.keep(each)) : futures);
    return this.ctx.select(Object.fromEntries(futures.map((each, index) => [`f${index}`, each])));
  }

  /** One iterator that several helpers draw from, over as many turns as they take. */
  private async pool(nodes: readonly Node[], workers: number): Promise<unknown> {
    const rest = nodes.entries();
    const work = async (): Promise<number[]> => {
      const taken: number[] = [];
      for (const [index, each] of rest) {
        taken.push(index);
        await this.see(each);
      }
      return taken;
    };
    return Promise.all(Array.from({ length: workers }, work));
  }

  /** An asynchronous iterator that is left early: its clean-up runs too. */
  private async stream(nodes: readonly Node[], take: number): Promise<unknown> {
    const results = async function* (this: Walker): AsyncGenerator<unknown> {
      try {
        for (const each of nodes) yield await this.see(each);
      } finally {
        await this.see({ kind: 'activity', label: take, ms: 1, fails: false });
      }
    };
    const values: unknown[] = [];
    for await (const value of results.call(this)) {
      values.push(value);
      if (values.length === take) break;
    }
    return values;
  }

  private note(how: Note): unknown {
    const { ctx } = this;
    switch (how) {
      case 'kv':
        ctx.kv.set(`k${this.serial % 2}`, this.serial++);
        return ctx.kv.entries();
      case 'kv-delete':
        ctx.kv.delete('k0');
        return ctx.kv.keys();
      case 'kv-clear':
        ctx.kv.clear();
        return ctx.kv.get('k0');
      case 'status':
        return ctx.setCustomStatus(this.observed.length);
      case 'effect':
        return ctx.sideEffect(() => this.around.effects++);
      case 'bad-effect':
        return ctx.sideEffect(() => {
          throw new Error(`effect ${this.around.effects++}`);
        });
      case 'chance':
        return [ctx.newGuid(), ctx.random()];
      case 'time':
        return ctx.utcNow();
      case 'log':
        return ctx.log.log(`after ${this.observed.length}`, { digest: this.digest });
      case 'cancellation':
        ctx.cancellation.throwIfRequested();
        return ctx.cancellation.requested;
      case 'raise-flag':
        return ++this.flags;
    }
  }
}
