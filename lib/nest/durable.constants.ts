/** Plain strings: two copies of this package in one process, ESM and CJS, must read each other's metadata. */
export const ORCHESTRATION_METADATA = 'durable:orchestration';
export const ACTIVITY_METADATA = 'durable:activity';
export const ACTIVITY_CONTEXT_METADATA = 'durable:activity-context';

export const DEFAULT_RUNTIME = 'default';

/** Before the name of a runtime: the token of what keeps it going. How several runtimes of one application know of each other. */
export const LIFECYCLE_TOKEN_PREFIX = 'durable:lifecycle:';
