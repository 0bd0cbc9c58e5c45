// The application's entry. Authors of storage import 'nest-durable/provider'.

// Orchestrations
export type {
  ActivitiesOf,
  Cancellation,
  DurableFuture,
  DurableKv,
  DurableLog,
  InputOf,
  Kept,
  OrchestrationContext,
  OutputOf,
  ParentInfo,
  SubOrchestrationOptions,
  DetachedStartOptions,
} from './replay/index.js';

// Activities
export type { ActivityOptions } from './core/activity-options.js';
export type { Backoff, RetryPolicy } from './core/retry-policy.js';
export { parseDuration, type Duration } from './core/duration.js';

// Client
export * from './client/index.js';

// Values that travel, and what was thrown
export { defaultCodec, type Carried, type Payload, type PayloadCodec } from './core/payload.js';
export { errorOf, type Failure } from './core/failure.js';
export * from './core/errors.js';
export type { HistoryEvent } from './core/history-event.js';
export type { InstanceStatus, Suspension } from './core/instance.js';
export type { Limits } from './core/limits.js';

// Nest
export * from './nest/index.js';

// The engine without Nest
export { TypeOrmProvider, type TypeOrmProviderOptions } from './providers/typeorm/index.js';
export {
  DurableRuntime,
  Registry,
  type ActivityFunction,
  type ActivityRegistration,
  type EngineCounters,
  type EngineLog,
  type EngineOptions,
  type OrchestrationRegistration,
  type RuntimeOptions,
} from './runtime/index.js';
