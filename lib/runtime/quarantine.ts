import type { Ports } from './ports.js';

/** Afterwards the one inside is past its beginning, and what waits behind it must not wait for its end. */
const LONGEST_STAY_MS = 2_000;

/**
 * What was caught in crashes begins one at a time, instances and activities alike: a crash under two marks is blamed on both
 * (protocol 8). A turn is over in a moment; an activity may run for days, so nobody is kept out for longer than a while.
 */
export class Quarantine {
  private inside: object | undefined;
  private readonly waiting: ((leave: () => void) => void)[] = [];

  constructor(private readonly ports: Ports) {}

  /** Calls `begin` when nobody else is inside, at once if it can; it is given what ends the stay. */
  enter(begin: (leave: () => void) => void): void {
    this.waiting.push(begin);
    this.next();
  }

  private next(): void {
    if (this.inside !== undefined) return;
    const begin = this.waiting.shift();
    if (begin === undefined) return;
    const stay = {};
    this.inside = stay;
    const leave = (): void => {
      cancel();
      if (this.inside !== stay) return;
      this.inside = undefined;
      this.next();
    };
    const cancel = this.ports.setTimer(leave, LONGEST_STAY_MS, { unref: true });
    begin(leave);
  }
}
