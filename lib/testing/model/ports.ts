import type { Ports } from '../../runtime/ports.js';

/** Everything the model takes from outside: nothing in it reads a clock, draws a number or sets a timer by itself. */
export interface ModelPorts extends Pick<Ports, 'chance' | 'setTimer'> {
  readonly schedule: Schedule;
  /** Default: nothing goes wrong. */
  readonly faults?: Faults;
}

/** Decides who goes next. Every place where a real server could let somebody else go first waits here. */
export interface Schedule {
  /** Resolves when this one may go on. `label` is `provider/method/place`, for logs and for choosing. */
  step(label: string): Promise<void>;
}

/** Where a call is: before its transaction, before a statement, before COMMIT, or before its answer reaches the caller. */
export interface Place {
  readonly provider: string;
  readonly method: string;
  readonly at: 'begin' | 'statement' | 'commit' | 'answer';
  /** Of a statement, what it does. */
  readonly statement?: string;
}

export interface Faults {
  /** Asked once at each place a call comes by. `undefined`: nothing happens. */
  at(place: Place): Fault | undefined;
}

export type Fault =
  /** Before COMMIT: nothing of the transaction is in. At `answer`: it is in, and the caller is not told. */
  | { readonly kind: 'error'; readonly error?: Error }
  /** It takes that long; a transaction keeps its locks meanwhile. */
  | { readonly kind: 'delay'; readonly ms: number }
  /**
   * At `commit` only: the connection breaks while COMMIT is on its way. The caller gets an error at once; the transaction
   * stays open with its locks and is decided `ms` later, whether or not somebody asks again meanwhile.
   */
  | { readonly kind: 'lost-answer'; readonly ms: number; readonly outcome: 'commit' | 'rollback' };
