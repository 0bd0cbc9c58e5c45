// Completes package-lock.json: `npm run lockfile`, after every change of a dependency.
// A registry that does not serve the builds of every platform makes npm leave them out of the lockfile, and `npm ci` then
// refuses it everywhere. The entries are written from what is known: the version the parent asks for, and the platform in
// the name. They carry no checksum.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const platform = /[-/](darwin|linux|win32|freebsd|android|openharmony)-(\w+?)(?:-(\w+))?$/;
const libcs = { gnu: ['glibc'], glibc: ['glibc'], musl: ['musl'] };

let added = 0;
for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const entry = `node_modules/${name}`;
    if (entry in lock.packages || `${path}/${entry}` in lock.packages) continue;
    const [, os, cpu, abi] = platform.exec(name) ?? [];
    if (!os || !/^\d+\.\d+\.\d+$/.test(version))
      throw new Error(`Unknown kind of optional package: ${name}@${version}`);
    lock.packages[entry] = {
      version,
      cpu: [cpu],
      ...(parent.dev && { dev: true }),
      ...(os === 'linux' && libcs[abi] && { libc: libcs[abi] }),
      license: parent.license,
      optional: true,
      os: [os],
      ...(parent.engines && { engines: parent.engines }),
    };
    added++;
  }
}

const byPath = ([a], [b]) => a.localeCompare(b, 'en');
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(byPath));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} entries added`);
