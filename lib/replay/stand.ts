import type { Execution } from './execution.js';

/** Runs a callback in the check phase of the event loop, after all microtasks drained: `setImmediate`, captured at load. */
export type Immediate = (callback: () => void) => void;

/** Something that takes part in phases on the stand until it is at rest. */
export interface StandUnit {
  readonly execution: Execution;
  /** Delivers at most one thing. What it sets off runs in the microtasks after it, still on the stand. Must not throw. */
  step(): void;
  /** After the microtasks drained: nothing more to deliver. */
  atRest(): boolean;
}

/** What surrounds a phase: the runtime watches for unhandled rejections between the callbacks of one. */
export interface PhaseHooks {
  begin(): void;
  end(): void;
}

/** Units of one phase: bounds how long one phase holds the event loop. */
const MAX_UNITS_PER_PHASE = 256;

let onStand: Execution | undefined;

/** The execution whose code is running now. Everything a context does asks this first (protocol 20). */
export const executionOnStand = (): Execution | undefined => onStand;

/**
 * Runs the code of executions until it blocks, many at a time.
 *
 * The callbacks of one phase are queued in one synchronous loop, so nothing foreign runs between them: while a callback
 * and its microtasks run, its execution is alone on the stand. A sentinel behind them sees every one of them blocked.
 */
export class Stand {
  private readonly units = new Set<StandUnit>();
  private scheduled = false;

  constructor(
    private readonly immediate: Immediate,
    private readonly collect: (units: readonly StandUnit[]) => void,
    private readonly hooks?: PhaseHooks,
  ) {}

  enter(unit: StandUnit): void {
    this.units.add(unit);
    if (this.scheduled) return;
    this.scheduled = true;
    this.immediate(this.phase);
  }

  get size(): number {
    return this.units.size;
  }

  private readonly phase = (): void => {
    const batch: StandUnit[] = [];
    for (const unit of this.units) {
      batch.push(unit);
      if (batch.length === MAX_UNITS_PER_PHASE) break;
    }
    this.immediate(() => this.hooks?.begin());
    for (const unit of batch) {
      this.immediate(() => {
        onStand = unit.execution;
        unit.step();
      });
    }
    this.immediate(() => this.endPhase(batch));
  };

  private endPhase(batch: readonly StandUnit[]): void {
    onStand = undefined;
    this.hooks?.end();
    const resting: StandUnit[] = [];
    for (const unit of batch) {
      this.units.delete(unit);
      if (unit.atRest()) resting.push(unit);
      else this.units.add(unit); // to the back: a long replay takes turns with everybody else
    }
    this.scheduled = this.units.size > 0;
    if (this.scheduled) this.immediate(this.phase);
    if (resting.length > 0) this.collect(resting);
  }
}
