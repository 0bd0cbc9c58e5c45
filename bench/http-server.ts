import 'reflect-metadata';
import { createServer } from 'node:http';
import { inParallel, startBenchEngine } from './engine.js';

// A process that serves HTTP while it runs instances as fast as it can.
const engine = await startBenchEngine(process.argv[2]!);
await engine.client.startOrchestration('wait', undefined, { instanceId: 'asked' });
const server = createServer((_, response) => {
  void engine.client.getOrchestrationStatus('asked').then((status) => response.end(JSON.stringify(status)));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send!(typeof address === 'object' ? address?.port : 0);
});
let done = 0;
const startedAt = performance.now();
process.on('message', () => process.send!((done / (performance.now() - startedAt)) * 1_000));
await inParallel(Number.MAX_SAFE_INTEGER, 50, async (index) => {
  const handle = await engine.client.startOrchestration('hello', 'Ada', { instanceId: `load-${index}` });
  await handle.result();
  done++;
});
