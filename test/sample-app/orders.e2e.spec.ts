import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import request from 'supertest';
import { AppModule } from '../../sample-app/src/app.module.js';
import { SampleConfig } from '../../sample-app/src/config/sample-config.js';
import type { HistoryEntry } from '../../sample-app/src/orders/dto/history-entry.dto.js';
import type { OrderView } from '../../sample-app/src/orders/dto/order-view.dto.js';
import type { Stage } from '../../sample-app/src/orders/order.js';
import { setUpSwagger } from '../../sample-app/src/swagger.js';
import { eventually, temporaryDirectory } from '../support/engine.js';

const DEMO = fileURLToPath(new URL('../../dist/sample-app/demo/crash-demo.js', import.meta.url));
const SHIPMENT = { trackingId: 'PX-42', carrier: 'parcel-express' };
const FINAL = ['Completed', 'Failed', 'Cancelled', 'Terminated'];

let directory: ReturnType<typeof temporaryDirectory>;
let app: INestApplication;

async function boot(settings: Partial<SampleConfig> = {}): Promise<void> {
  const dataDirectory = directory.path;
  const config = new SampleConfig({
    dataDirectory,
    database: join(dataDirectory, 'durable.sqlite'),
    gatewayLatencyMs: 2,
    ...settings,
  });
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(SampleConfig)
    .useValue(config)
    .compile();
  app = module.createNestApplication({ logger: false });
  setUpSwagger(app);
  await app.init();
}

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await app?.close();
  directory.remove();
});

const http = () => request(app.getHttpServer());
const TEA = [{ sku: 'TEA-GREEN', quantity: 2 }];
const TABLE = [
  { sku: 'TEA-TABLE', quantity: 1 },
  { sku: 'TEA-POT', quantity: 1 },
];

async function place(id: string, lines: object[] = TEA, more: object = {}): Promise<void> {
  await http()
    .post('/orders')
    .send({ id, customer: 'ada@example.com', lines, ...more })
    .expect(201);
}
const view = async (id: string): Promise<OrderView> =>
  (await http().get(`/orders/${id}`).expect(200)).body as OrderView;
const inStage = (id: string, stage: Stage) =>
  eventually(
    () => view(id),
    ({ progress }) => progress?.stage === stage,
  );
const ended = (id: string) =>
  eventually(
    () => view(id),
    ({ status }) => FINAL.includes(status),
  );

/** The activities of an order, in the order in which they were scheduled. */
async function activities(id: string): Promise<(string | undefined)[]> {
  const { body } = await http().get(`/orders/${id}/history`).expect(200);
  return (body as HistoryEntry[]).filter(({ kind }) => kind === 'ActivityScheduled').map(({ name }) => name);
}

function ledger(name: string): { kind?: string; sku?: string; channel?: string; key: string }[] {
  const file = join(directory.path, `${name}.ndjson`);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as { key: string });
}
const kinds = (name: string) => ledger(name).map(({ kind }) => kind);
const money = () => kinds('charges').filter((kind) => kind === 'charged' || kind === 'refunded');

describe('an order', () => {
  it('is priced, charged once and shipped', async () => {
    await boot();
    await place('A-1');
    await inStage('A-1', 'awaiting-shipment');
    await http().post('/orders/A-1/warehouse-shipped').send(SHIPMENT).expect(202);
    expect(await ended('A-1')).toMatchObject({
      id: 'A-1',
      status: 'Completed',
      progress: { stage: 'done', cents: 1780 },
      result: { outcome: 'shipped', cents: 1780, shipment: SHIPMENT },
    });
    expect(money()).toEqual(['charged']);
    expect(ledger('shipments')).toHaveLength(1);
    expect(ledger('notifications').map(({ channel }) => channel)).toEqual(['email']);
  });

  it('is shipped when the warehouse was faster than the bank', async () => {
    await boot();
    await place('A-2');
    await http().post('/orders/A-2/warehouse-shipped').send(SHIPMENT).expect(202);
    expect((await ended('A-2')).result?.outcome).toBe('shipped');
  });

  it('is shipped by the simulated warehouse', async () => {
    await boot({ autoShip: true });
    await place('A-3');
    expect((await ended('A-3')).result).toMatchObject({ outcome: 'shipped', shipment: { trackingId: 'TRK-A-3' } });
  });

  it('is told on paper to a customer whose e-mail bounces', async () => {
    await boot();
    await place('A-4', TEA, { customer: 'radia@bounces.example' });
    await http().post('/orders/A-4/warehouse-shipped').send(SHIPMENT).expect(202);
    await ended('A-4');
    expect(ledger('notifications').map(({ channel }) => channel)).toEqual(['letter']);
  });

  it('goes on after a restart of the application', async () => {
    await boot();
    await place('A-5', TABLE);
    await inStage('A-5', 'awaiting-approval');
    await app.close();
    await boot();
    await http().post('/orders/A-5/approval').send({ approved: true, by: 'grace' }).expect(202);
    await inStage('A-5', 'awaiting-shipment');
    await http().post('/orders/A-5/warehouse-shipped').send(SHIPMENT).expect(202);
    expect((await ended('A-5')).result?.outcome).toBe('shipped');
    expect(kinds('stock')).toEqual(['reserved', 'reserved']);
    expect(money()).toEqual(['charged']);
  });
});

describe('an order over the limit', () => {
  it('is charged only after a human approved it', async () => {
    await boot();
    await place('B-1', TABLE);
    await inStage('B-1', 'awaiting-approval');
    expect(ledger('charges')).toEqual([]);
    await http().post('/orders/B-1/approval').send({ approved: true, by: 'grace' }).expect(202);
    expect((await inStage('B-1', 'awaiting-shipment')).progress?.approvedBy).toBe('grace');
    expect(money()).toEqual(['charged']);
  });

  it('gives the stock back when it is refused', async () => {
    await boot();
    await place('B-2', TABLE);
    await http().post('/orders/B-2/approval').send({ approved: false, by: 'grace' }).expect(202);
    expect((await ended('B-2')).result).toEqual({ outcome: 'not-approved', reason: 'grace refused it.' });
    expect(kinds('stock')).toEqual(['reserved', 'reserved', 'released', 'released']);
  });

  it('gives the stock back when nobody decides in time', async () => {
    await boot({ approvalTime: '100ms' });
    await place('B-3', TABLE);
    expect((await ended('B-3')).result).toMatchObject({ outcome: 'not-approved' });
    expect(kinds('stock')).toEqual(['reserved', 'reserved', 'released', 'released']);
  });
});

describe('an order that stops early', () => {
  it('gives the stock back when the card is declined', async () => {
    await boot();
    await place('C-1', TEA, { card: 'tok_declined' });
    expect((await ended('C-1')).result).toEqual({ outcome: 'declined', reason: 'The card was declined.' });
    expect(kinds('stock')).toEqual(['reserved', 'released']);
    expect(money()).toEqual([]);
  });

  it('reserves nothing for an unknown article', async () => {
    await boot();
    await place('C-2', [...TEA, { sku: 'COFFEE-MILL', quantity: 1 }]);
    expect((await ended('C-2')).result).toEqual({
      outcome: 'unknown-sku',
      reason: 'The catalogue has no COFFEE-MILL.',
    });
    expect(ledger('stock')).toEqual([]);
  });

  it('gives back the lines that were in stock', async () => {
    await boot();
    await place('C-3', [...TEA, { sku: 'SAMOVAR', quantity: 5 }]);
    expect((await ended('C-3')).result).toMatchObject({ outcome: 'out-of-stock' });
    expect(ledger('stock').map(({ kind, sku }) => `${kind} ${sku}`)).toEqual([
      'reserved TEA-GREEN',
      'released TEA-GREEN',
    ]);
  });

  it('is refunded when the warehouse ships nothing in time', async () => {
    await boot({ shippingTime: '100ms' });
    await place('C-4');
    expect((await ended('C-4')).result).toMatchObject({ outcome: 'not-shipped' });
    expect(money()).toEqual(['charged', 'refunded']);
    expect(kinds('stock')).toEqual(['reserved', 'released']);
  });
});

describe('a cancelled order', () => {
  it('is undone in reverse order', async () => {
    await boot();
    await place('D-1', [...TEA, { sku: 'CUP-SET', quantity: 1 }]);
    await inStage('D-1', 'awaiting-shipment');
    await http().delete('/orders/D-1').query({ reason: 'changed my mind' }).expect(202);
    const order = await ended('D-1');
    expect(order.status).toBe('Cancelled');
    expect(order.problem).toContain('changed my mind');
    expect((await activities('D-1')).slice(-3)).toEqual(['payment.refund', 'stock.release', 'stock.release']);
    expect(
      ledger('stock')
        .slice(2)
        .map(({ sku }) => sku),
    ).toEqual(['CUP-SET', 'TEA-GREEN']);
    expect(money()).toEqual(['charged', 'refunded']);
  });

  it('is refunded when the cancellation came while the card was being charged', async () => {
    await boot({ gatewayLatencyMs: 400 });
    await place('D-2');
    await eventually(() => kinds('charges').includes('begun'));
    await http().delete('/orders/D-2').expect(202);
    expect((await ended('D-2')).status).toBe('Cancelled');
    expect(money()).toEqual(['charged', 'refunded']);
    expect(kinds('stock')).toEqual(['reserved', 'released']);
  });
});

describe('the HTTP interface', () => {
  it('answers 409 to a second order with the same id, and to what comes after the end', async () => {
    await boot();
    await place('E-1', TEA, { card: 'tok_declined' });
    const { body } = await http()
      .post('/orders')
      .send({ id: 'E-1', customer: 'eve@example.com', lines: TEA })
      .expect(409);
    expect(body).toMatchObject({ statusCode: 409, message: expect.stringContaining('order-E-1') });
    await ended('E-1');
    await http().post('/orders/E-1/warehouse-shipped').send(SHIPMENT).expect(409);
    await http().delete('/orders/E-1').expect(409);
  });

  it('answers 404 for an unknown order', async () => {
    await boot();
    await http().get('/orders/nobody').expect(404);
    await http().get('/orders/nobody/history').expect(404);
    await http().delete('/orders/nobody').expect(404);
    await http().post('/orders/nobody/warehouse-shipped').send(SHIPMENT).expect(404);
    await http().post('/orders/nobody/approval').send({ approved: true, by: 'grace' }).expect(404);
  });

  it('answers 400 with everything that is wrong', async () => {
    await boot();
    const bad = { id: 'no spaces', customer: 'ada', lines: [{ sku: '', quantity: 0 }] };
    const { body } = await http().post('/orders').send(bad).expect(400);
    expect(body.message).toEqual([
      'id must be 1 to 40 letters, digits and dashes',
      'customer must be an e-mail address',
      'lines[0].sku must be the number of an article',
      'lines[0].quantity must be a whole number from 1 to 1000',
    ]);
    await http().post('/orders').send([]).expect(400);
    await http().post('/orders/E-2/approval').send({ approved: 'no', by: 'grace' }).expect(400);
    await http().post('/orders/E-2/warehouse-shipped').expect(400);
    await http().get('/orders').query({ limit: 0 }).expect(400);
    await http().get('/orders').query({ limit: 'many' }).expect(400);
    await http().get('/orders/no_underscore').expect(400);
  });

  it('lists orders page by page, newest first', async () => {
    await boot();
    for (const id of ['F-1', 'F-2', 'F-3']) await place(id);
    const first = (await http().get('/orders').query({ limit: 2 }).expect(200)).body;
    expect(first.orders.map(({ id }: OrderView) => id)).toEqual(['F-3', 'F-2']);
    const rest = (await http().get('/orders').query({ limit: 2, cursor: first.cursor }).expect(200)).body;
    expect(rest.orders.map(({ id }: OrderView) => id)).toEqual(['F-1']);
    expect(rest.cursor).toBeUndefined();
  });

  it('serves its documentation', async () => {
    await boot();
    const { body } = await http().get('/docs-json').expect(200);
    expect(Object.keys(body.paths as object).sort()).toEqual([
      '/orders',
      '/orders/{id}',
      '/orders/{id}/approval',
      '/orders/{id}/history',
      '/orders/{id}/warehouse-shipped',
    ]);
    await http().get('/docs').expect(200);
  });
});

(existsSync(DEMO) ? describe : describe.skip)('the crash demo', () => {
  it('charges no card twice', async () => {
    await boot();
    const { stdout } = await promisify(execFile)(process.execPath, [DEMO], { timeout: 60_000 });
    expect(stdout).toContain('Every order ended, and no card was charged twice.');
  }, 70_000);
});
