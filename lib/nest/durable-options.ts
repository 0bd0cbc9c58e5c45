import type { DataSource, DataSourceOptions } from 'typeorm';
import { InvalidOptionError } from '../core/errors.js';
import { checkName } from '../core/identifiers.js';
import type { PayloadCodec } from '../core/payload.js';
import type { Provider } from '../provider/index.js';
import { TypeOrmProvider } from '../providers/typeorm/index.js';
import { checkEngineOptions, type EngineOptions } from '../runtime/index.js';

export interface DurableModuleOptions {
  /**
   * TypeORM options of a better-sqlite3 database, a DataSource of the application whose options are used (the engine opens
   * a connection of its own), or any storage provider. Default `{ type: 'better-sqlite3', database: 'durable.sqlite' }`.
   */
  readonly storage?: DataSourceOptions | DataSource | Provider;
  /** SQLite: `full` (default) survives power loss, `normal` a crash of the process only. */
  readonly durability?: 'full' | 'normal';
  /** Before the name of every table. Default `durable_`. */
  readonly tablePrefix?: string;
  /** How this process takes part; `false`: it starts, asks and raises, and runs nothing. Default: it takes part. */
  readonly runtime?: false | EngineOptions;
  /** Turns values into stored text and back, for encryption or compression. Default: JSON, richer where needed. */
  readonly codec?: PayloadCodec;
}

/** What is given beside a factory, because Nest must know it before the factory runs. */
export interface DurableModuleExtras {
  /** Several runtimes in one application: inject this one's client with `@InjectDurableClient(name)`. Default: none. */
  readonly name?: string;
  /** The client can be injected everywhere. Default true. */
  readonly isGlobal?: boolean;
}

const KEYS = ['storage', 'durability', 'tablePrefix', 'runtime', 'codec'];
const EXTRAS = ['name', 'isGlobal'];
const ASYNC_KEYS = ['imports', 'inject', 'useFactory', 'useClass', 'useExisting', 'provideInjectionTokensFrom'];
const DEFAULT_STORAGE: DataSourceOptions = { type: 'better-sqlite3', database: 'durable.sqlite' };

/** Of `forRoot`. @throws InvalidOptionError with the option, its value and what is accepted. */
export function checkRootOptions(options: unknown): void {
  const { name, isGlobal, ...rest } = objectOf(options, 'the options of DurableModule.forRoot()');
  checkExtras({ name, isGlobal });
  checkModuleOptions(rest);
}

/** Of `forRootAsync`; what the factory gives is checked when it has. @throws InvalidOptionError */
export function checkAsyncOptions(options: unknown): void {
  const what = 'the options of DurableModule.forRootAsync()';
  const given = objectOf(options, what);
  refuseUnknown(given, [...ASYNC_KEYS, ...EXTRAS], ' (the others belong into what the factory returns)');
  checkExtras(given);
  const ways = ['useFactory', 'useClass', 'useExisting'].filter((key) => given[key] !== undefined);
  if (ways.length !== 1)
    throw new InvalidOptionError(
      what,
      ways.join(', ') || 'without a factory',
      'one of useFactory, useClass, useExisting',
    );
}

/** @throws InvalidOptionError */
export function checkModuleOptions(options: unknown): DurableModuleOptions {
  const given = objectOf(options, 'what the factory of DurableModule returned');
  refuseUnknown(given, KEYS, ' (name and isGlobal stand beside the factory)');
  const { storage, durability, tablePrefix, runtime, codec } = given;
  if (durability !== undefined && durability !== 'full' && durability !== 'normal')
    throw invalid('durability', durability, "'full' or 'normal'");
  if (runtime !== undefined && runtime !== false) checkEngineOptions(runtime, 'DurableModule option runtime');
  if (codec !== undefined) checkCodec(codec);
  if (storage !== undefined) {
    if (typeof storage !== 'object' || storage === null)
      throw invalid('storage', storage, 'TypeORM options, a DataSource or a provider');
    // A provider has options of its own; ignoring these would hide that.
    const ignored = Object.entries({ durability, tablePrefix }).find(([, value]) => value !== undefined);
    if (isProvider(storage) && ignored !== undefined)
      throw invalid(ignored[0], ignored[1], 'it with TypeORM storage, not beside a provider of your own');
  }
  return given;
}

/** @throws InvalidOptionError for storage no provider is here for. */
export function providerOf({ storage = DEFAULT_STORAGE, durability, tablePrefix }: DurableModuleOptions): Provider {
  return isProvider(storage) ? storage : new TypeOrmProvider({ storage, durability, tablePrefix });
}

const isProvider = (storage: object): storage is Provider =>
  typeof (storage as { commit?: unknown }).commit === 'function';

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidOptionError(what, value, 'an object');
}

function refuseUnknown(given: Readonly<Record<string, unknown>>, known: readonly string[], hint: string): void {
  for (const key of Object.keys(given))
    if (!known.includes(key)) throw invalid(key, given[key], `one of ${known.join(', ')}${hint}`);
}

function checkExtras({ name, isGlobal }: { readonly name?: unknown; readonly isGlobal?: unknown }): void {
  if (name !== undefined) checkName(name, 'name of the runtime');
  if (isGlobal !== undefined && typeof isGlobal !== 'boolean') throw invalid('isGlobal', isGlobal, 'true or false');
}

function checkCodec(codec: unknown): void {
  const { encode, decode } = (codec ?? {}) as { readonly encode?: unknown; readonly decode?: unknown };
  if (typeof encode !== 'function' || typeof decode !== 'function') {
    throw invalid('codec', codec, 'an object with encode(value, what) and decode(text)');
  }
}

const invalid = (key: string, value: unknown, accepted: string): InvalidOptionError =>
  new InvalidOptionError(`DurableModule option ${key}`, value, accepted);
