import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Injectable, Logger, Module, Post, type OnApplicationBootstrap } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { existsSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import {
  Activity,
  ActivityContext,
  DurableClient,
  DurableModule,
  Orchestration,
  type OrchestrationContext,
} from '../../lib/index.js';
import { eventually } from '../support/engine.js';
import { boot, outputOf, storage } from './support.js';

@Orchestration()
class Waits {
  async run(ctx: OrchestrationContext): Promise<string> {
    return ctx.scheduleWait<string>('go');
  }
}

const runtime = (options: object = {}) => DurableModule.forRoot({ storage: storage(), ...options });
/** A promise the test keeps. */
function gate(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

/** What would keep the process alive: referenced timers, sockets, workers. */
const handles = (): string[] => process.getActiveResourcesInfo().filter((kind) => !/Immediate|Pipe|FSReq/.test(kind));

describe('the start', () => {
  it('leaves the database alone until the application starts', async () => {
    const testing = await Test.createTestingModule({ imports: [runtime()], providers: [Waits] }).compile();
    expect(existsSync(storage().database)).toBe(false);
    await expect(testing.get(DurableClient).startOrchestration('Waits')).rejects.toBeDefined();
    await testing.close();
    expect(existsSync(storage().database)).toBe(false);
  });

  it('is over when onApplicationBootstrap of the application’s providers runs', async () => {
    @Injectable()
    class Seeder implements OnApplicationBootstrap {
      constructor(private readonly durable: DurableClient) {}
      async onApplicationBootstrap(): Promise<void> {
        await this.durable.startOrchestration(Waits, undefined, { instanceId: 'seeded' });
      }
    }
    @Module({ providers: [Seeder, Waits] })
    class Feature {}
    const app = await boot({ imports: [Feature, runtime()] });
    expect(await app.get(DurableClient).getOrchestrationStatus('seeded')).toMatchObject({ instanceId: 'seeded' });
  });

  it('fails with the error of the engine and leaves nothing open', async () => {
    const before = handles();
    writeFileSync(storage().database, 'this is no database, but it is long enough to look at\n'.repeat(30));
    await expect(boot({ imports: [runtime()] })).rejects.toMatchObject({ code: 'ERR_DURABLE_NOT_A_DATABASE' });
    await eventually(handles, (now) => now.join() === before.join());
  });

  it('fails on handlers that cannot be before the database is touched', async () => {
    @Orchestration()
    class NoRun {}
    await expect(boot({ imports: [runtime()], providers: [NoRun] })).rejects.toMatchObject({
      code: 'ERR_DURABLE_REGISTRATION',
    });
    expect(existsSync(storage().database)).toBe(false);
  });
});

describe('the end', () => {
  it('leaves no handle, and the file to the next application', async () => {
    const before = handles();
    const app = await boot({ imports: [runtime()], providers: [Waits] });
    const client = app.get(DurableClient);
    const handle = await client.startOrchestration(Waits, undefined, { instanceId: 'w' });
    expect(handles().length).toBeGreaterThan(before.length); // a worker without a server does not end by itself
    const refused = handle.result().then(
      () => undefined,
      (error: unknown) => error,
    );
    await Promise.all([app.close(), app.close()]);
    expect(await refused).toMatchObject({ code: 'ERR_DURABLE_RUNTIME_STOPPED' });
    await app.close();
    await eventually(handles, (now) => now.join() === before.join());

    const next = await boot({ imports: [runtime()], providers: [Waits] });
    await next.get(DurableClient).raiseEvent('w', 'go', 'gone');
    expect(await next.get(DurableClient).getHandle(Waits, 'w').result({ timeout: '10s' })).toBe('gone');
  });

  it('lets an activity finish, and aborts the signal of one that takes longer than the grace', async () => {
    const started = [gate(), gate()];
    const finish = gate();
    let aborted = false;
    @Injectable()
    class Desk {
      @Activity({ name: 'short' })
      async short(): Promise<string> {
        started[0]!.resolve();
        await finish.promise;
        return 'finished';
      }
      @Activity({ name: 'long' })
      async long(): Promise<void> {
        const { signal } = ActivityContext.current();
        started[1]!.resolve();
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        aborted = true;
        throw signal.reason;
      }
    }
    @Orchestration()
    class Work {
      async run(ctx: OrchestrationContext, long: boolean): Promise<unknown> {
        return long ? ctx.activities(Desk).long() : ctx.activities(Desk).short();
      }
    }
    const app = await boot({ imports: [runtime({ runtime: { shutdownGrace: '200ms' } })], providers: [Desk, Work] });
    const client = app.get(DurableClient);
    await client.startOrchestration(Work, false, { instanceId: 'short' });
    await client.startOrchestration(Work, true, { instanceId: 'long' });
    await Promise.all(started.map(({ promise }) => promise));
    const closed = app.close();
    finish.resolve();
    await closed;
    expect(aborted).toBe(true);

    const reader = await boot({ imports: [runtime({ runtime: false })], providers: [Work, Desk] });
    const history = await reader.get(DurableClient).management.readExecutionHistory('short');
    expect(JSON.stringify(history.items)).toContain('finished');
    expect(await reader.get(DurableClient).getOrchestrationStatus('long')).toMatchObject({ status: 'Running' });
  });

  it('keeps the client working for requests in flight', async () => {
    const arrived = gate();
    const goOn = gate();
    @Controller()
    class Orders {
      constructor(@Inject(DurableClient) private readonly durable: DurableClient) {}
      @Post()
      async create() {
        arrived.resolve();
        await goOn.promise;
        const { instanceId } = await this.durable.startOrchestration(Waits, undefined, { instanceId: 'in-flight' });
        return this.durable.getOrchestrationStatus(instanceId);
      }
      @Get()
      async wait() {
        return { output: await this.durable.getHandle(Waits, 'in-flight').result({ timeout: '30s' }) };
      }
    }
    @Injectable()
    class Late {
      beforeApplicationShutdown(): void {
        // The runtime has handed its work back; the request goes on while the server closes, which waits for it.
        void eventually(() => !app.getHttpServer().listening).then(() => goOn.resolve());
      }
    }
    const app = await boot({ imports: [runtime()], controllers: [Orders], providers: [Waits, Late] });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const headers = { connection: 'close' };
    const response = fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers });
    await arrived.promise;
    await app.close();
    const answer = await response;
    expect([answer.status, await answer.json()]).toMatchObject([201, { instanceId: 'in-flight', status: 'Pending' }]);

    const next = await boot({ imports: [runtime()], controllers: [Orders], providers: [Waits] });
    await next.listen(0, '127.0.0.1');
    const other = (next.getHttpServer().address() as AddressInfo).port;
    const waiting = fetch(`http://127.0.0.1:${other}`, { headers });
    await eventually(
      async () => (await next.get(DurableClient).getOrchestrationStatus('in-flight')).status === 'Running',
    );
    await next.close(); // a request that waits for a result does not hold it up
    expect((await waiting).status).toBe(503);
  });
});

describe('what is logged', () => {
  it('goes to the logger of Nest, in one text per line, whatever the fields are', async () => {
    @Orchestration()
    class Talks {
      async run(ctx: OrchestrationContext): Promise<void> {
        ctx.log.log('hello', { cents: 5n });
        ctx.log.warn('careful', { at: 'once' });
      }
    }
    const lines: unknown[][] = [];
    const keep = (...parts: unknown[]): void => void lines.push(parts);
    Logger.overrideLogger({ log: keep, warn: keep, error: keep, debug: keep });
    try {
      const testing = await Test.createTestingModule({ imports: [runtime()], providers: [Talks] })
        .setLogger({ log: keep, warn: keep, error: keep, debug: keep })
        .compile();
      const app = testing.createNestApplication();
      await app.init();
      await outputOf(app, Talks);
      await app.close();
    } finally {
      Logger.overrideLogger(false);
    }
    const ours = lines.filter(([, context]) => context === 'Orchestration').map(([text]) => String(text));
    expect(ours).toEqual([expect.stringMatching(/^hello .*5n/), expect.stringMatching(/^careful \{.*"at":"once"\}$/)]);
    expect(lines).toContainEqual([expect.stringMatching(/^running on sqlite/), 'DurableModule']);
  });
});
