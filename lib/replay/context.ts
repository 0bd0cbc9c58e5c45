import type { ActivityOptions } from '../core/activity-options.js';
import { parseDuration, type Duration } from '../core/duration.js';
import { UnknownActivityError } from '../core/errors.js';
import { checkInstanceId, checkName } from '../core/identifiers.js';
import { scheduleActivity } from './actions/activity.js';
import { continueAsNew } from './actions/continue-as-new.js';
import { setCustomStatus } from './actions/custom-status.js';
import { scheduleOrchestration } from './actions/detached-start.js';
import { dequeueEvent } from './actions/event-queue.js';
import { scheduleWait } from './actions/external-event.js';
import { KvActions } from './actions/kv.js';
import { mayRecord } from './actions/off-stand.js';
import { sideEffect } from './actions/side-effect.js';
import { scheduleSubOrchestration } from './actions/sub-orchestration.js';
import { scheduleTimer } from './actions/timer.js';
import { newGuid, random } from './chance.js';
import { never } from './durable-future.js';
import type { Execution } from './execution.js';
import type { OrchestrationClass, ServiceClass } from './handlers.js';
import type { Cancellation, DurableLog, OrchestrationContext } from './orchestration-context.js';
import { Kept, selectIndex, selectNamed } from './select.js';
import type { LogLine } from './turn-draft.js';

/** The built-in activity behind `kvOf`. */
export const KV_READ_ACTIVITY = 'nest-durable.kv.get';

/** The public face of an execution: every member belongs to an action file, and is listed in `OrchestrationContext`. */
class ExecutionContext {
  readonly kv: KvActions;
  readonly log: DurableLog;
  readonly cancellation: Cancellation;

  constructor(private readonly execution: Execution) {
    this.kv = new KvActions(execution);
    this.log = logOf(execution);
    this.cancellation = cancellationOf(execution);
  }

  get instanceId(): string {
    return this.execution.instanceId;
  }
  get executionId(): number {
    return this.execution.executionId;
  }
  get orchestrationName(): string {
    return this.execution.name;
  }
  get orchestrationVersion(): string {
    return this.execution.version;
  }
  get parent(): OrchestrationContext['parent'] {
    const link = this.execution.parent;
    return link === undefined ? undefined : { instanceId: link.instanceId, executionId: link.executionId };
  }
  get isReplaying(): boolean {
    return this.execution.boundByHistory;
  }

  activities(service: ServiceClass<unknown>, options?: ActivityOptions): unknown {
    return activityProxy(this.execution, service, options);
  }

  scheduleActivity(name: string, args: readonly unknown[] = [], options?: ActivityOptions): unknown {
    return scheduleActivity(this.execution, name, args, options);
  }

  scheduleTimer(due: Duration | Date): unknown {
    return scheduleTimer(this.execution, due);
  }

  scheduleWait(event: string): unknown {
    return scheduleWait(this.execution, event);
  }

  dequeueEvent(queue: string): unknown {
    return dequeueEvent(this.execution, queue);
  }

  scheduleSubOrchestration(target: string | OrchestrationClass, input?: unknown, options?: object): unknown {
    return scheduleSubOrchestration(this.execution, target, input, options);
  }

  scheduleOrchestration(target: string | OrchestrationClass, input?: unknown, options?: object): unknown {
    return scheduleOrchestration(this.execution, target, input, options);
  }

  continueAsNew(input?: unknown, options?: { readonly version?: string }): Promise<never> {
    return continueAsNew(this.execution, input, options);
  }

  join(futures: readonly Promise<unknown>[]): Promise<unknown[]> {
    return Promise.all(futures);
  }

  select(futures: readonly Promise<unknown>[] | Readonly<Record<string, Promise<unknown>>>): Promise<unknown> {
    if (!this.execution.mayAct('select()')) return never();
    return Array.isArray(futures)
      ? selectIndex(this.execution, futures as readonly Promise<unknown>[])
      : selectNamed(this.execution, futures as Readonly<Record<string, Promise<unknown>>>);
  }

  keep<T>(future: Promise<T>): Kept<T> {
    return new Kept(future);
  }

  waitUntil(holds: () => boolean, options: { readonly timeout?: Duration } = {}): Promise<boolean> {
    const { execution } = this;
    if (!execution.mayAct('waitUntil()')) return never();
    const refusal = execution.refusal();
    if (refusal !== undefined) return handled(Promise.reject(refusal));
    if (options.timeout === undefined) return execution.addCondition(holds);
    const timer = scheduleTimer(execution, parseDuration(options.timeout, 'the timeout of waitUntil()'));
    return handled(conditionOrTimeout(execution, execution.addCondition(holds), timer));
  }

  utcNow(): Date {
    return new Date(this.execution.now);
  }

  newGuid(): string {
    mayRecord(this.execution, 'newGuid()');
    return newGuid(this.execution);
  }

  random(): number {
    mayRecord(this.execution, 'random()');
    return random(this.execution);
  }

  sideEffect<T>(fn: () => T): T {
    return sideEffect(this.execution, fn);
  }

  setCustomStatus(value: unknown): void {
    setCustomStatus(this.execution, value);
  }

  kvOf(instanceId: string): { get(key: string): unknown } {
    checkInstanceId(instanceId);
    return { get: (key) => scheduleActivity(this.execution, KV_READ_ACTIVITY, [instanceId, checkName(key, 'KV key')]) };
  }

  async shield<T>(fn: () => Promise<T>): Promise<T> {
    if (!this.execution.mayAct('shield()')) return never<T>();
    this.execution.shieldDepth++;
    try {
      return await fn();
    } finally {
      this.execution.shieldDepth--;
    }
  }
}

export function createContext(execution: Execution): OrchestrationContext {
  return new ExecutionContext(execution) as unknown as OrchestrationContext;
}

async function conditionOrTimeout(
  execution: Execution,
  condition: Promise<true>,
  timer: ReturnType<typeof scheduleTimer>,
): Promise<boolean> {
  let held = true;
  try {
    held = await Promise.race([condition, timer.then(() => false)]);
    return held;
  } finally {
    if (held) timer.cancel();
    else execution.dropCondition(condition);
  }
}

function activityProxy(
  execution: Execution,
  service: ServiceClass<unknown>,
  options: ActivityOptions | undefined,
): object {
  const calls: Record<string, unknown> = Object.create(guardOf(service)) as Record<string, unknown>;
  for (const { method, name } of execution.handlers.activityMethods(service)) {
    calls[method] = (...args: unknown[]) => scheduleActivity(execution, name, args, options);
  }
  return calls;
}

const guards = new WeakMap<object, object>();

/** Answers what a service has no activity for: TypeScript cannot see decorators, so the mistake shows only here. */
function guardOf(service: ServiceClass<unknown>): object {
  let guard = guards.get(service);
  if (guard === undefined) {
    guard = new Proxy(Object.create(null) as object, {
      get(_, key) {
        if (typeof key === 'symbol' || key === 'then' || key === 'toJSON' || key === 'constructor') return undefined;
        throw new UnknownActivityError(
          `${service.name}.${key}`,
          `${service.name}.${key}() is not an activity: add @Activity() to the method`,
        );
      },
    });
    guards.set(service, guard);
  }
  return guard;
}

function logOf(execution: Execution): DurableLog {
  const at =
    (level: LogLine['level']) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (execution.mayAct('log')) execution.log({ level, message, fields });
    };
  return { debug: at('debug'), log: at('log'), warn: at('warn'), error: at('error') };
}

function cancellationOf(execution: Execution): Cancellation {
  return {
    get requested() {
      return execution.cancellation !== undefined;
    },
    get reason() {
      return execution.cancellation?.reason;
    },
    throwIfRequested() {
      if (execution.cancellation !== undefined) throw execution.cancellation;
    },
  };
}

function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
