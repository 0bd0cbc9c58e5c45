import { idempotencyKey } from '../../lib/replay/index.js';
import { Clients } from './clients.js';
import { problemsOfEnd } from './end.js';
import { fateOf, NO_FAULTS, type CallFaults } from './faults.js';
import { isFinal } from './invariants.js';
import { Ledger } from './ledger.js';
import type { Life } from './life.js';
import { SimulatedNode } from './node.js';
import { Observer } from './observer.js';
import type { Incident, Plan } from './plan.js';
import type { EngineLock, Surroundings } from './simulated-provider.js';
import type { SimulatedStore } from './store.js';
import { openStore } from './stores.js';
import { World } from './world.js';

export interface Outcome {
  readonly plan: Plan;
  /** Empty: everything held. The first is what the others may follow from. */
  readonly problems: readonly string[];
  readonly digest: string;
  readonly steps: number;
  readonly virtualMs: number;
  readonly traceEnd: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
  /** The rows of the instance that is to blame, for people. */
  readonly rows: unknown;
}

const LEASE_MS = 3_000;
const MAX_STEPS = 60_000;
/** After everything healed. */
const MAX_VIRTUAL_MS = 900_000;

/** One run: a phase in which things go wrong, one in which everything must finish, and what must hold then. */
export async function simulate(plan: Plan): Promise<Outcome> {
  const simulation = new Simulation(plan);
  try {
    return await simulation.run();
  } finally {
    await simulation.close();
  }
}

class Simulation {
  private readonly world: World;
  private readonly problems: string[] = [];
  private readonly observer: Observer;
  private readonly ledger: Ledger;
  private readonly nodes: SimulatedNode[];
  private readonly clients: Clients;
  private readonly lock = lockOf();
  private faults: CallFaults;

  private readonly store: SimulatedStore;

  constructor(private readonly plan: Plan) {
    const failed = (problem: string): void => {
      this.world.say('VIOLATION', problem);
      this.problems.push(problem);
    };
    this.world = new World(plan.seed);
    this.store = openStore(plan, this.world);
    this.faults = plan.faults;
    this.observer = new Observer(this.store, failed);
    this.ledger = new Ledger(this.world, failed, (context) => this.observer.recorded(context, idempotencyKey));
    const around: Surroundings = {
      world: this.world,
      store: this.store,
      lock: this.lock,
      fate: (place, reads) => fateOf(plan.seed, this.faults, place, reads),
      watch: this.observer,
    };
    this.nodes = plan.nodes.map((node) => new SimulatedNode(node, plan.settings, around, this.ledger, failed));
    this.clients = new Clients(plan, this.world, this.nodes, this.observer, () => this.ledger.upset(), failed);
    this.world.afterStep = () => {
      this.observer.look();
      for (const node of this.nodes) node.noteName();
    };
  }

  async run(): Promise<Outcome> {
    const { world, plan } = this;
    const begun = world.now;
    for (const node of this.nodes)
      world.after(node.plan.startAt, `${node.plan.name} is to start`, () => void node.start());
    for (const incident of plan.incidents)
      world.after(incident.at, `${incident.kind} of ${incident.node}`, () => this.strike(incident));
    world.after(plan.healAt, 'everything heals', () => this.heal());
    this.clients.begin();
    const finished = await this.until(
      () => world.now >= begun + plan.healAt && this.clients.done && this.allFinished(),
    );
    if (this.problems.length === 0) this.checkEnd(finished);
    if (this.problems.length === 0 && finished) await this.stopAll();
    return {
      plan,
      problems: this.problems,
      digest: world.trace.digest(),
      steps: world.steps,
      virtualMs: world.now - begun,
      traceEnd: world.trace.end(200),
      figures: this.figures(),
      rows: this.rowsOfBlamed(),
    };
  }

  private async until(holds: () => boolean): Promise<boolean> {
    const { world } = this;
    const lastMoment = world.now + this.plan.healAt + MAX_VIRTUAL_MS;
    while (!holds()) {
      if (this.problems.length > 0 || world.now > lastMoment || world.steps > MAX_STEPS) return false;
      try {
        if (!(await world.step())) return holds();
      } catch (error) {
        this.problems.push(`I-38 uncaught: ${error instanceof Error ? error.stack : String(error)}`);
        return false;
      }
    }
    return true;
  }

  private allFinished(): boolean {
    for (const { row } of this.observer.views.values()) if (!isFinal(row.status)) return false;
    return this.observer.views.size >= this.plan.instances.length;
  }

  // ---- what happens to nodes ----

  private strike({ kind, node: name, forMs }: Incident): void | Promise<void> {
    const node = this.nodes.find((one) => one.plan.name === name)!;
    const { life } = node;
    if (life === undefined || this.world.now >= this.world.begunAt + this.plan.healAt) return;
    switch (kind) {
      case 'crash':
        this.world.after(forMs, `${name} is to start again`, () => void node.start());
        return node.crash();
      case 'stop':
        void node.stop().then(() => this.world.after(forMs, `${name} is to start again`, () => void node.start()));
        return;
      case 'pause':
        life.pause();
        this.ledger.upset();
        this.world.after(forMs, `${life.name} goes on`, () => life.go());
        return;
      case 'lose-lock':
        this.ledger.upset();
        return this.lock.release(life);
      case 'jump':
        life.skewMs += forMs;
    }
  }

  private heal(): void {
    this.faults = NO_FAULTS;
    this.store.heal();
    for (const node of this.nodes) node.life?.go();
    for (const node of this.nodes) void node.start();
    this.lookAfterOrphans();
  }

  /**
   * Engines take over from dead ones when they start. Who died when an engine ran already (which on a file only one does,
   * unless its lock was lost) is noticed by nobody: somebody has to start an engine. What a living process owned under an
   * earlier name is its own business.
   */
  private lookAfterOrphans(): void {
    const living = new Set(this.nodes.flatMap((node) => [...node.names]));
    const { instances, activities = [] } = this.observer.rows ?? {};
    const owners = [...(instances?.values() ?? [])].map(({ owner, status }) => (isFinal(status) ? null : owner));
    const orphaned = [...owners, ...activities.map(({ node }) => node)].some(
      (owner) => owner !== null && !living.has(owner),
    );
    if (orphaned) {
      const engine = this.nodes.find(
        (node) => node.plan.engine && node.life !== undefined && (this.plan.fleet || this.lock.isHeldBy(node.life)),
      );
      this.world.say('operator', `starts ${engine?.plan.name ?? 'no engine'} again`);
      if (engine !== undefined)
        this.world.after(0, 'an engine starts again', async () => {
          await engine.crash();
          void engine.start();
        });
    }
    this.world.after(2 * LEASE_MS, 'somebody looks for orphans', () => this.lookAfterOrphans());
  }

  private async stopAll(): Promise<void> {
    let stopping = this.nodes.length;
    for (const node of this.nodes) void node.stop().finally(() => stopping--);
    if (!(await this.until(() => stopping === 0)) && this.problems.length === 0)
      this.problems.push('L-06 a node does not stop');
    this.observer.look();
  }

  // ---- the end ----

  private checkEnd(finished: boolean): void {
    const say = (problem: string): void => void this.problems.push(problem);
    const { views } = this.observer;
    if (!finished) {
      for (const [id, { row, messages, activities, timers }] of views)
        if (!isFinal(row.status))
          say(
            `L-01 ${id} is ${row.status} for ever: turn ${row.turn}, messages ${row.messagesSeen}/${row.messagesIn} (${messages.map(({ message }) => message.kind).join(', ')}), ${activities.length} activities, ${timers.length} timers, ${row.held} held, owner ${row.owner}`,
          );
      if (this.problems.length === 0)
        say(
          `L-01 not finished after ${this.world.steps} steps; clients ${this.clients.done ? 'are done' : 'wait'}, ${views.size} instances`,
        );
      return;
    }
    this.problems.push(...problemsOfEnd(this.observer, this.clients, this.ledger));
  }

  private rowsOfBlamed(): unknown {
    const problem = this.problems[0] ?? '';
    const ids = [...this.observer.views.keys()].filter((id) => problem.includes(id));
    return ids
      .sort((a, b) => b.length - a.length)
      .slice(0, 1)
      .map((id) => this.observer.views.get(id));
  }

  private figures(): Record<string, number> {
    const { views } = this.observer;
    let events = 0;
    for (const { executions } of views.values()) events += executions.flat().length;
    return { instances: views.size, events, incidents: this.plan.incidents.length };
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.crash();
    await this.store.close();
  }
}

function lockOf(): EngineLock & { isHeldBy(life: Life): boolean } {
  let holder: Life | undefined;
  return {
    tryAcquire(life) {
      if (holder !== undefined && holder !== life && !holder.dead && holder.pausedForMs < LEASE_MS) return false;
      holder = life;
      return true;
    },
    release(life) {
      if (holder === life) holder = undefined;
    },
    isHeldBy: (life) => holder === undefined || holder === life,
  };
}
