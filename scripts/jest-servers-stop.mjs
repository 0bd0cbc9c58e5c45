// Jest's global tear-down: ends the server that `jest-servers.mjs` started.
export default async function tearDown() {
  await globalThis.durablePostgres?.stop();
}
