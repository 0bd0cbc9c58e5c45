import type { Dialect } from '../dialect.js';
import type { Tables } from '../schema.js';
import { ActivityStatements } from './activity-statements.js';
import { InstanceStatements } from './instance-statements.js';
import { JournalStatements } from './journal-statements.js';
import { LaneStatements } from './lane-statements.js';

/** Every SQL statement of the product, by table. */
export interface Statements {
  readonly instances: InstanceStatements;
  readonly journal: JournalStatements;
  readonly activities: ActivityStatements;
  readonly lanes: LaneStatements;
}

export const statementsOf = (dialect: Dialect, tables: Tables): Statements => ({
  instances: new InstanceStatements(dialect, tables),
  journal: new JournalStatements(dialect, tables),
  activities: new ActivityStatements(dialect, tables),
  lanes: new LaneStatements(dialect, tables),
});
