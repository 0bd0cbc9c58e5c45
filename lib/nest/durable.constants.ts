/** Plain strings: two copies of this package in one process, ESM and CJS, must read each other's metadata. */
export const ORCHESTRATION_METADATA = 'durable:orchestration';
export const ACTIVITY_METADATA = 'durable:activity';
export const ACTIVITY_CONTEXT_METADATA = 'durable:activity-context';

export const DEFAULT_RUNTIME = 'default';
