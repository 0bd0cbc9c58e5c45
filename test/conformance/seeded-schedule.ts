import { setImmediate as soon } from 'node:timers';
import type { Schedule } from '../../lib/testing/index.js';

/** Lets one of those who wait go on in each round of the event loop, drawn from a seed: all interleavings are possible. */
export class SeededSchedule implements Schedule {
  private readonly ready: (() => void)[] = [];
  private isTicking = false;
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed + 1, 0x9e3779b1);
  }

  step(): Promise<void> {
    return new Promise((go) => {
      this.ready.push(go);
      this.tick();
    });
  }

  /** mulberry32 */
  readonly chance = (): number => {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  private tick(): void {
    if (this.isTicking) return;
    this.isTicking = true;
    soon(() => {
      this.isTicking = false;
      const [go] = this.ready.splice(Math.floor(this.chance() * this.ready.length), 1);
      go?.();
      if (this.ready.length > 0) this.tick();
    });
  }
}
