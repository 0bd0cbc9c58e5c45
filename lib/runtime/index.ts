export { DurableRuntime } from './durable-runtime.js';
export {
  Registry,
  DEFAULT_VERSION,
  type ActivityFunction,
  type ActivityRegistration,
  type OrchestrationRegistration,
} from './registry.js';
export { checkEngineOptions, type EngineOptions, type RuntimeOptions } from './runtime-options.js';
export { currentActivityContext } from './activity-context.js';
export { systemPorts, type Clock, type Ports, type SetTimer } from './ports.js';
export { silentLog, type EngineCounters, type EngineLog } from './telemetry.js';
