import type { Duration } from '../core/duration.js';
import type { DurableClient, SendOptions } from './durable-client.js';
import type { OrchestrationStatus } from './outcome.js';

/** One instance and what can be done with it. Holds no resources; make as many as you like. */
export class OrchestrationHandle<Output = unknown> {
  constructor(
    private readonly client: DurableClient,
    readonly instanceId: string,
  ) {}

  /**
   * The output, once the instance has completed. @param options.timeout default: as long as it takes.
   * @throws OrchestrationFailedError, OrchestrationCancelledError, OrchestrationTerminatedError, WaitTimeoutError
   */
  result(options: { readonly timeout?: Duration } = {}): Promise<Output> {
    return this.client.getResult(this.instanceId, options.timeout) as Promise<Output>;
  }

  status(): Promise<OrchestrationStatus<Output>> {
    return this.client.getOrchestrationStatus(this.instanceId) as Promise<OrchestrationStatus<Output>>;
  }

  /** The final status, however the instance ends. */
  wait(timeout?: Duration): Promise<OrchestrationStatus<Output>> {
    return this.client.waitForOrchestration(this.instanceId, timeout) as Promise<OrchestrationStatus<Output>>;
  }

  raiseEvent(name: string, data?: unknown, options?: SendOptions): Promise<void> {
    return this.client.raiseEvent(this.instanceId, name, data, options);
  }

  enqueueEvent(queue: string, data?: unknown, options?: SendOptions): Promise<void> {
    return this.client.enqueueEvent(this.instanceId, queue, data, options);
  }

  cancel(reason?: string, options?: SendOptions): Promise<void> {
    return this.client.cancelInstance(this.instanceId, reason, options);
  }

  terminate(reason?: string, options?: SendOptions): Promise<void> {
    return this.client.terminateInstance(this.instanceId, reason, options);
  }

  suspend(reason?: string): Promise<void> {
    return this.client.suspendInstance(this.instanceId, reason);
  }

  resume(): Promise<void> {
    return this.client.resumeInstance(this.instanceId);
  }

  getKvValue<T = unknown>(key: string): Promise<T | undefined> {
    return this.client.getKvValue<T>(this.instanceId, key);
  }
}
