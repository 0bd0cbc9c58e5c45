export type * from './batch.js';
export type * from './provider.js';
