import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Activity, DurableClient, DurableModule, Orchestration, OrchestrationContext } from 'nest-durable';

@Injectable()
class Greeter {
  @Activity()
  async greet(name: string): Promise<string> {
    return `Hello, ${name}!`;
  }
}

@Orchestration()
class Hello {
  async run(ctx: OrchestrationContext, name: string): Promise<string> {
    return ctx.activities(Greeter).greet(name);
  }
}

@Module({
  imports: [DurableModule.forRoot({ storage: { type: 'better-sqlite3', database: process.argv[2]! } })],
  providers: [Greeter, Hello],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'], abortOnError: false });
  const handle = await app.get(DurableClient).startOrchestration(Hello, 'x', { instanceId: 'i1' });
  const greeting: string = await handle.result({ timeout: '10s' });
  await app.close(); // the process must end by itself after it
  console.log(greeting);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
