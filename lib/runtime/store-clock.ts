import type { Clock } from './ports.js';

/** An answer that took longer says too little about the moment it was given. */
const MAX_TRIP_MS = 1_000;

/**
 * A node's clock where several nodes share a store: monotonic time, moved to the store's clock again and again (protocol
 * 13). It never goes back, because events may not; where it was ahead, it waits.
 */
export class StoreClock implements Clock {
  private offset: number;
  private last = -Infinity;

  constructor(private readonly host: Clock) {
    this.offset = host.now() - host.mono();
  }

  now(): number {
    this.last = Math.max(this.last, Math.floor(this.host.mono() + this.offset));
    return this.last;
  }

  mono(): number {
    return this.host.mono();
  }

  /** Asks the store for its time. */
  async follow(ask: () => Promise<number>): Promise<void> {
    const askedAt = this.host.mono();
    this.answered(await ask(), askedAt);
  }

  /** The store showed this at some moment since it was asked: half of the way back has passed since then. */
  answered(time: number, askedAt: number): void {
    const now = this.host.mono();
    if (now - askedAt <= MAX_TRIP_MS) this.offset = time + (now - askedAt) / 2 - now;
  }
}
