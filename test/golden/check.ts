/** `npm run golden:check`: replays the golden histories in a plain process, on whatever version of Node runs it. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explained, replayed } from './checking.js';
import { goldenFiles, readGolden } from './golden-file.js';

const { values } = parseArgs({
  options: { directory: { type: 'string', default: join('test', 'golden', 'histories') } },
});
let differing = 0;
const files = goldenFiles(values.directory);
for (const file of files) {
  const mismatch = await replayed(readGolden(values.directory, file));
  if (mismatch === undefined) continue;
  differing++;
  console.log(`${explained(file, mismatch)}\n`);
}
console.log(`${files.length - differing} of ${files.length} replay as recorded, on Node ${process.version}`);
process.exitCode = differing > 0 || files.length === 0 ? 1 : 0;
