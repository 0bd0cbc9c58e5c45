import type { Failure } from './failure.js';
import type { Payload } from './payload.js';

/** The life of an instance. The first three are open; the others are final. */
export type InstanceStatus = 'Pending' | 'Running' | 'Suspended' | 'Completed' | 'Failed' | 'Cancelled' | 'Terminated';

export type FinalStatus = 'Completed' | 'Failed' | 'Cancelled' | 'Terminated';

export const isFinal = (status: InstanceStatus): status is FinalStatus =>
  status === 'Completed' || status === 'Failed' || status === 'Cancelled' || status === 'Terminated';

/** Why an instance does not run although it is not finished. */
export interface Suspension {
  /** `engine`: tried again by a node with another build. `operator`: only `resumeInstance` continues it. */
  readonly by: 'operator' | 'engine';
  readonly code: string;
  readonly reason: string;
}

/** How an execution ended, as its row records it. */
export type Ending =
  | { readonly status: 'Completed'; readonly output: Payload }
  | { readonly status: 'Failed'; readonly failure: Failure }
  | { readonly status: 'Cancelled'; readonly failure: Failure }
  | { readonly status: 'Terminated'; readonly failure: Failure };
