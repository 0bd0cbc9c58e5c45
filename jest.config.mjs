/** Jest in ESM mode (.npmrc passes the Node flag it needs). Tests run against the sources of the library, not against dist/. */
export default {
  testEnvironment: 'node',
  globalSetup: './scripts/jest-servers.mjs',
  globalTeardown: './scripts/jest-servers-stop.mjs',
  roots: ['<rootDir>/test'],
  testRegex: '\\.spec\\.ts$',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^nest-durable$': '<rootDir>/lib/index.ts',
    '^nest-durable/provider$': '<rootDir>/lib/provider/index.ts',
    '^nest-durable/testing$': '<rootDir>/lib/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
  maxWorkers: '100%',
  testTimeout: 20_000,
  workerIdleMemoryLimit: '1GB',
};
