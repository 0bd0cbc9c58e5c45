import { modelFixture } from './model-fixture.js';
import { runCasesOn } from './run-cases.js';

// Each seed is another order in which transactions overlap.
for (const seed of [1, 2, 3]) runCasesOn(`the model, seed ${seed}`, modelFixture(seed));
