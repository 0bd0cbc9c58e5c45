export type * from './batch.js';
export type * from './fleet.js';
export type * from './provider.js';
