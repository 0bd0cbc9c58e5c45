import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Ledger } from '../common/ledger.js';
import { seedOrders } from '../common/seed.js';
import type { PlaceOrder } from '../orders/order.js';
import type { GatewayEntry } from '../payment/payment.service.js';

// The point of the whole: orders are placed, the process is killed in the middle of them and started again; every order
// finishes, and no recorded charge is made twice.

const GENERATED = 200;
const main = fileURLToPath(new URL('../main.js', import.meta.url));
const dataDirectory = mkdtempSync(join(tmpdir(), 'nest-durable-demo-'));
const books = new Ledger<GatewayEntry>(join(dataDirectory, 'charges.ndjson'));
const port = await freePort();
const url = `http://127.0.0.1:${port}/orders`;
const orders: PlaceOrder[] = [
  ...seedOrders(),
  ...Array.from({ length: GENERATED }, (_, index) => ({
    id: String(5_000 + index),
    customer: `customer-${index}@example.com`,
    lines: [{ sku: ['BOOK-TS', 'MUG-DURABLE', 'CABLE-C'][index % 3]!, quantity: 1 + (index % 4) }],
  })),
];

let app = await start();
console.log(`placing ${orders.length} orders`);
await Promise.all(orders.map((order) => call('POST', '', order)));
await until(() => charges() >= orders.length / 4, 'a quarter of the orders is charged');
const before = charges();
app.kill('SIGKILL');
await new Promise((resolve) => app.once('exit', resolve));
console.log(`killed the process (SIGKILL) with ${before} of ${orders.length} orders charged`);

const startedAt = performance.now();
app = await start();
await until(() => books.entries().length > 0 && charges() > before, 'a step resumes');
console.log(`started again: the next charge came ${Math.round(performance.now() - startedAt)} ms after the start of the process`);
await approveWhatWaits();
const finished = await untilFinished();
app.kill('SIGTERM');
await new Promise((resolve) => app.once('exit', resolve));

const entries = books.entries();
const charged = entries.filter(({ kind }) => kind === 'charge');
const doubled = charged.length - new Set(charged.map(({ key }) => key)).size;
const twice = charged.length - new Set(charged.map(({ orderId }) => orderId)).size;
console.log(`\norders finished           ${finished.size} of ${orders.length}`);
for (const [outcome, count] of tally([...finished.values()])) console.log(`  ${outcome.padEnd(24)}${count}`);
console.log(`requests to the gateway   ${entries.filter(({ kind }) => kind === 'begin').length}`);
console.log(`charges                   ${charged.length}`);
console.log(`refunds                   ${entries.filter(({ kind }) => kind === 'refund').length}`);
console.log(`charges made twice        ${doubled + twice}`);
rmSync(dataDirectory, { recursive: true, force: true });
const good = finished.size === orders.length && doubled + twice === 0;
console.log(good ? '\nevery order finished, and no charge was made twice' : '\nSOMETHING IS WRONG');
process.exit(good ? 0 : 1);

function charges(): number {
  return books.entries().filter(({ kind }) => kind === 'charge').length;
}

async function start(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, DATA_DIR: dataDirectory, DURABLE_DB: join(dataDirectory, 'durable.sqlite'), PORT: String(port), AUTO_SHIP: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await until(() => fetch(url).then(({ ok }) => ok, () => false), 'the application answers');
  return child;
}

async function call(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(url + path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!response.ok && response.status !== 409) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

interface Listed {
  readonly id: string;
  readonly status: string;
  readonly stage?: string;
}

async function list(): Promise<Listed[]> {
  const all: Listed[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const page = (await (await fetch(cursor === '' ? url : `${url}?cursor=${cursor}`)).json()) as { orders: Listed[]; cursor?: string };
    all.push(...page.orders);
    cursor = page.cursor;
  }
  return all;
}

async function approveWhatWaits(): Promise<void> {
  const large = new Set<string>();
  await until(async () => {
    for (const { id, stage } of await list()) {
      if (stage !== 'waiting for approval' || large.has(id)) continue;
      large.add(id);
      await call('POST', `/${id}/approval`, { approved: true, by: 'demo@example.com' });
    }
    return large.size === 2;
  }, 'the two large orders of the seed ask for approval');
}

async function untilFinished(): Promise<Map<string, string>> {
  const finished = new Map<string, string>();
  await until(async () => {
    for (const { id, status, stage } of await list()) {
      if (status === 'Completed') finished.set(id, stage ?? status);
      else if (status !== 'Running' && status !== 'Pending') finished.set(id, status);
    }
    return finished.size === orders.length;
  }, 'every order finishes');
  return finished;
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const limit = performance.now() + 50_000;
  while (!(await holds())) {
    if (performance.now() > limit) throw new Error(`waited too long until ${what}`);
    await sleep(10);
  }
}

function tally(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
