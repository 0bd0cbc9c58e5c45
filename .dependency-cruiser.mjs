/**
 * The floors of lib/: imports point downwards only, type-only imports included. Run by `npm run check:floors`.
 * A folder may import itself, the folders named in `imports`, and the packages named in `packages`; anything else is an error.
 */
const floors = {
  core: { imports: [], packages: ['devalue', 'node:util', 'node:crypto'] },
  replay: { imports: ['core'], packages: ['node:util', 'node:crypto'] },
  provider: { imports: ['core'], packages: [] },
  'providers/typeorm': { imports: ['core', 'provider'], packages: ['typeorm', 'better-sqlite3', 'node:*'] },
  runtime: { imports: ['core', 'replay', 'provider'], packages: ['node:*'] },
  client: { imports: ['core', 'replay', 'provider', 'runtime'], packages: ['node:*'] },
  nest: {
    imports: ['core', 'replay', 'provider', 'providers/typeorm', 'runtime', 'client'],
    packages: ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs', 'node:*'],
    typesOf: ['typeorm'],
  },
  testing: { imports: ['core', 'provider'], packages: ['node:*'], typesFrom: ['lib/runtime/ports.ts'] },
};

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const folder = (name) => `^lib/${escape(name)}/`;
const file = (path) => `^${escape(path)}$`;

/** Paths an import of the package may resolve to: its folder in node_modules or that of its types, or a built-in module. */
function packagePaths(name) {
  if (name === 'node:*') return [];
  if (name.startsWith('node:')) return [`^(node:)?${escape(name.slice('node:'.length))}$`];
  return [`^node_modules/(@types/)?${escape(name)}/`, `^${escape(name)}$`];
}

const floorRules = Object.entries(floors).map(([name, { imports, packages, typesOf = [], typesFrom = [] }]) => ({
  name: `floor-${name.replace('/', '-')}`,
  comment: `lib/${name} may import ${[...imports.map((it) => `lib/${it}`), ...packages, ...[...typesOf, ...typesFrom].map((it) => `types of ${it}`)].join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: folder(name) },
  to: {
    pathNot: [
      folder(name),
      ...imports.map(folder),
      ...[...packages, ...typesOf].flatMap(packagePaths),
      ...typesFrom.map(file),
    ],
    ...(packages.includes('node:*') && { dependencyTypesNot: ['core'] }),
  },
}));

const typesOnlyRules = Object.entries(floors)
  .filter(([, { typesOf, typesFrom }]) => typesOf ?? typesFrom)
  .map(([name, { typesOf = [], typesFrom = [] }]) => ({
    name: `types-only-${name}`,
    comment: `lib/${name} may import only types of ${[...typesOf, ...typesFrom].join(', ')}`,
    severity: 'error',
    from: { path: folder(name) },
    to: { path: [...typesOf.flatMap(packagePaths), ...typesFrom.map(file)], dependencyTypesNot: ['type-only'] },
  }));

export default {
  forbidden: [
    ...floorRules,
    ...typesOnlyRules,
    {
      name: 'known-floor',
      comment: 'Every file of lib/ stands in index.ts, on a floor named above, or in dashboard/',
      severity: 'error',
      from: {
        path: '^lib/',
        pathNot: ['^lib/index\\.ts$', ...Object.keys(floors).map(folder), '^lib/dashboard/'],
      },
      to: {},
    },
    {
      name: 'nothing-above-index',
      comment: 'lib/index.ts, testing/ and dashboard/ are entrances: nobody inside imports them',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/(testing|dashboard)/' },
      to: { path: '^lib/(index\\.ts$|testing/)' },
    },
    {
      name: 'public-nest-only',
      comment: 'No import from the insides of a Nest package',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^node_modules/@nestjs/[^/]+/(?!(dist/)?index\\.)' },
    },
    {
      name: 'published-dependencies-only',
      comment: 'What lib/ imports must be a dependency or a peer of the published package',
      severity: 'error',
      from: { path: '^lib/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'undetermined'],
        dependencyTypesNot: ['npm', 'npm-peer', 'type-only'],
      },
    },
    {
      name: 'resolvable',
      comment: 'The import leads to no file',
      severity: 'error',
      from: { path: '^lib/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'no-cycle',
      comment: 'Files that import each other (type-only imports aside)',
      severity: 'error',
      from: { path: '^lib/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules'] },
    exclude: { path: '^dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
