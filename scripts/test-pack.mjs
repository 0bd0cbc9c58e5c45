// Tries the package as its users get it: packs it, installs the tarball into fresh applications in a temporary directory,
// compiles them, and runs one orchestration to its end in each. Without `--built` it builds the library first.
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const { NODE_OPTIONS: _, ...userEnvironment } = process.env; // the flags of our .npmrc are not set at a user's
const subpaths = ['nest-durable', 'nest-durable/provider', 'nest-durable/testing'];

class Failure extends Error {}

const directory = mkdtempSync(join(tmpdir(), 'nest-durable-pack-'));
try {
  if (!process.argv.includes('--built')) npm(['run', '--silent', 'build:lib'], root);
  const tarball = pack();
  install(tarball);
  for (const type of ['module', 'commonjs']) compileConsumer(type);
  checkDeclarations();

  const expected = 'Hello, x!';
  expect('an ESM application', node(['module/main.js', 'module.sqlite']), expected);
  expect('a CommonJS application', node(['commonjs/main.js', 'commonjs.sqlite']), expected);
  // Node itself hands out the ES modules to require() too; dist/cjs is for tools that cannot. So it is asked for by path here.
  writeFileSync(join(directory, 'use-dist-cjs.cjs'), useDistCjs());
  expect('dist/cjs', node(['-r', './use-dist-cjs.cjs', 'commonjs/main.js', 'cjs-build.sqlite']), expected);
  writeFileSync(join(directory, 'same-instance.cjs'), sameInstance());
  expect('import and require', node(['same-instance.cjs']), 'same');
} catch (error) {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function pack() {
  const [{ filename, files }] = JSON.parse(
    npm(['pack', '--json', '--ignore-scripts', '--pack-destination', directory], root),
  );
  const paths = files.map(({ path }) => path);
  const entries = ['lib', 'cjs'].flatMap((build) =>
    ['', 'provider/', 'testing/'].flatMap((folder) => ['js', 'd.ts'].map((it) => `dist/${build}/${folder}index.${it}`)),
  );
  const beside = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE'];
  const missing = [...beside, ...entries, 'dist/cjs/package.json'].filter((path) => !paths.includes(path));
  if (missing.length > 0) throw new Failure(`The tarball lacks ${missing.join(', ')}.`);
  const strange = paths.filter((path) => !beside.includes(path) && !/^dist\/(lib|cjs)\//.test(path));
  if (strange.length > 0) throw new Failure(`The tarball holds what no user needs: ${strange.join(', ')}.`);
  return filename;
}

/** One node_modules for both applications, with the versions this checkout has, so that npm finds them in its cache. */
function install(tarball) {
  const names = [
    '@nestjs/common',
    '@nestjs/core',
    'reflect-metadata',
    'rxjs',
    'typeorm',
    'better-sqlite3',
    '@types/node',
  ];
  const dependencies = Object.fromEntries(names.map((name) => [name, installedVersion(name)]));
  dependencies['nest-durable'] = `file:${tarball}`;
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'consumer', private: true, dependencies }));
  // No install scripts: better-sqlite3 would compile for more than a minute what is compiled here already.
  const quiet = [
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--loglevel=error',
  ];
  npm(['install', ...quiet, '--prefix', directory], directory);
  const addon = 'build/Release/better_sqlite3.node';
  mkdirSync(join(directory, 'node_modules/better-sqlite3/build/Release'), { recursive: true });
  copyFileSync(join(root, 'node_modules/better-sqlite3', addon), join(directory, 'node_modules/better-sqlite3', addon));
}

function installedVersion(name) {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
}

function compileConsumer(type) {
  const folder = join(directory, type);
  cpSync(join(root, 'scripts/test-pack'), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type }));
  const { status, stdout } = tsc(['-p', folder]);
  if (status !== 0) throw new Failure(`The ${type} application does not compile:\n${stdout}`);
}

/** The declarations must hold for users who check their libraries too, and who have only our dependencies installed. */
function checkDeclarations() {
  const { stdout } = tsc(['-p', join(directory, 'module'), '--noEmit', '--skipLibCheck', 'false', '--pretty', 'false']);
  const ours = stdout.split('\n').filter((line) => line.includes('node_modules/nest-durable/'));
  if (ours.length > 0) throw new Failure(`Declarations that do not compile at a user's:\n${ours.join('\n')}`);
}

function useDistCjs() {
  return `
const Module = require('node:module');
const { join } = require('node:path');
const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  if (request === 'nest-durable') return join(__dirname, 'node_modules/nest-durable/dist/cjs/index.js');
  return resolve.call(this, request, ...rest);
};
`;
}

function sameInstance() {
  return `
void (async () => {
  for (const name of ${JSON.stringify(subpaths)}) {
    const required = require(name);
    const imported = await import(name);
    for (const key of Object.keys(imported))
      if (required[key] !== imported[key]) throw new Error(name + ' gives two different ' + key);
  }
  console.log('same');
})();
`;
}

function expect(what, { status, signal, stdout, stderr }, expected) {
  if (status === 0 && stdout.trim().split('\n').at(-1) === expected) return console.log(`${what}: ok`);
  throw new Failure(
    `${what}: exit ${status ?? signal ?? 'after the time limit'}, expected "${expected}"\n${stdout}${stderr}`,
  );
}

function node(args) {
  return spawnSync(process.execPath, args, { cwd: directory, env: userEnvironment, encoding: 'utf8', timeout: 40_000 });
}

function tsc(args) {
  return spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), ...args], { encoding: 'utf8' });
}

function npm(args, cwd) {
  const command = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath, ...args] : ['npm', ...args];
  const done = spawnSync(command[0], command.slice(1), {
    cwd,
    env: userEnvironment,
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (done.status !== 0) throw new Failure(`npm ${args.join(' ')} failed:\n${done.stdout}${done.stderr}`);
  return done.stdout;
}
