import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readSeedFile } from '../config/seed-file.js';
import type { OrderView } from '../orders/dto/order-view.dto.js';
import type { Order } from '../orders/order.js';
import type { ChargeEntry } from '../payment/payment-gateway.js';
import { OrderServiceProcess } from './order-service-process.js';

// Places orders, kills the process in the middle of charging cards, starts it again, waits until every order has ended,
// and then counts what was charged. Ends with exit code 1 if anything is wrong.

const GENERATED = 200;
const DEADLINE_MS = 55_000;
const FINAL = ['Completed', 'Failed', 'Cancelled', 'Terminated'];

type Line = ChargeEntry & { readonly at: string };

const dataDirectory = mkdtempSync(join(tmpdir(), 'nest-durable-crash-'));
const deadline = Date.now() + DEADLINE_MS;
try {
  const orders = [
    ...readSeedFile<Order[]>('orders.json'),
    ...Array.from({ length: GENERATED }, (_, n) => generated(n)),
  ];
  const problems = await crash(orders);
  for (const problem of problems) console.log(`WRONG: ${problem}`);
  console.log(problems.length === 0 ? '\nEvery order ended, and no card was charged twice.' : '\nSomething is wrong.');
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(dataDirectory, { recursive: true, force: true });
}

async function crash(orders: readonly Order[]): Promise<string[]> {
  let service = await OrderServiceProcess.start(dataDirectory);
  console.log(`Placing ${orders.length} orders.`);
  const placing = Promise.all(orders.map((order) => service.place(order)));
  await until('a third of the orders is charged', () => charged().length >= orders.length / 3);
  await service.kill('SIGKILL');
  const killedAt = Date.now();
  const answered = await placing;
  const before = charges();
  const open = unanswered(before);
  const chargedBefore = before.filter(({ kind }) => kind === 'charged').length;
  console.log(`SIGKILL with ${chargedBefore} cards charged and ${open} requests to the gateway without an answer.`);

  service = await OrderServiceProcess.start(dataDirectory);
  console.log(`Started again: it listens ${Date.now() - killedAt} ms after the kill.`);
  // Who got no answer asks again: 409 says that the first request had been stored.
  const again = await Promise.all(orders.filter((_, index) => !answered[index]).map((order) => service.place(order)));
  const ended = await endOf(service, orders.length);
  const twiceInHistory = await chargedTwiceInHistory(service, ended);
  await service.kill('SIGTERM');
  return report({ orders, ended, again, twiceInHistory, chargedBefore, killedAt });
}

/** Approves what waits for a human; the warehouse of the service ships by itself. */
async function endOf(service: OrderServiceProcess, count: number): Promise<OrderView[]> {
  const approved = new Set<string>();
  let orders: OrderView[] = [];
  await until('every order has ended', async () => {
    orders = await service.list();
    const waiting = orders.filter(({ id, progress }) => progress?.stage === 'awaiting-approval' && !approved.has(id));
    for (const { id } of waiting) approved.add(id);
    await Promise.all(waiting.map(({ id }) => service.approve(id, { approved: true, by: 'the demo' })));
    return orders.filter(({ status }) => FINAL.includes(status)).length === count;
  });
  return orders;
}

async function chargedTwiceInHistory(service: OrderServiceProcess, orders: readonly OrderView[]): Promise<number> {
  let twice = 0;
  for (const { id } of orders) {
    const history = await service.history(id);
    const isCharge = new Set(history.filter(({ name }) => name === 'payment.charge').map((event) => event.id));
    const completed = history.filter(
      ({ kind, scheduleId }) => kind === 'ActivityCompleted' && isCharge.has(scheduleId!),
    );
    if (completed.length > 1) twice++;
  }
  return twice;
}

interface Outcome {
  readonly orders: readonly Order[];
  readonly ended: readonly OrderView[];
  readonly again: readonly boolean[];
  readonly twiceInHistory: number;
  readonly chargedBefore: number;
  readonly killedAt: number;
}

function report({ orders, ended, again, twiceInHistory, chargedBefore, killedAt }: Outcome): string[] {
  const lines = charges();
  const money = lines.filter(({ kind }) => kind === 'charged');
  const keysTwice = repeated(money.map(({ key }) => key));
  const ordersTwice = repeated(money.map(({ orderId }) => orderId));
  const resumed = firstLineAfter(killedAt);
  const byOutcome = tally(ended.map(({ status, result }) => result?.outcome ?? status));

  console.log(`
orders ended                        ${ended.length} of ${orders.length}
${[...byOutcome].map(([outcome, count]) => `  ${outcome.padEnd(34)}${count}`).join('\n')}
placed again after the crash        ${again.length}
charge attempts begun               ${lines.filter(({ kind }) => kind === 'begun').length}
charges recorded by the gateway     ${money.length} (${chargedBefore} before the crash)
idempotency keys charged twice      ${keysTwice}
orders charged twice                ${ordersTwice}
orders with two charges in history  ${twiceInHistory}
first step after the kill           ${resumed === undefined ? 'none' : `${resumed - killedAt} ms`}`);

  const toBeCharged = ended.filter(({ result }) => result?.outcome === 'shipped').length;
  return [
    ...(again.every(Boolean) ? [] : ['an order could not be placed again']),
    ...(ended.length === orders.length ? [] : ['not every order ended']),
    ...(ended.every(({ status }) => status === 'Completed') ? [] : ['an order did not complete']),
    ...(money.length === toBeCharged ? [] : [`${toBeCharged} orders were shipped, ${money.length} were charged`]),
    ...(keysTwice + ordersTwice + twiceInHistory === 0 ? [] : ['a card was charged twice']),
    ...(chargedBefore > 0 && chargedBefore < money.length ? [] : ['the kill did not come in the middle']),
  ];
}

/** What the books say, line by line; a line that is being written does not count yet. */
function book<T>(name: string): T[] {
  const file = join(dataDirectory, name);
  const whole = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  return whole.map((line) => JSON.parse(line) as T);
}

function charges(): Line[] {
  return book<Line>('charges.ndjson');
}

function charged(): Line[] {
  return charges().filter(({ kind }) => kind === 'charged');
}

/** Requests the gateway had begun, and neither charged nor refused, when the process died. */
function unanswered(lines: readonly Line[]): number {
  const begun = lines.filter(({ kind }) => kind === 'begun').length;
  return begun - (lines.length - begun);
}

function firstLineAfter(moment: number): number | undefined {
  const books = readdirSync(dataDirectory).filter((name) => name.endsWith('.ndjson'));
  const times = books.flatMap((name) => book<{ at: string }>(name)).map(({ at }) => Date.parse(at));
  const after = times.filter((at) => at > moment);
  return after.length === 0 ? undefined : Math.min(...after);
}

function generated(n: number): Order {
  const skus = ['TEA-GREEN', 'TEA-BLACK', 'MATCHA-TIN', 'WHISK', 'CUP-SET'];
  const lines = Array.from({ length: 1 + (n % 3) }, (_, line) => ({
    sku: skus[(n + line) % skus.length]!,
    quantity: 1 + ((n + line) % 4),
  }));
  if (n % 20 === 7) lines.push({ sku: 'TEA-TABLE', quantity: 2 });
  const card = n % 25 === 11 ? 'tok_declined' : 'tok_visa';
  return { id: `G-${String(n).padStart(3, '0')}`, customer: `customer-${n}@example.com`, card, lines };
}

function repeated(values: readonly string[]): number {
  return [...tally(values).values()].filter((count) => count > 1).length;
}

function tally(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`The demo ran out of time before ${what}.`);
    await delay(25);
  }
}
