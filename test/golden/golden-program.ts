import type { DurableClient } from '../../lib/client/index.js';
import type { Activities, Body } from '../support/engine.js';

/**
 * A program whose histories are kept. Neither it nor they are changed once a version that wrote them was published: its
 * instances may be running anywhere. What is to be tested anew becomes a new program.
 */
export interface GoldenProgram {
  /** The instance has it as its id, and the file of its histories as its name. */
  readonly name: string;
  /** By name or `name@version`; the first is started. */
  readonly orchestrations: Readonly<Record<string, Body>>;
  readonly activities?: Activities;
  readonly input?: unknown;
  /** What clients do before an engine runs: all of it waits for the first turn. */
  readonly early?: (client: DurableClient, instanceId: string) => Promise<unknown>;
  /** What clients do while it runs. */
  readonly during?: (client: DurableClient, instanceId: string) => Promise<unknown>;
}
