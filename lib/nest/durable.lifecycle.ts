import type {
  BeforeApplicationShutdown,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleDestroy,
  OnModuleInit,
} from '@nestjs/common';
import { clearInterval, setInterval } from 'node:timers';
import { DurableClient } from '../client/index.js';
import { DurableRuntime, Registry } from '../runtime/index.js';
import type { DurableExplorer } from './durable.explorer.js';
import { checkModuleOptions, providerOf, type DurableModuleOptions } from './durable-options.js';
import { nestLog } from './nest-log.js';

const LONGEST_INTERVAL_MS = 2_147_483_647;

/**
 * One runtime and its client in the life of a Nest application: handlers are found in `onModuleInit`, it runs from
 * `onApplicationBootstrap`, hands its work back in `onModuleDestroy`, serves clients of requests in flight until
 * `onApplicationShutdown`, and leaves no handle behind. A process that runs instances stays alive until it is closed.
 */
export class DurableLifecycle
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly client: DurableClient;
  private readonly runtime: DurableRuntime;
  private readonly registry = new Registry();
  private readonly runsInstances: boolean;
  private starting: Promise<void> | undefined;
  private keptAlive: NodeJS.Timeout | undefined;

  /** @throws InvalidOptionError */
  constructor(
    options: DurableModuleOptions,
    private readonly name: string,
    private readonly explorer: DurableExplorer,
  ) {
    const { runtime, codec } = checkModuleOptions(options);
    this.runsInstances = runtime !== false;
    this.runtime = new DurableRuntime({
      ...(runtime === false ? {} : runtime),
      provider: providerOf(options),
      registry: this.registry,
      runsInstances: this.runsInstances,
      codec,
      log: nestLog('DurableModule'),
      orchestrationLog: nestLog('Orchestration'),
    });
    this.client = new DurableClient(this.runtime);
  }

  onModuleInit(): void {
    this.explorer.explore(this.registry, this.name);
  }

  async onApplicationBootstrap(): Promise<void> {
    this.starting ??= this.runtime.start();
    await this.starting;
    // The engine's own timers keep no process alive; without a server, a worker would end here.
    if (this.runsInstances) this.keptAlive ??= setInterval(() => undefined, LONGEST_INTERVAL_MS);
  }

  async onModuleDestroy(): Promise<void> {
    await this.starting?.catch(() => undefined);
    await this.runtime.drainWork();
    clearInterval(this.keptAlive);
  }

  beforeApplicationShutdown(): void {
    // Requests that wait for a result would hold the HTTP server open.
    this.runtime.waiters.close();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.runtime.stop();
  }
}
