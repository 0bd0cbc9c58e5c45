import { parseDuration, type Duration } from '../core/duration.js';
import {
  InstanceAlreadyExistsError,
  InstanceFinishedError,
  InstanceNotFoundError,
  InvalidOptionError,
  PayloadTooLargeError,
  UnknownOrchestrationError,
} from '../core/errors.js';
import { checkInstanceId, checkName } from '../core/identifiers.js';
import type { Message } from '../core/message.js';
import type { Payload } from '../core/payload.js';
import type { BatchItem, Verdict } from '../provider/batch.js';
import type { InputOf, OrchestrationClass, OutputOf } from '../replay/index.js';
import type { DurableRuntime } from '../runtime/index.js';
import { DurableManagement } from './durable-management.js';
import { OrchestrationHandle } from './orchestration-handle.js';
import { outputOf, statusOf, type OrchestrationStatus } from './outcome.js';

/** What happens when the id of a start is taken. */
export type IdReuse = 'reject' | 'return-existing' | 'restart-if-finished';

export interface StartOptions {
  /** 1 to 256 characters. Default: a random one. */
  readonly instanceId?: string;
  /** Default: the newest registered version. */
  readonly version?: string;
  /**
   * `reject` (default): InstanceAlreadyExistsError. `return-existing`: a handle of what is there, whatever it is.
   * `restart-if-finished`: a finished instance and its history are replaced; an unfinished one is left and rejected.
   */
  readonly idReuse?: IdReuse;
}

export interface SendOptions {
  /** `error` (default): InstanceFinishedError. `ignore`: resolves; nothing happened. */
  readonly ifFinished?: 'error' | 'ignore';
}

const REUSES: readonly unknown[] = ['reject', 'return-existing', 'restart-if-finished'];

/** Starts, watches and steers instances. Everything it resolves is durable. Inject it anywhere. */
export class DurableClient {
  /** Lists, history and other views for operators. */
  readonly management: DurableManagement;

  constructor(private readonly runtime: DurableRuntime) {
    this.management = new DurableManagement(runtime);
  }

  /**
   * Resolves when the start is durable; the instance is `Pending` from then on.
   * @throws UnknownOrchestrationError, InvalidIdentifierError, PayloadError, PayloadTooLargeError, InstanceAlreadyExistsError
   */
  startOrchestration<C extends OrchestrationClass>(
    orchestration: C,
    input: InputOf<C>,
    options?: StartOptions,
  ): Promise<OrchestrationHandle<OutputOf<C>>>;
  startOrchestration<Output = unknown>(
    orchestration: string,
    input?: unknown,
    options?: StartOptions,
  ): Promise<OrchestrationHandle<Output>>;
  async startOrchestration(
    target: string | OrchestrationClass,
    input?: unknown,
    options: StartOptions = {},
  ): Promise<OrchestrationHandle<unknown>> {
    const idReuse = options.idReuse ?? 'reject';
    if (!REUSES.includes(idReuse))
      throw new InvalidOptionError('idReuse', idReuse, "'reject', 'return-existing' or 'restart-if-finished'");
    const { ports } = this.runtime.options;
    const { name, version } = this.resolve(target, options.version);
    const instanceId = options.instanceId === undefined ? ports.generation() : checkInstanceId(options.instanceId);
    const verdict = await this.runtime.startInstance({
      kind: 'start',
      instanceId,
      generation: ports.generation(),
      name,
      version,
      input: this.encode(input, `the input of ${name}`),
      ifExists: idReuse === 'restart-if-finished' ? 'restart-if-finished' : 'reject',
    });
    if (verdict.kind === 'exists' && idReuse !== 'return-existing') throw new InstanceAlreadyExistsError(instanceId);
    return new OrchestrationHandle(this, instanceId);
  }

  private resolve(target: string | OrchestrationClass, asked: string | undefined): { name: string; version: string } {
    const { registry } = this.runtime.options;
    const { name, version } = registry.resolveOrchestration(target, asked);
    if (version === undefined || !registry.hasOrchestration(name, version)) {
      throw new UnknownOrchestrationError(name, asked, registry.orchestrationNames());
    }
    return { name, version };
  }

  /** A handle of an instance; nothing is read. The class only gives the type of its result. */
  getHandle<C extends OrchestrationClass>(orchestration: C, instanceId: string): OrchestrationHandle<OutputOf<C>>;
  getHandle<Output = unknown>(orchestration: null, instanceId: string): OrchestrationHandle<Output>;
  getHandle(_orchestration: OrchestrationClass | null, instanceId: string): OrchestrationHandle<unknown> {
    return new OrchestrationHandle(this, checkInstanceId(instanceId));
  }

  /** One row, never the history. @throws InstanceNotFoundError */
  async getOrchestrationStatus(instanceId: string): Promise<OrchestrationStatus> {
    const row = await this.runtime.store.status(checkInstanceId(instanceId));
    if (row === null) throw new InstanceNotFoundError(instanceId);
    return statusOf(row, this.runtime.options.codec);
  }

  /**
   * The final status, however the instance ends. @param timeout default: as long as it takes.
   * @throws WaitTimeoutError (the instance runs on), InstanceNotFoundError
   */
  async waitForOrchestration(instanceId: string, timeout?: Duration): Promise<OrchestrationStatus> {
    await this.runtime.waiters.wait(checkInstanceId(instanceId), timeoutMs(timeout));
    return this.getOrchestrationStatus(instanceId);
  }

  /** The output. @throws OrchestrationFailedError, OrchestrationCancelledError, OrchestrationTerminatedError, WaitTimeoutError */
  async getResult(instanceId: string, timeout?: Duration): Promise<unknown> {
    const ending = await this.runtime.waiters.wait(checkInstanceId(instanceId), timeoutMs(timeout));
    return outputOf(instanceId, ending, this.runtime.options.codec);
  }

  /** Gives an event to the oldest wait of that name, or keeps it for the next one. @throws InstanceNotFoundError, InstanceFinishedError */
  async raiseEvent(instanceId: string, name: string, data?: unknown, options: SendOptions = {}): Promise<void> {
    const text = this.encode(data, `the data of event ${String(name)}`);
    await this.send(instanceId, { kind: 'external-event', name: checkName(name, 'event name'), data: text }, options);
  }

  /** Appends a message to a queue of the instance. @throws InstanceNotFoundError, InstanceFinishedError */
  async enqueueEvent(instanceId: string, queue: string, data?: unknown, options: SendOptions = {}): Promise<void> {
    const text = this.encode(data, `the data of a message in queue ${String(queue)}`);
    await this.send(instanceId, { kind: 'queue-message', name: checkName(queue, 'queue name'), data: text }, options);
  }

  /**
   * Asks the orchestration to stop: its awaits reject with OrchestrationCancelledError and it may clean up. Resolves when
   * the request is durable, not when the instance has ended.
   */
  async cancelInstance(instanceId: string, reason = 'cancelled by a client', options: SendOptions = {}): Promise<void> {
    await this.send(instanceId, { kind: 'cancel', reason: reasonText(reason) }, options);
  }

  /** Ends the instance without running its code again. Also works for a suspended one. */
  async terminateInstance(
    instanceId: string,
    reason = 'terminated by a client',
    options: SendOptions = {},
  ): Promise<void> {
    await this.send(instanceId, { kind: 'terminate', reason: reasonText(reason) }, options);
    this.runtime.look(instanceId);
  }

  /** Holds the instance until `resumeInstance`; what arrives meanwhile waits. */
  async suspendInstance(instanceId: string, reason = 'suspended by an operator'): Promise<void> {
    const verdict = await this.runtime.submit({
      kind: 'suspend',
      instanceId: checkInstanceId(instanceId),
      by: 'operator',
      code: 'ERR_DURABLE_SUSPENDED',
      reason: reasonText(reason),
      buildId: null,
    });
    refuse(verdict, instanceId);
  }

  /** Continues a suspended instance, whoever suspended it; one that runs is left alone. */
  async resumeInstance(instanceId: string): Promise<void> {
    refuse(await this.runtime.submit({ kind: 'resume', instanceId: checkInstanceId(instanceId) }), instanceId);
    this.runtime.look(instanceId);
  }

  /** The committed value of a key; `undefined` if there is none. @throws InstanceNotFoundError */
  async getKvValue<T = unknown>(instanceId: string, key: string): Promise<T | undefined> {
    const text = await this.runtime.store.kv(checkInstanceId(instanceId), checkName(key, 'KV key'));
    if (text === null) await this.getOrchestrationStatus(instanceId);
    return text === null ? undefined : (this.runtime.options.codec.decode(text) as T);
  }

  /** All committed keys and values, sorted by key. @throws InstanceNotFoundError */
  async getKvAllValues(instanceId: string): Promise<Record<string, unknown>> {
    const values = await this.runtime.store.kvAll(checkInstanceId(instanceId));
    if (values.size === 0) await this.getOrchestrationStatus(instanceId);
    const entries = [...values].map(([key, text]) => [key, this.runtime.options.codec.decode(text)] as const);
    return Object.fromEntries(entries);
  }

  private async send(instanceId: string, message: Message, { ifFinished = 'error' }: SendOptions): Promise<void> {
    if (ifFinished !== 'error' && ifFinished !== 'ignore')
      throw new InvalidOptionError('ifFinished', ifFinished, "'error' or 'ignore'");
    const item: BatchItem = { kind: 'send', instanceId: checkInstanceId(instanceId), message };
    const verdict = await this.runtime.submit(item);
    if (verdict.kind === 'finished' && ifFinished === 'ignore') return;
    refuse(verdict, instanceId);
  }

  private encode(value: unknown, what: string): Payload {
    const { codec, limits } = this.runtime.options;
    const text = codec.encode(value, what);
    if (text.length > limits.maxPayloadBytes) throw new PayloadTooLargeError(what, text.length, limits.maxPayloadBytes);
    return text;
  }
}

function refuse(verdict: Verdict, instanceId: string): void {
  if (verdict.kind === 'not-found') throw new InstanceNotFoundError(instanceId);
  if (verdict.kind === 'finished') throw new InstanceFinishedError(instanceId);
}

const timeoutMs = (timeout: Duration | undefined): number | undefined =>
  timeout === undefined ? undefined : parseDuration(timeout, 'timeout');

function reasonText(reason: unknown): string {
  if (typeof reason !== 'string') throw new InvalidOptionError('reason', reason, 'a text');
  return reason.replaceAll('\u0000', '\uFFFD').toWellFormed().slice(0, 4_096);
}
