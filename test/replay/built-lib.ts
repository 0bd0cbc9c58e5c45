import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A change of one source file: `find` stands in it exactly once. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The sources of the library, or of other `folders`, as plain JavaScript in `directory`, for a process without Jest. */
export function buildInto(directory: string, folders: readonly string[] = ['lib'], patch?: Patch): void {
  let patched = false;
  for (const folder of folders) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.spec.ts')) continue;
      const file = `${folder}/${name}`;
      const source = file === patch?.file ? undefined : compiled(file);
      patched ||= source === undefined;
      const target = join(directory, file.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, source ?? transformed(changed(patch!)));
    }
  }
  if (patch !== undefined && !patched) throw new Error(`${patch.file} is not among the sources`);
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
}

const cache = new Map<string, string>();

function compiled(file: string): string {
  let code = cache.get(file);
  if (code === undefined) cache.set(file, (code = transformed(readFileSync(join(ROOT, file), 'utf8'))));
  return code;
}

function changed({ file, find, replace }: Patch): string {
  const parts = readFileSync(join(ROOT, file), 'utf8').split(find);
  if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times, not once: ${find}`);
  return parts.join(replace);
}

function transformed(source: string): string {
  return transformSync(source, {
    swcrc: false,
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
    module: { type: 'es6' },
  }).code;
}
