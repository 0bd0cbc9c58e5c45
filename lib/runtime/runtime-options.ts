import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { parseDuration, type Duration } from '../core/duration.js';
import { InvalidOptionError } from '../core/errors.js';
import { checkName } from '../core/identifiers.js';
import { DEFAULT_LIMITS, type Limits } from '../core/limits.js';
import { defaultCodec, type PayloadCodec } from '../core/payload.js';
import type { Provider } from '../provider/provider.js';
import { systemPorts, type Ports } from './ports.js';
import type { Registry } from './registry.js';
import { shielded, silentLog, type EngineLog } from './telemetry.js';

/** How this process takes part. */
export interface EngineOptions {
  /** Activity attempts that run at once in this process. Default 200: activities mostly wait for I/O. */
  readonly activityConcurrency?: number;
  /** Activities claimed ahead of a free slot, so that no slot waits for a commit. Default 5,000. */
  readonly activityBacklog?: number;
  /** Tags of activities this process serves beside untagged ones. Default none. */
  readonly tags?: readonly string[];
  /** Live executions kept in memory. Default 10,000. */
  readonly cacheSize?: number;
  /** Time after which an execution nobody called leaves memory. Default 30 s. */
  readonly cacheIdle?: Duration;
  /** How long a node counts as alive without a heartbeat. Default 15 s. */
  readonly lease?: Duration;
  /** How long running activities may go on when the process shuts down, before their signal aborts. Default 10 s. */
  readonly shutdownGrace?: Duration;
  /** How often this process looks for what others committed: while busy. Default 10 ms. */
  readonly pollBusy?: Duration;
  /** ... and while idle. Default 100 ms. */
  readonly pollIdle?: Duration;
  /** Crashes of a process after which an instance or activity that ran in each of them is poisoned. Default 10. */
  readonly maxCrashes?: number;
  /** The first part of the node's name in rows and logs. Default the host name. */
  readonly nodeName?: string;
  /** Two builds with one id count as the same to a suspended instance. Default a hash of the
   * registered names, versions and the source text of the orchestrations. */
  readonly buildId?: string;
  /** See `Limits`. */
  readonly limits?: Partial<Limits>;
}

export interface RuntimeOptions extends EngineOptions {
  readonly provider: Provider;
  readonly registry: Registry;
  /** False: this process starts, asks and raises, and runs nothing. Default true. */
  readonly runsInstances?: boolean;
  readonly codec?: PayloadCodec;
  readonly log?: EngineLog;
  /** Where `ctx.log` goes. Default `log`. */
  readonly orchestrationLog?: EngineLog;
  /** For tests: the clock, timers, macrotasks and chance of the engine. */
  readonly ports?: Ports;
}

export interface ResolvedRuntimeOptions {
  readonly provider: Provider;
  readonly registry: Registry;
  readonly runsInstances: boolean;
  readonly codec: PayloadCodec;
  readonly log: EngineLog;
  readonly orchestrationLog: EngineLog;
  readonly ports: Ports;
  readonly activityConcurrency: number;
  readonly activityBacklog: number;
  readonly tags: readonly string[];
  readonly cacheSize: number;
  readonly cacheIdleMs: number;
  readonly leaseMs: number;
  readonly shutdownGraceMs: number;
  readonly pollBusyMs: number;
  readonly pollIdleMs: number;
  readonly maxCrashes: number;
  readonly nodeName: string;
  readonly buildId: string | undefined;
  readonly limits: Limits;
}

const ENGINE_KEYS: readonly string[] = [
  'activityConcurrency',
  'activityBacklog',
  'tags',
  'cacheSize',
  'cacheIdle',
  'lease',
  'shutdownGrace',
  'pollBusy',
  'pollIdle',
  'maxCrashes',
  'nodeName',
  'buildId',
  'limits',
];

/** Refuses unknown keys and bad values, each with its name and value. @throws InvalidOptionError */
export function checkEngineOptions(options: unknown, what: string): EngineOptions {
  if (typeof options !== 'object' || options === null) throw new InvalidOptionError(what, options, 'an object');
  for (const key of Object.keys(options)) {
    if (!ENGINE_KEYS.includes(key))
      throw new InvalidOptionError(
        `${what}.${key}`,
        (options as Record<string, unknown>)[key],
        `one of ${ENGINE_KEYS.join(', ')}`,
      );
  }
  resolveEngine(options, what);
  return options;
}

export function resolveRuntimeOptions(options: RuntimeOptions): ResolvedRuntimeOptions {
  const log = shielded(options.log ?? silentLog);
  return Object.freeze({
    provider: options.provider,
    registry: options.registry,
    runsInstances: options.runsInstances ?? true,
    codec: options.codec ?? defaultCodec,
    log,
    orchestrationLog: options.orchestrationLog === undefined ? log : shielded(options.orchestrationLog),
    ports: options.ports ?? systemPorts,
    ...resolveEngine(options, 'runtime'),
  });
}

function resolveEngine(options: EngineOptions, what: string) {
  const whole = (key: keyof EngineOptions, fallback: number, minimum: number): number => {
    const value = options[key] ?? fallback;
    if (Number.isSafeInteger(value) && (value as number) >= minimum) return value as number;
    throw new InvalidOptionError(`${what}.${key}`, value, `a whole number of at least ${minimum}`);
  };
  const ms = (key: keyof EngineOptions, fallback: number, minimum: number): number => {
    const value = parseDuration(options[key] ?? fallback, `${what}.${key}`);
    if (value < minimum) throw new InvalidOptionError(`${what}.${key}`, options[key], `at least ${minimum} ms`);
    return value;
  };
  const tags = options.tags ?? [];
  if (!Array.isArray(tags)) throw new InvalidOptionError(`${what}.tags`, tags, 'a list of names');
  return {
    activityConcurrency: whole('activityConcurrency', 200, 1),
    activityBacklog: whole('activityBacklog', 5_000, 0),
    tags: tags.map((tag: unknown) => checkName(tag, `${what}.tags`)),
    cacheSize: whole('cacheSize', 10_000, 1),
    cacheIdleMs: ms('cacheIdle', 30_000, 0),
    leaseMs: ms('lease', 15_000, 100),
    shutdownGraceMs: ms('shutdownGrace', 10_000, 0),
    pollBusyMs: ms('pollBusy', 10, 1),
    pollIdleMs: ms('pollIdle', 100, 1),
    maxCrashes: whole('maxCrashes', 10, 1),
    nodeName: checkName(options.nodeName ?? (hostname() || 'node'), `${what}.nodeName`),
    buildId: options.buildId === undefined ? undefined : checkName(options.buildId, `${what}.buildId`),
    limits: resolveLimits(options.limits, `${what}.limits`),
  };
}

function resolveLimits(limits: Partial<Limits> | undefined, what: string): Limits {
  const resolved: Limits = { ...DEFAULT_LIMITS };
  for (const [key, value] of Object.entries(limits ?? {})) {
    if (!(key in DEFAULT_LIMITS))
      throw new InvalidOptionError(`${what}.${key}`, value, `one of ${Object.keys(DEFAULT_LIMITS).join(', ')}`);
    if (!Number.isSafeInteger(value) || value < 1)
      throw new InvalidOptionError(`${what}.${key}`, value, 'a whole number of at least 1');
    resolved[key as keyof Limits] = value;
  }
  return Object.freeze(resolved);
}

export const buildIdOf = (registry: Registry): string =>
  createHash('sha256').update(registry.fingerprint().join('\n')).digest('hex').slice(0, 16);
