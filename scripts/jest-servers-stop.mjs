// Jest's global tear-down: ends the servers that `jest-servers.mjs` started.
export default async function tearDown() {
  await Promise.all((globalThis.durableServers ?? []).map((server) => server.stop()));
}
