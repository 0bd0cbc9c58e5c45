export { Activity, type ActivityDecoratorOptions } from './decorators/activity.decorator.js';
export { ActivityContext, ActivityCtx } from './decorators/activity-ctx.decorator.js';
export { getDurableClientToken, InjectDurableClient } from './decorators/inject-durable-client.decorator.js';
export { Orchestration, type OrchestrationOptions } from './decorators/orchestration.decorator.js';
export { DURABLE_MODULE_OPTIONS, type DurableOptionsFactory } from './durable.module-definition.js';
export { DurableModule } from './durable.module.js';
export type { DurableModuleExtras, DurableModuleOptions } from './durable-options.js';
