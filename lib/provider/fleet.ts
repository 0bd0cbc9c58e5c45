/**
 * What a store adds on which several engine processes work at once: one clock, who of them is alive, and a voice that wakes
 * the others. All of it is help: leases, fences and the rows themselves decide, and nothing is lost where a call gets lost.
 */
export interface Fleet {
  /** The store's clock, the same for all nodes: epoch milliseconds. Rejects with a `StorageError`. */
  time(): Promise<number>;
  /**
   * From now on this node's sign of life ends with its process, and what others tell it reaches `events`. Replaces the
   * incarnation before it. A connection that breaks is made again by itself, and `events.told(undefined)` is called then.
   */
  attach(node: string, events: FleetEvents): Promise<void>;
  /** The end of both, once what was offered is out. Idempotent. */
  detach(): Promise<void>;
  /** The other nodes, as they look now. Rejects with a `StorageError`, also when there is no answer for a while. */
  others(): Promise<Others>;
  /**
   * Makes `node` the owner of those of these instances that are open and have no living owner. Gives back which of them it
   * owns now. Whoever runs what it has found lying around does this first: of several nodes that found it one runs it, and if
   * that very turn ends the process, it counts (protocol 8). Rejects with a `StorageError`.
   */
  adopt(node: string, instanceIds: readonly string[]): Promise<string[]>;
  /**
   * Something was committed for these instances: their owners are woken, and for those without one some engine. Gathers
   * what is told while a call is on its way. Never throws.
   */
  tell(instanceIds: readonly string[]): void;
  /** There is work that nobody holds, and this node leaves it to others. Gathers for a moment, never throws. */
  offer(what: OfferedWork): void;
}

export interface FleetEvents {
  /** Something was committed for these instances; undefined: somewhere, for somebody. */
  told(instanceIds: readonly string[] | undefined): void;
  /** Another node has left work to whoever wants it. */
  offered(what: OfferedWork): void;
}

/** Due activities; or instances, too. */
export type OfferedWork = 'activities' | 'everything';

export interface Others {
  /** When this was so, by the store's clock. */
  readonly now: number;
  readonly nodes: readonly OtherNode[];
}

export interface OtherNode {
  readonly node: string;
  /** Its process is connected. A missing sign alone proves nothing: connections break. */
  readonly isConnected: boolean;
  readonly heartbeatAt: number;
  readonly leaseUntil: number;
}
