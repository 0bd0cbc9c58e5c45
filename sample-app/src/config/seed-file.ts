import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** From sample-app/src/config, and from dist/sample-app/config. */
const PLACES = ['../../seed/', '../../../sample-app/seed/'];

/** The content of a file in sample-app/seed. */
export function readSeedFile<T>(name: string): T {
  const files = PLACES.map((place) => fileURLToPath(new URL(`${place}${name}`, import.meta.url)));
  const file = files.find((path) => existsSync(path));
  if (file === undefined) throw new Error(`There is no seed file ${name}; looked for ${files.join(' and ')}.`);
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}
