import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../support/engine.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What must not stand on these floors, and what the message calls it. */
const PLANTED: readonly (readonly [use: string, code: string])[] = [
  ['setTimeout', 'setTimeout(() => undefined, 5);'],
  ['setTimeout', 'export const later = setTimeout;'],
  ['setInterval', 'setInterval(() => undefined, 5);'],
  ['setImmediate', 'setImmediate(() => undefined);'],
  ['queueMicrotask', 'queueMicrotask(() => undefined);'],
  ['globalThis', 'globalThis.setTimeout(() => undefined, 5);'],
  ['Date.now', 'export const now = Date.now();'],
  ['Date.now', "export const now = Date['now']();"],
  ['new Date()', 'export const now = new Date();'],
  ['Date()', 'export const now = Date();'],
  ['Date', 'export const Clock = Date;'],
  ['performance', 'export const now = performance.now();'],
  ['Math.random', 'export const chance = Math.random();'],
  ['Math', 'export const { random } = Math;'],
  ['AbortSignal.timeout', 'export const soon = AbortSignal.timeout(5);'],
  ['crypto', 'export const id = crypto.randomUUID();'],
  ['process', 'process.nextTick(() => undefined);'],
  ['process', 'export const level = process.env.LEVEL;'],
  ['fetch', "void fetch('http://localhost');"],
  ['node:crypto', "import { randomBytes } from 'node:crypto';\nexport const bytes = randomBytes(4);"],
  ['node:crypto', "import * as all from 'node:crypto';\nexport const bytes = all.randomBytes(4);"],
  ['node:timers', "import { setTimeout as later } from 'node:timers';\nlater(() => undefined, 5);"],
  ['node:timers/promises', "import { setTimeout } from 'node:timers/promises';\nvoid setTimeout(5);"],
  ['node:fs', "import { readFileSync } from 'fs';\nexport const text = readFileSync('a');"],
  ['node:net', "import 'node:net';"],
  ['node:http', "export { request } from 'node:http';"],
  ['node:fs/promises', "export const files = await import('node:fs/promises');"],
  ['node:os', "import { hostname } from 'node:os';\nexport const host = hostname();"],
];

const CLEAN: readonly string[] = [
  "import { createHash } from 'node:crypto';\nexport const hash = (text: string) => createHash('sha256').update(text);",
  "import type { Socket } from 'node:net';\nexport type Wire = Socket;",
  "import { types } from 'node:util';\nexport const isDate = types.isDate;",
  'export const at = (ms: number): Date => new Date(ms);',
  'export const day = Date.UTC(2030, 0, 1) + Math.floor(1.5);',
  'export const isDate = (value: unknown) => value instanceof Date;',
  'export const run = (setTimeout: () => void) => setTimeout();',
  'export const ports = { setTimeout: 1, performance: 2 };\nexport const one = ports.setTimeout + ports.performance;',
  'export type Later = typeof setTimeout;',
];

const directory = temporaryDirectory();
afterAll(() => directory.remove());

/** Runs the linter of this checkout over these files: what the rule says, by file. */
function lint(files: Readonly<Record<string, string>>): Map<string, string[]> {
  const place = (path: string): string => {
    mkdirSync(dirname(join(directory.path, path)), { recursive: true });
    return join(directory.path, path);
  };
  for (const path of ['.oxlintrc.json', 'scripts/lint-ports.mjs']) copyFileSync(join(ROOT, path), place(path));
  for (const [path, text] of Object.entries(files)) writeFileSync(place(path), `${text}\n`);
  const oxlint = join(ROOT, 'node_modules', '.bin', 'oxlint');
  const { stdout } = spawnSync(oxlint, ['--format', 'json', 'lib'], { cwd: directory.path, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; message: string; filename: string }[];
  };
  const found = new Map<string, string[]>();
  for (const { code, message, filename } of diagnostics) {
    if (code !== 'nest-durable(ports)') continue;
    found.set(filename, [...(found.get(filename) ?? []), message]);
  }
  return found;
}

describe('The linter', () => {
  const floors = ['core', 'replay', 'replay/actions', 'runtime'];
  const planted = PLANTED.map(([, code], index) => [`lib/${floors[index % 4]}/planted-${index}.ts`, code] as const);
  const clean = CLEAN.map((code, index) => [`lib/core/clean-${index}.ts`, code] as const);
  const elsewhere = ['lib/nest/timer.ts', 'lib/runtime/ports.ts'].map((path) => [path, 'setTimeout(() => 0, 5);']);
  let found: Map<string, string[]>;
  beforeAll(() => {
    const unused = { 'lib/runtime/rejection-watch.ts': 'export const nothing = 1;' };
    found = lint(Object.fromEntries([...planted, ...clean, ...elsewhere, ...Object.entries(unused)]));
  });

  it.each(PLANTED.map(([use, code], index) => ({ use, code, file: planted[index]![0] })))(
    'reports $use in $code',
    ({ use, file }) => {
      expect(found.get(file)?.[0]?.split(' comes from outside')[0]).toBe(use);
    },
  );

  it('leaves alone what is a function of its arguments, a type, or a name of the file', () => {
    expect(clean.flatMap(([file]) => found.get(file) ?? [])).toEqual([]);
  });

  it('leaves alone the ports themselves and the floors above', () => {
    expect(elsewhere.flatMap(([file]) => found.get(file!) ?? [])).toEqual([]);
  });

  it('reports an exception that nothing needs any more', () => {
    expect(found.get('lib/runtime/rejection-watch.ts')).toEqual([expect.stringContaining('take it off the list')]);
  });
});
