import { OrchestrationCancelledError, OrchestrationFailedError, OrchestrationTerminatedError } from '../core/errors.js';
import { errorOf, type Failure } from '../core/failure.js';
import type { Ending, Suspension } from '../core/instance.js';
import type { PayloadCodec } from '../core/payload.js';
import type { InstanceRow } from '../provider/provider.js';

interface Common {
  readonly instanceId: string;
  readonly orchestrationName: string;
  readonly orchestrationVersion: string;
  readonly executionId: number;
  /** The last value of `ctx.setCustomStatus`, or undefined. */
  readonly customStatus: unknown;
  /** A cancellation was delivered; the code may still have completed. */
  readonly cancelRequested: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Where an instance stands: a union on `status`. */
export type OrchestrationStatus<Output = unknown> =
  | (Common & { readonly status: 'Pending' | 'Running' })
  | (Common & { readonly status: 'Suspended'; readonly suspension: Suspension })
  | (Common & { readonly status: 'Completed'; readonly output: Output; readonly endedAt: Date })
  | (Common & {
      readonly status: 'Failed' | 'Cancelled' | 'Terminated';
      readonly failure: Failure;
      readonly endedAt: Date;
    });

export function statusOf(row: InstanceRow, codec: PayloadCodec): OrchestrationStatus {
  const common: Common = {
    instanceId: row.instanceId,
    orchestrationName: row.name,
    orchestrationVersion: row.version,
    executionId: row.executionId,
    customStatus: row.customStatus === null ? undefined : codec.decode(row.customStatus),
    cancelRequested: row.cancelRequested,
    createdAt: new Date(row.createdAt),
    updatedAt: new Date(row.updatedAt),
  };
  switch (row.status) {
    case 'Pending':
    case 'Running':
      return { ...common, status: row.status };
    case 'Suspended':
      return { ...common, status: row.status, suspension: row.suspension! };
    case 'Completed':
      return { ...common, status: row.status, output: codec.decode(row.output!), endedAt: new Date(row.endedAt!) };
    case 'Failed':
    case 'Cancelled':
    case 'Terminated':
      return { ...common, status: row.status, failure: row.failure!, endedAt: new Date(row.endedAt!) };
  }
}

/** The output of a finished instance. @throws OrchestrationFailedError, OrchestrationCancelledError, OrchestrationTerminatedError */
export function outputOf(instanceId: string, ending: Ending, codec: PayloadCodec): unknown {
  switch (ending.status) {
    case 'Completed':
      return codec.decode(ending.output);
    case 'Cancelled':
      throw new OrchestrationCancelledError(instanceId, reasonIn(ending.failure));
    case 'Terminated':
      throw new OrchestrationTerminatedError(instanceId, reasonIn(ending.failure));
    case 'Failed':
      throw new OrchestrationFailedError(instanceId, ending.failure, errorOf(ending.failure));
  }
}

const reasonIn = (failure: Failure): string => failure.message.replace(/^.*? was (?:cancelled|terminated): /s, '');
