import 'reflect-metadata';
import { afterEach, beforeEach } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { join } from 'node:path';
import { DurableClient } from '../../lib/index.js';
import type { OrchestrationClass } from '../../lib/replay/index.js';
import { temporaryDirectory } from '../support/engine.js';

export type Metadata = Parameters<typeof Test.createTestingModule>[0];
type Builder = ReturnType<typeof Test.createTestingModule>;

let directory: ReturnType<typeof temporaryDirectory>;
const apps: INestApplication[] = [];

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  directory.remove();
});

/** A SQLite file in the directory of the test. */
export const storage = (name = 'durable') => ({
  type: 'better-sqlite3' as const,
  database: join(directory.path, `${name}.sqlite`),
});

/** An application that has started; it is closed after the test. */
export async function boot(
  metadata: Metadata,
  change: (builder: Builder) => Builder = (it) => it,
): Promise<INestApplication> {
  const testing = await change(Test.createTestingModule(metadata)).compile();
  const app = testing.createNestApplication({ logger: false });
  apps.push(app);
  await app.init();
  return app;
}

/** Starts an orchestration and gives its output. */
export async function outputOf(app: INestApplication, type: OrchestrationClass, input?: unknown): Promise<unknown> {
  const handle = await app.get(DurableClient).startOrchestration(type, input as never);
  return handle.result({ timeout: '10s' });
}
