export { conformanceCases, runConformanceCase } from './all.js';
export type { ConformanceCase, ConformanceFixture } from './fixture.js';
