import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { buildSimulation } from './build-simulation.mjs';

const directory = fileURLToPath(new URL('../dist/simulation', import.meta.url));
const [program, ...options] = process.argv.slice(2);

buildSimulation(directory);
const { status } = spawnSync(process.execPath, [`${directory}/test/simulation/${program}.js`, ...options], {
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
