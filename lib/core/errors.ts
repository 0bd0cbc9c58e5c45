import type { Failure } from './failure.js';
import type { ChildOutcome } from './history-event.js';

const BRAND = Symbol.for('nest-durable:error');

interface DurableErrorOptions {
  readonly cause?: unknown;
  /** The same call may succeed later, unchanged. Default false. */
  readonly retryable?: boolean;
  /** HTTP status Nest answers with when the error leaves a controller. */
  readonly status?: number;
  /** Ids and values involved. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * What every error a user of this package can meet is: a stable `code`, a verdict whether repeating helps, the ids and
 * values involved in `details`, and a message that ends with what to do.
 *
 * Client errors carry the shape Nest turns into an HTTP answer (`status`, `statusCode`, `expose`), so controllers need no
 * try/catch.
 */
export class DurableError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
  declare readonly status?: number;
  declare readonly statusCode?: number;
  declare readonly expose?: boolean;

  constructor(name: string, code: string, message: string, options: DurableErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    Object.defineProperty(this, 'name', { value: name, configurable: true, writable: true });
    Object.defineProperty(this, BRAND, { value: true });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
    if (options.status !== undefined) {
      this.status = options.status;
      this.statusCode = options.status;
      this.expose = true;
    }
  }
}

/** True for errors of this package, also across realms and copies of it. Never throws. */
export function isDurableError(value: unknown): value is DurableError {
  try {
    return typeof value === 'object' && value !== null && BRAND in value;
  } catch {
    return false; // a proxy that throws
  }
}

/** A value as error messages show it: short, on one line, never throwing. */
export function shown(value: unknown): string {
  try {
    if (typeof value === 'string') return cut(JSON.stringify(value));
    if (typeof value === 'function') return cut(`function ${value.name || '(anonymous)'}`);
    if (typeof value === 'bigint') return cut(`${value}n`);
    if (typeof value === 'symbol' || typeof value === 'number' || value === undefined) return cut(String(value));
    return cut(JSON.stringify(value) ?? String(value));
  } catch {
    return `a ${typeof value}`;
  }
}

const cut = (text: string): string => (text.length <= 120 ? text : `${text.slice(0, 117)}...`).replace(/[\r\n]+/g, ' ');
const quoted = (text: string): string => JSON.stringify(text);

// ---- what a caller got wrong ------------------------------------------------------------------------------------------

/** An option has a value it cannot have. */
export class InvalidOptionError extends DurableError {
  constructor(option: string, value: unknown, accepted: string) {
    super('InvalidOptionError', 'ERR_DURABLE_OPTION', `${option} is ${shown(value)}: use ${accepted}.`, {
      status: 400,
      details: { option, value, accepted },
    });
  }
}

/** An instance id, name or version that cannot be stored. */
export class InvalidIdentifierError extends DurableError {
  constructor(what: string, value: unknown, problem: string) {
    super('InvalidIdentifierError', 'ERR_DURABLE_IDENTIFIER', `The ${what} ${shown(value)} ${problem}.`, {
      status: 400,
      details: { what, value },
    });
  }
}

/** A value that cannot be carried, with the path to it. */
export class PayloadError extends DurableError {
  constructor(
    what: string,
    problem: string,
    remedy: string,
    details: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super('PayloadError', 'ERR_DURABLE_PAYLOAD', `${what} ${problem}: ${remedy}.`, { status: 400, details, cause });
  }
}

/** A payload beyond `limits.maxPayloadBytes`. */
export class PayloadTooLargeError extends DurableError {
  constructor(what: string, size: number, limit: number) {
    super(
      'PayloadTooLargeError',
      'ERR_DURABLE_PAYLOAD_TOO_LARGE',
      `${what} takes ${size} characters, the limit is ${limit}: store it elsewhere and pass a reference, or raise limits.maxPayloadBytes.`,
      { status: 413, details: { what, size, limit } },
    );
  }
}

/** There is no instance with this id. */
export class InstanceNotFoundError extends DurableError {
  constructor(instanceId: string) {
    super(
      'InstanceNotFoundError',
      'ERR_DURABLE_INSTANCE_NOT_FOUND',
      `There is no instance ${quoted(instanceId)}: start it first, or check the id.`,
      { status: 404, details: { instanceId } },
    );
  }
}

/** The id of a start is taken. */
export class InstanceAlreadyExistsError extends DurableError {
  constructor(instanceId: string) {
    super(
      'InstanceAlreadyExistsError',
      'ERR_DURABLE_INSTANCE_EXISTS',
      `An instance ${quoted(instanceId)} exists already and was not touched: use another id, or idReuse 'return-existing' or 'restart-if-finished'.`,
      { status: 409, details: { instanceId } },
    );
  }
}

/** The instance has ended; nothing can be sent to it any more. */
export class InstanceFinishedError extends DurableError {
  constructor(instanceId: string) {
    super(
      'InstanceFinishedError',
      'ERR_DURABLE_INSTANCE_FINISHED',
      `The instance ${quoted(instanceId)} has finished and takes nothing any more: check its status first, or start a new one.`,
      { status: 409, details: { instanceId } },
    );
  }
}

/** No orchestration of this name and version is registered here. */
export class UnknownOrchestrationError extends DurableError {
  constructor(name: string, version: string | undefined, registered: readonly string[]) {
    super(
      'UnknownOrchestrationError',
      'ERR_DURABLE_UNKNOWN_ORCHESTRATION',
      `No orchestration ${quoted(version === undefined ? name : `${name}@${version}`)} is registered (${listed(registered, name)}): decorate its class with @Orchestration() and list it among the providers of a module.`,
      { status: 400, details: { name, version } },
    );
  }
}

/** A method or name that is not an activity. */
export class UnknownActivityError extends DurableError {
  constructor(name: string, message: string) {
    super('UnknownActivityError', 'ERR_DURABLE_UNKNOWN_ACTIVITY', `${message}.`, { details: { name } });
  }
}

function listed(names: readonly string[], wanted: string): string {
  if (names.length === 0) return 'none is';
  const near = [...names].sort((a, b) => distance(a, wanted) - distance(b, wanted) || (a < b ? -1 : 1)).slice(0, 5);
  return `registered: ${near.join(', ')}${names.length > 5 ? `, and ${names.length - 5} more` : ''}`;
}

/** Levenshtein distance, for "did you mean". */
export function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[right.length]!;
}

// ---- how an instance ended, for who waits for it ----------------------------------------------------------------------

/** The orchestration failed; `failure` is what it threw. */
export class OrchestrationFailedError extends DurableError {
  constructor(
    readonly instanceId: string,
    readonly failure: Failure,
    cause?: unknown,
  ) {
    super(
      'OrchestrationFailedError',
      'ERR_DURABLE_ORCHESTRATION_FAILED',
      `The instance ${quoted(instanceId)} failed with ${failure.name}: ${failure.message}`,
      { details: { instanceId }, cause },
    );
  }
}

/** The instance was cancelled. Inside an orchestration: what its open awaits reject with. */
export class OrchestrationCancelledError extends DurableError {
  constructor(
    readonly instanceId: string,
    readonly reason: string,
  ) {
    super(
      'OrchestrationCancelledError',
      'ERR_DURABLE_CANCELLED',
      `The instance ${quoted(instanceId)} was cancelled: ${reason}`,
      {
        details: { instanceId, reason },
      },
    );
  }
}

/** The instance was terminated: it stopped without clean-up. */
export class OrchestrationTerminatedError extends DurableError {
  constructor(
    readonly instanceId: string,
    readonly reason: string,
  ) {
    super(
      'OrchestrationTerminatedError',
      'ERR_DURABLE_TERMINATED',
      `The instance ${quoted(instanceId)} was terminated: ${reason}`,
      {
        details: { instanceId, reason },
      },
    );
  }
}

/** Waiting took longer than the caller allowed; the instance runs on. */
export class WaitTimeoutError extends DurableError {
  constructor(instanceId: string, what: string, timeoutMs: number) {
    super(
      'WaitTimeoutError',
      'ERR_DURABLE_WAIT_TIMEOUT',
      `The ${what} of instance ${quoted(instanceId)} did not come within ${timeoutMs} ms. The instance runs on: ask again later, or wait longer.`,
      { retryable: true, status: 504, details: { instanceId, timeoutMs } },
    );
  }
}

/** The runtime of this process has stopped, or never started. */
export class RuntimeStoppedError extends DurableError {
  constructor(what: string) {
    super(
      'RuntimeStoppedError',
      'ERR_DURABLE_RUNTIME_STOPPED',
      `${what}: the runtime of this process is not running. What was accepted before is stored and goes on elsewhere or after a restart.`,
      {
        retryable: true,
        status: 503,
      },
    );
  }
}

// ---- what orchestrations catch, and what activities throw ---------------------------------------------------------------

/** An activity failed for good: its attempts are used up, or its failure was not to be retried. */
export class ActivityError extends DurableError {
  constructor(
    readonly activityName: string,
    /** Attempts that were made. */
    readonly attempts: number,
    /** What the last attempt threw. */
    readonly failure: Failure,
    cause?: unknown,
    data?: unknown,
  ) {
    super(
      'ActivityError',
      'ERR_DURABLE_ACTIVITY_FAILED',
      `The activity ${activityName} failed${attempts > 1 ? ` after ${attempts} attempts` : ''} with ${failure.name}: ${failure.message}`,
      { details: { activityName, attempts }, cause },
    );
    this.data = data;
  }
  /** Own fields of the thrown error, or the thrown value itself if it was no error. */
  readonly data: unknown;
}

/** One attempt took longer than its `startToCloseTimeout` (or the activity than its `scheduleToCloseTimeout`). */
export class ActivityTimeoutError extends DurableError {
  constructor(activityName: string, timeout: 'startToCloseTimeout' | 'scheduleToCloseTimeout', timeoutMs: number) {
    super(
      'ActivityTimeoutError',
      'ERR_DURABLE_ACTIVITY_TIMEOUT',
      `${activityName} did not finish within its ${timeout} of ${timeoutMs} ms.`,
      {
        retryable: true,
        details: { activityName, timeout, timeoutMs },
      },
    );
  }
}

/** Throw it from an activity to stop its retries. */
export class NonRetryableError extends DurableError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('NonRetryableError', 'ERR_DURABLE_NON_RETRYABLE', message, options);
  }
}

/** Throw it from an activity to say when the next attempt makes sense. */
export class RetryAfterError extends DurableError {
  constructor(
    message: string,
    /** Milliseconds or text such as `'30s'`. */
    readonly delay: number | string,
    options: { cause?: unknown } = {},
  ) {
    super('RetryAfterError', 'ERR_DURABLE_RETRY_AFTER', message, { ...options, retryable: true });
  }
}

/** A sub-orchestration did not complete; `outcome` says how it ended. */
export class SubOrchestrationError extends DurableError {
  constructor(
    readonly orchestrationName: string,
    readonly instanceId: string,
    readonly outcome: ChildOutcome,
    readonly failure: Failure,
    cause?: unknown,
  ) {
    super(
      'SubOrchestrationError',
      'ERR_DURABLE_SUB_ORCHESTRATION_FAILED',
      `The sub-orchestration ${orchestrationName} (${quoted(instanceId)}) ${outcome === 'already-exists' ? 'was not started' : outcome === 'failed' ? 'failed' : `was ${outcome}`}: ${failure.message}`,
      { details: { orchestrationName, instanceId, outcome }, cause },
    );
  }
}

/** The future was given up with `cancel()`, or lost a `select`. */
export class DurableFutureCancelledError extends DurableError {
  constructor(what: string, reason: string | undefined) {
    super(
      'DurableFutureCancelledError',
      'ERR_DURABLE_FUTURE_CANCELLED',
      `The ${what} was cancelled${reason === undefined ? '' : `: ${reason}`}.`,
      {
        details: { reason },
      },
    );
  }
}

// ---- why an instance is suspended -------------------------------------------------------------------------------------

/** The code decides otherwise than the history recorded. */
export class NondeterminismError extends DurableError {
  constructor(at: {
    readonly instanceId: string;
    readonly orchestrationName: string;
    readonly orchestrationVersion: string;
    readonly eventId: number;
    readonly recorded: string;
    readonly asked: string;
  }) {
    super(
      'NondeterminismError',
      'ERR_DURABLE_NONDETERMINISM',
      `${at.orchestrationName}@${at.orchestrationVersion} of instance ${quoted(at.instanceId)} does not fit its history at event ${at.eventId}: history holds ${at.recorded}, the code asked for ${at.asked}. Deploy code that fits, register the change as a new version, or terminate the instance.`,
      { details: at },
    );
  }
}

/** The code waited for, or was woken by, something that is not durable. */
export class ForeignAwaitError extends DurableError {
  constructor(instanceId: string, orchestrationName: string, call: string) {
    super(
      'ForeignAwaitError',
      'ERR_DURABLE_FOREIGN_AWAIT',
      `${orchestrationName} of instance ${quoted(instanceId)} was held or woken by something no replay can repeat, at ${call}. Move I/O, timers and foreign promises into an activity; use ctx.scheduleTimer, ctx.waitUntil and ctx.sideEffect instead.`,
      { details: { instanceId, orchestrationName, call } },
    );
  }
}

/** A configured limit was passed by what the code produced. */
export class LimitExceededError extends DurableError {
  constructor(limit: string, value: number, maximum: number, instanceId: string) {
    super(
      'LimitExceededError',
      'ERR_DURABLE_LIMIT',
      `Instance ${quoted(instanceId)}: ${limit} is ${value}, the limit ${maximum}. Raise the limit and resume the instance, or use continueAsNew or less data.`,
      { details: { limit, value, maximum, instanceId } },
    );
  }
}

/** An orchestration or activity the instance needs is not registered on this node. */
export class HandlerMissingError extends DurableError {
  constructor(kind: 'orchestration' | 'activity', name: string, instanceId: string) {
    super(
      'HandlerMissingError',
      'ERR_DURABLE_HANDLER_MISSING',
      `Instance ${quoted(instanceId)} needs the ${kind} ${quoted(name)}, which is not registered on this node. Deploy a build that has it${kind === 'activity' ? ', or give the call a tag that other nodes serve' : ''}.`,
      { details: { kind, name, instanceId } },
    );
  }
}

/** The stored history of an instance cannot be what this engine wrote. */
export class HistoryCorruptError extends DurableError {
  constructor(instanceId: string, problem: string, cause?: unknown) {
    super(
      'HistoryCorruptError',
      'ERR_DURABLE_HISTORY_CORRUPT',
      `The history of instance ${quoted(instanceId)} cannot be read: ${problem}. Restore its rows and resume it, or terminate it.`,
      {
        details: { instanceId, problem },
        cause,
      },
    );
  }
}

/** An activity or instance was running each time the process died, too often to try again by itself. */
export class PoisonedError extends DurableError {
  constructor(what: string, crashes: number) {
    super(
      'PoisonedError',
      'ERR_DURABLE_POISONED',
      `${what} was running in ${crashes} crashes of a process and is not tried again. Mend it, then resume the instance or start it again.`,
      {
        details: { crashes },
      },
    );
  }
}

// ---- storage ------------------------------------------------------------------------------------------------------------

/** The database did not do what was asked. `retryable` says whether the same call may succeed later. */
export class StorageError extends DurableError {
  constructor(
    message: string,
    options: {
      code?: string;
      name?: string;
      cause?: unknown;
      retryable: boolean;
      details?: Readonly<Record<string, unknown>>;
    },
  ) {
    super(options.name ?? 'StorageError', options.code ?? 'ERR_DURABLE_STORAGE', message, options);
  }
}

/** Another node took this one for dead. What it still wanted to write did not happen; it joins again as a new incarnation. */
export class NodeDeclaredDeadError extends StorageError {
  constructor(node: string) {
    super(
      `The node ${quoted(node)} was declared dead because its lease ran out: it drops what it held and joins again.`,
      {
        name: 'NodeDeclaredDeadError',
        code: 'ERR_DURABLE_NODE_DEAD',
        retryable: false,
        details: { node },
      },
    );
  }
}

/** The database file is not a SQLite database. */
export class NotADatabaseError extends StorageError {
  constructor(database: string, cause?: unknown) {
    super(`${quoted(database)} is not a SQLite database: check storage.database, or move the file away.`, {
      name: 'NotADatabaseError',
      code: 'ERR_DURABLE_NOT_A_DATABASE',
      retryable: false,
      details: { database },
      cause,
    });
  }
}

/** The database cannot be written. */
export class ReadOnlyDatabaseError extends StorageError {
  constructor(database: string, cause?: unknown) {
    super(
      `${quoted(database)} is read-only: give the process write access to the file and its directory, and drop the readonly option.`,
      {
        name: 'ReadOnlyDatabaseError',
        code: 'ERR_DURABLE_READ_ONLY',
        retryable: true,
        details: { database },
        cause,
      },
    );
  }
}

/** A newer version of this package has migrated the database. */
export class SchemaVersionError extends StorageError {
  constructor(database: string, found: number, known: number) {
    super(
      `${quoted(database)} has schema version ${found}, this version of nest-durable knows up to ${known}: deploy a newer nest-durable, or use another database.`,
      {
        name: 'SchemaVersionError',
        code: 'ERR_DURABLE_SCHEMA_NEWER',
        retryable: false,
        details: { database, found, known },
      },
    );
  }
}

/** The disk or the database is full. Instances wait until there is room. */
export class DatabaseFullError extends StorageError {
  constructor(database: string, cause?: unknown) {
    super(`${quoted(database)} is full: free disk space. Instances wait and go on.`, {
      name: 'DatabaseFullError',
      code: 'ERR_DURABLE_DATABASE_FULL',
      retryable: true,
      details: { database },
      cause,
    });
  }
}

// ---- start-up -------------------------------------------------------------------------------------------------------------

/** Something about the application's handlers is wrong; it does not start. */
export class RegistrationError extends DurableError {
  constructor(where: string, problem: string, remedy: string) {
    super('RegistrationError', 'ERR_DURABLE_REGISTRATION', `${where} ${problem}: ${remedy}.`, { details: { where } });
  }
}
