export type { OrchestrationContext, DurableLog, Cancellation, ParentInfo } from './orchestration-context.js';
export type { ScheduledActivity } from './turn-draft.js';
export type { DurableFuture, FutureRecord, FutureKind } from './durable-future.js';
export type {
  ActivitiesOf,
  ActivityMethod,
  Handlers,
  InputOf,
  OrchestrationClass,
  OrchestrationObject,
  OutputOf,
  ServiceClass,
} from './handlers.js';
export type { DurableKv } from './actions/kv.js';
export type { SubOrchestrationOptions } from './actions/sub-orchestration.js';
export type { DetachedStartOptions } from './actions/detached-start.js';
export { Execution, type ExecutionOptions, type Fault } from './execution.js';
export { MessageBuffer, type BufferedMessage, type BufferedKind } from './message-buffer.js';
export { Stand, executionOnStand, type Immediate, type PhaseHooks, type StandUnit } from './stand.js';
export { Turn } from './turn.js';
export type { Input, MessageInput, TimerInput } from './delivery.js';
export { openSchedules, type OpenSchedule } from './open-schedules.js';
export { replayHistory, type ReplayResult } from './replay-history.js';
export { idempotencyKey } from './chance.js';
export { KV_READ_ACTIVITY } from './context.js';
export type { Kept } from './select.js';
export type { LogLine, TurnDraft } from './turn-draft.js';
