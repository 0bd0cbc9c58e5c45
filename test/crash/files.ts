import { join } from 'node:path';

/** What a campaign leaves in its directory. */
export const files = (directory: string) => ({
  database: join(directory, 'durable.sqlite'),
  /** Attempts of activities. */
  activities: join(directory, 'activities.ledger'),
  /** What clients asked and were promised. */
  clients: join(directory, 'clients.ledger'),
  /** The same, of the process beside the engine. */
  clientsBeside: join(directory, 'clients-beside.ledger'),
  /** One byte: what the process does this instant. */
  state: join(directory, 'state'),
  stateBeside: join(directory, 'state-beside'),
  log: join(directory, 'engine.log'),
  output: join(directory, 'output.log'),
  snapshot: join(directory, 'snapshot.sqlite'),
});

export type Files = ReturnType<typeof files>;
