import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = ['lib', 'test/simulation', 'test/crash'];

/** The library and its simulation as plain JavaScript in `directory`, with the sources it was made of. */
export function buildSimulation(directory) {
  rmSync(directory, { recursive: true, force: true });
  for (const folder of SOURCES) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.spec.ts')) continue;
      const file = `${folder}/${name}`;
      const source = readFileSync(join(ROOT, file), 'utf8');
      write(join(directory, 'sources', file), source);
      writeCompiled(directory, file, source);
    }
  }
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
}

/** A copy of a build with one defect in it: that is how it gets there without a switch in the product. */
export function buildMutant(base, directory, mutant, mutated) {
  rmSync(directory, { recursive: true, force: true });
  cpSync(base, directory, { recursive: true, filter: (source) => !source.endsWith('node_modules') });
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  for (const file of new Set(mutant.changes.map((change) => change.file)))
    writeCompiled(directory, file, mutated(mutant, file, readFileSync(join(base, 'sources', file), 'utf8')));
}

/** Compiles one source into a build that exists. */
function writeCompiled(directory, file, source) {
  const { code } = transformSync(source, {
    filename: file,
    swcrc: false,
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
    module: { type: 'es6' },
  });
  write(join(directory, file.replace(/\.ts$/, '.js')), code);
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
