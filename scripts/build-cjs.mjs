// Compiles the CommonJS twin of the library into dist/cjs: it serves tools that cannot require() an ES module.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(`${root}/dist/cjs`, { recursive: true, force: true });
try {
  execFileSync(process.execPath, [tsc, '-p', 'lib/tsconfig.cjs.json'], { cwd: root, stdio: 'inherit' });
} catch {
  process.exit(1); // tsc has said why
}
writeFileSync(`${root}/dist/cjs/package.json`, `${JSON.stringify({ type: 'commonjs' })}\n`);
