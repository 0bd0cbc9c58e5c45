import { isDurableError } from '../../lib/core/errors.js';
import type { DurableClient } from '../../lib/client/index.js';
import { randomOf, type Random } from './chance.js';
import type { SimulatedNode } from './node.js';
import type { Observer } from './observer.js';
import type { InstancePlan, Plan } from './plan.js';
import { NEVER, queuesOf, statementsOf, waitsOf, type Program } from './program.js';
import type { World } from './world.js';

/** What was asked under one id, and what was answered. */
export interface Asked {
  readonly plan: InstancePlan;
  /** In the order they were tried; a start whose answer was lost may have been done. */
  readonly starts: { readonly program: Program; outcome: 'tried' | 'done' | 'refused' }[];
  cancelled: boolean;
  terminated: boolean;
}

/** Messages of one name to one instance. */
export interface Sent {
  readonly instanceId: string;
  readonly kind: 'event' | 'queue';
  readonly name: string;
  readonly tried: number[];
  readonly acknowledged: number[];
}

const RETRY_MS = 40;

/** Everybody outside: starts, senders, operators. Each keeps on until it knows that what it wants is done. */
export class Clients {
  readonly asked = new Map<string, Asked>();
  readonly sent: Sent[] = [];
  private readonly random: Random;
  private busy = 0;
  private numbers = 0;

  constructor(
    private readonly plan: Plan,
    private readonly world: World,
    private readonly nodes: readonly SimulatedNode[],
    private readonly observer: Observer,
    private readonly upset: () => void,
    private readonly failed: (problem: string) => void,
  ) {
    this.random = randomOf(plan.seed, 'clients');
  }

  get done(): boolean {
    return this.busy === 0;
  }

  begin(): void {
    this.task(() => this.watch());
    for (const instance of this.plan.instances) {
      this.asked.set(instance.id, { plan: instance, starts: [], cancelled: false, terminated: false });
      this.task(() => this.startAndFollow(instance));
      if (instance.rival !== undefined) this.task(() => this.startRival(instance, instance.rival!));
      if (instance.end !== undefined) this.task(() => this.end(instance, instance.end!));
      if (instance.suspend !== undefined) this.task(() => this.suspend(instance.id, instance.suspend!));
      for (const program of [instance.program, instance.rival])
        if (program !== undefined) this.feed(instance, instance.id, program);
    }
  }

  /** An operator who looks now and then whether anything is stuck for ever. */
  private async watch(): Promise<void> {
    for (let look = 1; look <= 3; look++) {
      await this.world.sleep(this.random.between(0, this.plan.healAt), 'somebody looks for what is stuck');
      const stuck = await this.ask('find stuck', (client) => client.management.findStuck());
      if (!(stuck instanceof Answer) && stuck.length > 0) this.failed(`L-05 stuck: ${stuck.join(', ')}`);
    }
  }

  private task(run: () => Promise<void>): void {
    this.busy++;
    run()
      .catch((error: unknown) =>
        this.failed(`a client ended with ${error instanceof Error ? error.stack : String(error)}`),
      )
      .finally(() => this.busy--);
  }

  /** Asks some node, until one answers. Errors are answers, unless they say that nothing was decided. */
  private async ask<R>(what: string, request: (client: DurableClient) => Promise<R>): Promise<R | Answer> {
    for (;;) {
      const node = this.someNode();
      if (node?.life === undefined) {
        await this.world.sleep(RETRY_MS, `${what} finds no node`);
        continue;
      }
      const { life } = node;
      this.world.say('client', `asks ${life.name}: ${what}`);
      const asked = request(node.client!);
      asked.catch(() => undefined);
      try {
        const answer = await Promise.race([asked, life.death.then(() => DEAD)]);
        this.world.say('client', `${what}: ${answer === DEAD ? 'no answer' : 'done'}`);
        return answer;
      } catch (error) {
        const code = isDurableError(error) ? String(error.code) : 'a bug';
        this.world.say('client', `${what}: ${code}`);
        if (FINAL_ANSWERS.has(code)) return new Answer(code);
        if (!UNDECIDED.has(code) && !wasClosed(error)) this.failed(`I-39 ${what} failed with ${String(error)}`);
        return DEAD;
      }
    }
  }

  private someNode(): SimulatedNode | undefined {
    const up = this.nodes.filter((node) => node.isUp && !node.life?.paused);
    return up.length === 0 ? undefined : this.random.of(up);
  }

  // ---- starts ----

  private async startAndFollow(instance: InstancePlan): Promise<void> {
    const { id, program, at, again } = instance;
    await this.world.sleep(at, `${id} is due`);
    await this.start(id, program, 'reject');
    if (again === undefined) return;
    while (!this.observer.isFinal(id)) await this.world.sleep(RETRY_MS * 5, `${id} is to be started again`);
    await this.start(id, again, 'restart-if-finished');
    this.feed(instance, id, again);
  }

  private async startRival({ id, at }: InstancePlan, program: Program): Promise<void> {
    await this.world.sleep(at + this.random.between(-3, 3), `the rival of ${id} is due`);
    await this.start(id, program, 'reject');
  }

  private async start(id: string, program: Program, idReuse: 'reject' | 'restart-if-finished'): Promise<void> {
    const { starts } = this.asked.get(id)!;
    for (;;) {
      const start: Asked['starts'][number] = { program, outcome: 'tried' };
      const inDoubt = starts.some((one) => one.program === program && one.outcome === 'tried');
      starts.push(start);
      const answer = await this.ask(`start ${id} (${idReuse})`, (client) =>
        client.startOrchestration('program', { program, values: [] }, { instanceId: id, idReuse }),
      );
      if (answer === DEAD) continue;
      if (!(answer instanceof Answer)) start.outcome = 'done';
      else if (answer.code === 'ERR_DURABLE_INSTANCE_EXISTS') {
        start.outcome = 'refused';
        if (!inDoubt && starts.length === 1) this.failed(`A1 the first start of ${id} was refused`);
      } else this.failed(`I-39 the start of ${id} answered ${answer.code}`);
      return;
    }
  }

  // ---- messages ----

  /** Events for its plain waits, messages and an end for its queues; for its children of known ids, too. */
  private feed(root: InstancePlan, instanceId: string, program: Program): void {
    for (const [name, count] of waitsOf(program))
      if (name !== NEVER)
        this.task(() => this.send(root, { instanceId, kind: 'event', name, tried: [], acknowledged: [] }, count));
    for (const name of queuesOf(program)) {
      const count = this.random.between(0, 9);
      this.task(() => this.send(root, { instanceId, kind: 'queue', name, tried: [], acknowledged: [] }, count));
    }
    for (const statement of statementsOf(program)) {
      if (statement.do === 'child' || statement.do === 'detach') {
        if (statement.id !== undefined) this.feed(root, statement.id, statement.program);
        else this.feedNested(root, statement.program);
      }
    }
  }

  private feedNested(root: InstancePlan, program: Program): void {
    for (const statement of statementsOf(program))
      if ((statement.do === 'child' || statement.do === 'detach') && statement.id !== undefined)
        this.feed(root, statement.id, statement.program);
      else if (statement.do === 'child' || statement.do === 'detach') this.feedNested(root, statement.program);
  }

  private async send(root: InstancePlan, sent: Sent, count: number): Promise<void> {
    this.sent.push(sent);
    await this.world.sleep(this.random.between(0, root.at + 1_500), `${sent.name} for ${sent.instanceId} is due`);
    while (sent.acknowledged.length < count) {
      if (!(await this.sendOne(root, sent, ++this.numbers))) return;
      if (this.random.next() < 0.5) await this.world.sleep(this.random.between(0, 300), `the next ${sent.name}`);
    }
    if (sent.kind === 'queue') while ((await this.sendOne(root, sent, -1)) && !sent.acknowledged.includes(-1));
  }

  /** False: there is nobody any more to send it to. */
  private async sendOne(root: InstancePlan, sent: Sent, number: number): Promise<boolean> {
    const { instanceId, kind, name } = sent;
    sent.tried.push(number);
    const answer = await this.ask(`${kind} ${name} ${number} to ${instanceId}`, (client) =>
      kind === 'event' ? client.raiseEvent(instanceId, name, number) : client.enqueueEvent(instanceId, name, number),
    );
    if (answer === DEAD) return true;
    if (!(answer instanceof Answer)) {
      sent.acknowledged.push(number);
      return true;
    }
    if (answer.code === 'ERR_DURABLE_INSTANCE_FINISHED') return this.mayStillCome(root, instanceId);
    await this.world.sleep(RETRY_MS * 2, `${name} waits for ${instanceId}`);
    return this.mayStillCome(root, instanceId);
  }

  /** An instance that is not there may yet be started by its root, or be started again. */
  private async mayStillCome(root: InstancePlan, instanceId: string): Promise<boolean> {
    this.observer.look();
    const pending = !this.observer.isFinal(root.id) || !this.settled(root.id);
    if (pending) await this.world.sleep(RETRY_MS * 2, `somebody waits for ${instanceId}`);
    return (
      pending ||
      (this.observer.views.has(instanceId) && !this.observer.isFinal(instanceId)) ||
      this.familyRuns(instanceId)
    );
  }

  private settled(id: string): boolean {
    const { plan, starts } = this.asked.get(id)!;
    return (
      plan.again === undefined || starts.some(({ program, outcome }) => program === plan.again && outcome !== 'tried')
    );
  }

  /** Somebody above it in the tree of ids still runs and may start it. */
  private familyRuns(instanceId: string): boolean {
    if (this.observer.isFinal(instanceId)) return false;
    return [...this.observer.views.values()].some(
      ({ row }) => !this.observer.isFinal(row.instanceId) && row.instanceId !== instanceId,
    );
  }

  // ---- operators ----

  private async end({ id }: InstancePlan, { by, at }: NonNullable<InstancePlan['end']>): Promise<void> {
    await this.world.sleep(at, `the end of ${id} is due`);
    const asked = this.asked.get(id)!;
    for (;;) {
      if (by === 'cancel') asked.cancelled = true;
      else asked.terminated = true;
      const last = this.settled(id);
      const answer = await this.ask(`${by} ${id}`, (client) =>
        by === 'cancel' ? client.cancelInstance(id, 'simulated') : client.terminateInstance(id, 'simulated'),
      );
      const finished = answer instanceof Answer && answer.code === 'ERR_DURABLE_INSTANCE_FINISHED';
      if (last && (finished || !(answer instanceof Answer))) return;
      await this.world.sleep(RETRY_MS * 3, `${by} of ${id} is tried again`);
    }
  }

  private async suspend(id: string, { at, forMs }: { readonly at: number; readonly forMs: number }): Promise<void> {
    await this.world.sleep(at, `${id} is to be suspended`);
    this.upset();
    if (!((await this.ask(`suspend ${id}`, (client) => client.suspendInstance(id, 'simulated'))) instanceof Answer))
      await this.world.sleep(forMs, `${id} is to be resumed`);
    while ((await this.ask(`resume ${id}`, (client) => client.resumeInstance(id))) === DEAD);
  }
}

/** It was asked before the runtime stopped, and came to the store after. */
const wasClosed = (error: unknown): boolean =>
  error instanceof TypeError && error.message === 'the provider is not open';

/** An error that decides. */
class Answer {
  constructor(readonly code: string) {}
}
/** Nobody knows whether it was done. */
const DEAD = new Answer('no answer');

const FINAL_ANSWERS: ReadonlySet<string> = new Set([
  'ERR_DURABLE_INSTANCE_EXISTS',
  'ERR_DURABLE_INSTANCE_NOT_FOUND',
  'ERR_DURABLE_INSTANCE_FINISHED',
]);
const UNDECIDED: ReadonlySet<string> = new Set([
  'ERR_DURABLE_RUNTIME_STOPPED',
  'ERR_DURABLE_NODE_DEAD',
  'ERR_SIMULATED',
]);
