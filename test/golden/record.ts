/**
 * `npm run golden:record [-- --force] [-- name ...]`: records the programs that have no histories of the present format.
 * With `--force` also those that have: they are the promise that histories of a published version still replay.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ENGINE_FORMAT } from '../../lib/core/limits.js';
import { fileName, writeGolden } from './golden-file.js';
import { PROGRAMS } from './programs.js';
import { record } from './recording.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    force: { type: 'boolean', default: false },
    directory: { type: 'string', default: join('test', 'golden', 'histories') },
  },
});
const unknown = positionals.filter((name) => !PROGRAMS.some((program) => program.name === name));
if (unknown.length > 0) {
  console.error(`No golden program is called ${unknown.join(', ')}`);
  process.exit(2);
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const asked = PROGRAMS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
let kept = 0;
for (const program of asked) {
  const name = fileName(program.name, ENGINE_FORMAT);
  if (existsSync(join(values.directory, name)) && !values.force) {
    kept++;
    // Asked for by name: say why nothing happens.
    if (positionals.length > 0) {
      console.error(`${name} exists and stays: --force overwrites it`);
      process.exitCode = 1;
    }
    continue;
  }
  writeGolden(values.directory, await record(program, version));
  console.log(`recorded ${name}`);
}
console.log(`${asked.length - kept} recorded, ${kept} left as they were`);
