import { DurableClient } from '../../lib/client/index.js';
import type { Provider } from '../../lib/provider/index.js';
import { DurableRuntime, Registry, type EngineLog } from '../../lib/runtime/index.js';
import { interpret } from './interpreter.js';
import type { Ledger } from './ledger.js';
import type { Life } from './life.js';
import type { NodePlan, Plan } from './plan.js';
import { SimulatedProvider, type Surroundings } from './simulated-provider.js';

/** A process that may end and come back: each time as another life of the same name. */
export class SimulatedNode {
  life: Life | undefined;
  client: DurableClient | undefined;
  stopping = false;
  private runtime: DurableRuntime | undefined;
  private inner: Provider | undefined;
  private lives = 0;

  constructor(
    readonly plan: NodePlan,
    private readonly settings: Plan['settings'],
    private readonly around: Surroundings,
    private readonly ledger: Ledger,
    private readonly failed: (problem: string) => void,
  ) {}

  get isUp(): boolean {
    return this.client !== undefined && !this.stopping;
  }

  /** Names its present life has had in the store. */
  readonly names = new Set<string>();

  noteName(): void {
    if (this.runtime !== undefined) this.names.add(this.runtime.status.node);
  }

  /** Boots until it succeeds: a process manager would. */
  async start(): Promise<void> {
    if (this.life !== undefined) return;
    const { world } = this.around;
    const life = world.born(`${this.plan.name}.${++this.lives}`, this.plan.skewMs);
    this.life = life;
    world.say(life.name, 'starts');
    if (this.plan.engine) this.ledger.engineStarts();
    const inner = this.around.store.provider(life);
    this.inner = inner;
    const runtime = new DurableRuntime({
      provider: SimulatedProvider.around(inner, life, this.around),
      registry: this.registry(life),
      runsInstances: this.plan.engine,
      ports: life.ports,
      log: logOf((line) => world.say(life.name, line)),
      nodeName: this.plan.name,
      buildId: 'simulated',
      lease: '3s',
      // Engines of one store wake each other with every poll.
      pollBusy: this.around.store.oneEngine ? 20 : 300,
      pollIdle: this.around.store.oneEngine ? 200 : 1_000,
      maxCrashes: 100,
      cacheIdle: '2s',
      shutdownGrace: '1s',
      ...this.settings,
    });
    this.runtime = runtime;
    try {
      await runtime.start();
      if (this.life === life) this.client = new DurableClient(runtime);
    } catch (error) {
      world.say(life.name, `could not start: ${String(error)}`);
      if (this.life !== life) return;
      this.endSoon(`${life.name} ends`, life, 100);
    }
  }

  /** As by SIGKILL. */
  async crash(): Promise<void> {
    const { life, inner } = this;
    if (life === undefined) return;
    this.around.world.say(life.name, 'crashes');
    this.ledger.died(life);
    this.clear();
    life.end();
    this.around.lock.release(life);
    await this.around.store.crashed(inner!);
  }

  /** As by SIGTERM. Its own end is bounded, whatever the store does. */
  async stop(): Promise<void> {
    const { life, runtime } = this;
    if (life === undefined || runtime === undefined || this.client === undefined || this.stopping) return;
    const { world } = this.around;
    const begun = world.now;
    this.stopping = true;
    world.say(life.name, 'stops');
    this.ledger.died(life);
    const result = await Promise.race([runtime.stop().then(() => 'stopped'), life.death]);
    if (result === 'dead') return;
    world.say(life.name, 'has stopped');
    if (world.now - begun > MAX_STOP_MS + life.pausedMs)
      this.failed(`L-06 ${life.name} took ${world.now - begun} ms to stop`);
    this.client = undefined;
    await Promise.race([world.sleep(SETTLE_MS), life.death]);
    if (this.life !== life) return;
    this.clear();
    // What a stopped runtime left behind would keep its process alive.
    const left = world.timersOf(life);
    if (left > 0) this.failed(`L-09 ${life.name} has stopped and ${left} of its timers have not`);
    life.end();
    this.around.lock.release(life);
  }

  private clear(): void {
    this.names.clear();
    this.life = undefined;
    this.client = undefined;
    this.runtime = undefined;
    this.stopping = false;
  }

  private registry(life: Life): Registry {
    return new Registry()
      .addOrchestration({ name: 'program', create: () => ({ run: interpret as never }) })
      .addActivity({
        name: 'work',
        run: ([task], context) =>
          this.ledger.work(life, task as never, context, () =>
            this.endSoon(`${life.name} dies of an activity`, life, 50),
          ),
      })
      .addActivity({ name: 'undo', run: (_args, context) => this.ledger.undo(life, context) });
  }

  /** Not in the middle of a callback: a process that dies there leaves the same rows. */
  private endSoon(why: string, life: Life, forMs: number): void {
    const { world } = this.around;
    world.after(0, why, async () => {
      if (this.life !== life) return;
      await this.crash();
      world.after(forMs, `${this.plan.name} is started again`, () => void this.start());
    });
  }
}

/** What was about to be tried once more finds that it need not. */
const SETTLE_MS = 2_000;

/** Grace, abort, the time for the store, and what calls on their way may take. */
const MAX_STOP_MS = 60_000;

function logOf(say: (line: string) => void): EngineLog {
  const at =
    (level: string) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      say(`${level} ${message}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`);
  return { debug: at('debug'), log: at('log'), warn: at('warn'), error: at('error') };
}
