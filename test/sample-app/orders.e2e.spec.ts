import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import request from 'supertest';
import { AppModule } from '../../sample-app/src/app.module.js';
import { setUp } from '../../sample-app/src/create-app.js';
import { eventually, temporaryDirectory } from '../support/engine.js';

let directory: ReturnType<typeof temporaryDirectory>;
let app: INestApplication;
const http = () => request(app.getHttpServer());
const order = (id: string, lines = [{ sku: 'BOOK-TS', quantity: 1 }], customer = 'ada@example.com') => ({ id, customer, lines });
const status = async (id: string) => (await http().get(`/orders/${id}`).expect(200)).body as { status: string; stage: string; result?: { outcome: string; reason?: string } };
const stage = (id: string, wanted: string) => eventually(() => status(id), ({ stage: now }) => now === wanted);
const finished = (id: string) => eventually(() => status(id), ({ status: now }) => now !== 'Running' && now !== 'Pending');
const ledger = (name: string): Record<string, unknown>[] =>
  readFileSync(join(directory.path, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

async function boot(environment: Record<string, string> = {}): Promise<void> {
  Object.assign(process.env, { DATA_DIR: directory.path, GATEWAY_MS: '1', ...environment });
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  app = module.createNestApplication({ logger: false });
  setUp(app);
  await app.init();
}

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await app.close();
  for (const name of ['DATA_DIR', 'GATEWAY_MS', 'SHIPPING_TIME', 'APPROVAL_TIME', 'AUTO_SHIP']) delete process.env[name];
  directory.remove();
});

describe('the order service', () => {
  it('ships an order once the warehouse says so', async () => {
    await boot();
    const { body } = await http().post('/orders').send(order('3001')).expect(201);
    expect(body).toEqual({ id: '3001', cents: 3490, needsApproval: false });
    await stage('3001', 'waiting for the warehouse');
    await http().post('/orders/3001/warehouse-shipped').send({ trackingId: 'T-1' }).expect(202);
    expect((await finished('3001')).result).toMatchObject({ outcome: 'shipped', trackingId: 'T-1' });
    expect(ledger('charges.ndjson').filter(({ kind }) => kind === 'charge')).toHaveLength(1);
    await http().post('/orders/3001/warehouse-shipped').send({ trackingId: 'T-2' }).expect(409);
  });

  it('asks a human about a large order, and takes no for an answer', async () => {
    await boot();
    await http().post('/orders').send(order('1', [{ sku: 'CHAIR-ERGO', quantity: 2 }])).expect(201);
    await stage('1', 'waiting for approval');
    await http().post('/orders/1/approval').send({ approved: false, by: 'boss@example.com' }).expect(202);
    expect((await finished('1')).result).toEqual({ outcome: 'rejected', reason: 'boss@example.com did not approve the order' });
    expect(ledger('stock.ndjson').map(({ quantity }) => quantity)).toEqual([2, -2]);
  });

  it('gives the stock back when the card is declined, and when a product runs out', async () => {
    await boot();
    await http().post('/orders').send(order('2', undefined, 'declined@example.com')).expect(201);
    expect((await finished('2')).result?.reason).toContain('declined');
    await http().post('/orders').send(order('4', [{ sku: 'BOOK-TS', quantity: 1 }, { sku: 'LAMP-LED', quantity: 9 }])).expect(201);
    expect((await finished('4')).result?.reason).toContain('only 2 of LAMP-LED left, 9 wanted');
    expect(ledger('stock.ndjson').map(({ sku, quantity }) => `${String(sku)} ${String(quantity)}`)).toEqual(['BOOK-TS 1', 'BOOK-TS -1', 'BOOK-TS 1', 'BOOK-TS -1']);
  });

  it('undoes in reverse order what was done when the customer cancels', async () => {
    await boot();
    await http().post('/orders').send(order('5', [{ sku: 'BOOK-TS', quantity: 1 }, { sku: 'CABLE-C', quantity: 2 }])).expect(201);
    await stage('5', 'waiting for the warehouse');
    await http().delete('/orders/5').expect(202);
    expect((await finished('5')).status).toBe('Cancelled');
    expect(ledger('charges.ndjson').filter(({ kind }) => kind !== 'begin').map(({ kind }) => kind)).toEqual(['charge', 'refund']);
    expect(ledger('stock.ndjson').slice(2).map(({ sku }) => sku)).toEqual(['CABLE-C', 'BOOK-TS']);
  });

  it('refunds an order the warehouse did not ship in time', async () => {
    await boot({ SHIPPING_TIME: '50ms' });
    await http().post('/orders').send(order('7')).expect(201);
    expect((await finished('7')).result).toMatchObject({ outcome: 'not shipped in time' });
    expect(ledger('charges.ndjson').map(({ kind }) => kind)).toContain('refund');
  });

  it('answers what callers got wrong', async () => {
    await boot();
    await http().post('/orders').send(order('8')).expect(201);
    await http().post('/orders').send(order('8')).expect(409);
    await http().get('/orders/unknown').expect(404);
    await http().post('/orders/unknown/approval').send({ approved: true, by: 'x' }).expect(404);
    await http().post('/orders').send({ id: '', customer: 'nobody', lines: [] }).expect(400);
    await http().post('/orders').send(order('9', [{ sku: 'UNICORN', quantity: 1 }])).expect(400);
    expect((await http().get('/orders').expect(200)).body.orders).toHaveLength(1);
  });

  it('serves its documentation', async () => {
    await boot();
    const { body } = await http().get('/docs-json').expect(200);
    expect(Object.keys(body.paths)).toContain('/orders/{id}/approval');
    await http().get('/docs').expect(200);
  });
});
