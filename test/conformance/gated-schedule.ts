import { setImmediate as nextRound } from 'node:timers/promises';
import type { Schedule } from '../../lib/testing/index.js';

/** Everybody goes on at once, but for places that are held until they are let go. */
export class GatedSchedule implements Schedule {
  readonly steps: string[] = [];
  private readonly held = new Set<string>();
  private readonly parked = new Map<string, (() => void)[]>();

  step(label: string): Promise<void> {
    this.steps.push(label);
    if (!this.held.has(label)) return Promise.resolve();
    return new Promise((go) => void this.parked.set(label, [...(this.parked.get(label) ?? []), go]));
  }

  hold(...labels: string[]): void {
    for (const label of labels) this.held.add(label);
  }

  letGo(...labels: string[]): void {
    for (const label of labels) {
      this.held.delete(label);
      for (const go of this.parked.get(label) ?? []) go();
      this.parked.delete(label);
    }
  }

  /** Resolves when somebody stands at each of these places. */
  async arrived(...labels: string[]): Promise<void> {
    await this.settled();
    for (const label of labels) if (!this.parked.has(label)) throw new Error(`nobody is at ${label}`);
  }

  /** Resolves when nobody moves any more: all that is under way is held or waits for a lock. */
  async settled(): Promise<void> {
    for (let seen = -1; seen !== this.steps.length;) {
      seen = this.steps.length;
      for (let round = 0; round < 5; round++) await nextRound();
    }
  }
}

/** Timers that fire when they are told to. */
export class ManualTimers {
  private readonly waiting: { callback: () => void; ms: number }[] = [];

  readonly setTimer = (callback: () => void, ms: number): (() => void) => {
    const timer = { callback, ms };
    this.waiting.push(timer);
    return () => void this.waiting.splice(this.waiting.indexOf(timer), 1);
  };

  get pending(): number[] {
    return this.waiting.map(({ ms }) => ms);
  }

  fire(): void {
    for (const { callback } of this.waiting.splice(0)) callback();
  }
}
