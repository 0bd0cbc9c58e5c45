import { setImmediate as realImmediate } from 'node:timers';
import { randomOf, type Random } from './chance.js';
import { IDLE, Life } from './life.js';
import { Trace } from './trace.js';

/** Something that can happen from `at` on. */
export interface Pending {
  readonly at: number;
  readonly label: string;
  /** Who takes part: nothing happens to a dead one, and to a paused one only later. */
  readonly life?: Life;
  /** A promise is waited for before anything else happens: it is the work of a real database, and counts as one moment. */
  run(): void | Promise<void>;
}

/** Some day in summer; whole, like every moment here. */
export const EPOCH = Date.UTC(2030, 5, 1);

/** Now and then time goes on although something could happen: what is ready may be late. */
const DAWDLE = 0.02;

/**
 * One thread, one virtual clock, one seeded choice of what happens next. A step is one callback and the microtasks it sets
 * off; the macrotasks a node queued so far run back to back, as in a phase of the event loop of a process of its own.
 */
export class World {
  now = EPOCH;
  readonly begunAt = EPOCH;
  steps = 0;
  readonly trace = new Trace();
  /** Asked after every step. */
  afterStep: () => void = () => undefined;
  private readonly random: Random;
  private readonly pending: Pending[] = [];
  private readonly lives: Life[] = [];

  constructor(readonly seed: number) {
    this.random = randomOf(seed, 'order');
  }

  born(name: string, skewMs: number): Life {
    const life = new Life(this, name, skewMs);
    this.lives.push(life);
    return life;
  }

  /** The result takes it back. */
  after(ms: number, label: string, run: Pending['run'], life?: Life): () => void {
    const one: Pending = { at: this.now + Math.max(0, ms), label, run, ...(life !== undefined && { life }) };
    this.pending.push(one);
    return () => {
      const index = this.pending.indexOf(one);
      if (index >= 0) this.pending.splice(index, 1);
    };
  }

  sleep(ms: number, label = 'sleep'): Promise<void> {
    return new Promise((resolve) => this.after(ms, label, resolve));
  }

  /** Whole milliseconds, both ends included. */
  between(low: number, high: number): number {
    return this.random.between(low, high);
  }

  say(who: string, what: string): void {
    this.trace.add(`${this.steps} +${this.now - EPOCH}ms ${who}: ${what.replace(TEMPORARY, 'simulation')}`);
  }

  forget(life: Life): void {
    const index = this.lives.indexOf(life);
    if (index >= 0) this.lives.splice(index, 1);
    for (let at = this.pending.length - 1; at >= 0; at--)
      if (this.pending[at]!.life === life) this.pending.splice(at, 1);
  }

  /** Timers that would keep a process alive. */
  timersOf(life: Life): number {
    return this.pending.filter((one) => one.life === life && one.label === '').length;
  }

  /** One step. False: nothing is left that could ever happen. */
  async step(): Promise<boolean> {
    const busy = this.lives.filter((life) => life.immediates.length > 0 && !life.paused);
    const ready = this.pending.filter((one) => one.at <= this.now && !one.life?.paused);
    const count = busy.length + ready.length;
    if (count === 0 || this.random.next() < DAWDLE) {
      const next = this.nextMoment();
      if (next !== undefined) this.now = next;
      return count > 0 || next !== undefined;
    }
    this.steps++;
    const chosen = this.random.between(0, count - 1);
    if (chosen < busy.length) await this.phase(busy[chosen]!);
    else await this.happen(ready[chosen - busy.length]!);
    this.afterStep();
    return true;
  }

  private nextMoment(): number | undefined {
    let next: number | undefined;
    for (const { at, life } of this.pending)
      if (at > this.now && !life?.paused && (next === undefined || at < next)) next = at;
    return next;
  }

  private async phase(life: Life): Promise<void> {
    for (const callback of life.immediates.splice(0)) {
      if (life.dead) return;
      callback();
      await microtasks();
    }
  }

  private async happen(one: Pending): Promise<void> {
    this.pending.splice(this.pending.indexOf(one), 1);
    if (one.label !== '' && one.label !== IDLE) this.say(one.life?.name ?? 'world', one.label);
    await one.run();
    await microtasks();
  }
}

/** A directory is another one in every run. */
const TEMPORARY = /[^ (]*nest-durable-simulation-\w+/g;

/** Drains them the way Node does, `unhandledRejection` included. */
const microtasks = (): Promise<void> => new Promise((resolve) => realImmediate(resolve));
