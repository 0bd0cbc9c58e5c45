import { spawn, type ChildProcess } from 'node:child_process';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withDirectory } from './engine.js';

const SECONDS = 10;
/** Clients that place orders without a pause; with them the application uses its core up. */
const PLACERS = 4;

/** p99 of a status request, 100 a second, while the sample application is flooded with orders and carries them out. */
export const httpP99 = (): Promise<{ value: number; note: string }> =>
  withDirectory(async (file) => {
    const port = await freePort();
    const application = startApplication(dirname(file), port);
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    try {
      await untilUp(port, agent);
      await place(port, agent, 'asked');
      await load(port, agent, 3_000); // warms the compiler
      const { times, placed } = await load(port, agent, SECONDS * 1_000);
      const at = (share: number): number => times[Math.floor(times.length * share)]!;
      return {
        value: at(0.99),
        note: `p50 ${at(0.5).toFixed(1)}, ${times.length} requests, ${Math.round(placed / SECONDS)} orders/s meanwhile`,
      };
    } finally {
      application.kill('SIGKILL');
      agent.destroy();
    }
  });

function startApplication(directory: string, port: number): ChildProcess {
  const main = fileURLToPath(new URL('../sample-app/main.js', import.meta.url));
  const env = { ...process.env, DATA_DIR: directory, PORT: String(port), AUTO_SHIP: '1', GATEWAY_LATENCY_MS: '1' };
  return spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] });
}

async function load(port: number, agent: Agent, ms: number): Promise<{ times: number[]; placed: number }> {
  const times: number[] = [];
  let placed = 0;
  const until = performance.now() + ms;
  const placers = Array.from({ length: PLACERS }, async (_, lane) => {
    for (let index = 0; performance.now() < until; index++) {
      await place(port, agent, `${lane}-${Math.round(until)}-${index}`);
      placed++;
    }
  });
  const asked: Promise<void>[] = [];
  while (performance.now() < until) {
    const startedAt = performance.now();
    asked.push(call(port, agent, 'GET', '/orders/asked').then(() => void times.push(performance.now() - startedAt)));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await Promise.all([...placers, ...asked]);
  return { times: times.sort((a, b) => a - b), placed };
}

const place = (port: number, agent: Agent, id: string): Promise<void> =>
  call(port, agent, 'POST', '/orders', {
    id,
    customer: 'ada@example.com',
    lines: [{ sku: 'TEA-GREEN', quantity: 1 }],
  });

function call(port: number, agent: Agent, method: string, path: string, body?: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { port, agent, method, path, headers: { 'content-type': 'application/json' } },
      (response) => {
        response.resume();
        response.on('end', () => {
          if (response.statusCode! < 300) resolve();
          else reject(new Error(`${method} ${path} answered ${response.statusCode}`));
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function untilUp(port: number, agent: Agent): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call(port, agent, 'GET', '/orders');
    } catch (error) {
      if (attempt === 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
