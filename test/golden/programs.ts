import type { GoldenProgram } from './golden-program.js';
import { PROGRAMS_OF_ACTIONS } from './programs-of-actions.js';
import { PROGRAMS_OF_CONTROL } from './programs-of-control.js';
import { PROGRAMS_OF_ENDINGS } from './programs-of-endings.js';

export const PROGRAMS: readonly GoldenProgram[] = [
  ...PROGRAMS_OF_ACTIONS,
  ...PROGRAMS_OF_CONTROL,
  ...PROGRAMS_OF_ENDINGS,
];
