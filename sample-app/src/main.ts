import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { Settings } from './common/settings.js';
import { setUp } from './create-app.js';

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['log', 'warn', 'error'] });
  setUp(app);
  const { port, database } = app.get(Settings);
  await app.listen(port, '127.0.0.1');
  console.log(`orders on http://localhost:${port}, documentation on http://localhost:${port}/docs, instances in ${database}`);
}

void main();
