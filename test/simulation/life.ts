import type { Ports } from '../../lib/runtime/index.js';
import { bitsOf, randomOf } from './chance.js';
import type { World } from './world.js';

/** The label of a timer that keeps no process alive. */
export const IDLE = ' ';

/** One process from its start to its end: what it takes from outside, and whether it still runs. */
export class Life {
  dead = false;
  /** As by SIGSTOP: nothing happens in it; what it had sent is on its way. */
  paused = false;
  /** In all, so far. */
  pausedMs = 0;
  private pausedSince = 0;
  readonly immediates: (() => void)[] = [];
  readonly ports: Ports;
  private readonly whenDead: (() => void)[] = [];

  constructor(
    private readonly world: World,
    readonly name: string,
    /** Its clock against the world's; may grow while it lives. */
    public skewMs: number,
  ) {
    const random = randomOf(world.seed, `life ${name}`);
    this.ports = {
      clock: { now: () => world.now + this.skewMs, mono: () => world.now },
      setTimer: (callback, ms, options) =>
        this.dead ? () => undefined : world.after(Math.ceil(ms), options?.unref ? IDLE : '', callback, this),
      immediate: (callback) => void (this.dead || this.immediates.push(callback)),
      chance: () => random.next(),
      generation: () => bitsOf(random),
    };
  }

  /** Resolves when it dies; what was asked of it is not answered any more. */
  get death(): Promise<'dead'> {
    if (this.dead) return Promise.resolve('dead');
    return new Promise((resolve) => this.whenDead.push(() => resolve('dead')));
  }

  pause(): void {
    this.paused = true;
    this.pausedSince = this.world.now;
  }

  go(): void {
    if (!this.paused) return;
    this.paused = false;
    this.pausedMs += this.world.now - this.pausedSince;
  }

  get pausedForMs(): number {
    return this.paused ? this.world.now - this.pausedSince : 0;
  }

  end(): void {
    this.dead = true;
    this.immediates.length = 0;
    this.world.forget(this);
    for (const tell of this.whenDead.splice(0)) tell();
  }
}
