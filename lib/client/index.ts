export { DurableClient, type IdReuse, type SendOptions, type StartOptions } from './durable-client.js';
export { DurableManagement, type PageOptions } from './durable-management.js';
export { OrchestrationHandle } from './orchestration-handle.js';
export type { OrchestrationStatus } from './outcome.js';
