import { fork } from 'node:child_process';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { withDirectory } from './engine.js';

const SECONDS = 8;

/** p99 of a status request, asked 100 times a second, while the same process runs orders as fast as it can. */
export const httpP99 = (): Promise<{ value: number; note: string }> =>
  withDirectory(async (file) => {
    const server = fork(fileURLToPath(new URL('./http-server.js', import.meta.url)), [file], { execArgv: [] });
    const port = await new Promise<number>((resolve) =>
      server.once('message', (message) => resolve(message as number)),
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    await load(port, agent, 1_500); // warms the compiler
    const times = (await load(port, agent, SECONDS * 1_000)).sort((a, b) => a - b);
    const rate = await new Promise<number>((resolve) => {
      server.once('message', (message) => resolve(message as number));
      server.send('rate');
    });
    server.kill('SIGKILL');
    agent.destroy();
    const at = (share: number): number => times[Math.floor(times.length * share)]!;
    return {
      value: at(0.99),
      note: `p50 ${at(0.5).toFixed(1)}, ${times.length} requests, ${Math.round(rate).toLocaleString('en')} instances/s meanwhile`,
    };
  });

async function load(port: number, agent: Agent, ms: number): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + ms;
  const open: Promise<void>[] = [];
  while (performance.now() < until) {
    open.push(ask(port, agent).then((took) => void times.push(took)));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await Promise.all(open);
  return times;
}

function ask(port: number, agent: Agent): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    request({ port, agent, path: '/status' }, (response) => {
      response.resume();
      response.on('end', () => resolve(performance.now() - startedAt));
    })
      .on('error', reject)
      .end();
  });
}
