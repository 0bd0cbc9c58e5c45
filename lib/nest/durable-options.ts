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
  /** How this process takes part; `false`: it starts, asks and raises, and runs nothing. */
  readonly runtime?: false | EngineOptions;
  /** Turns values into stored text and back, for encryption or compression. Default: JSON, richer where needed. */
  readonly codec?: PayloadCodec;
}

/** What is given beside a factory, because Nest must know it before the factory runs. */
export interface DurableModuleExtras {
  /** Several runtimes in one application: inject this one's client with `@InjectDurableClient(name)`. */
  readonly name?: string;
  /** Default true: the client can be injected everywhere. */
  readonly isGlobal?: boolean;
}

const KEYS = ['storage', 'durability', 'tablePrefix', 'runtime', 'codec', 'name', 'isGlobal'];
const DEFAULT_STORAGE: DataSourceOptions = { type: 'better-sqlite3', database: 'durable.sqlite' };

/** @throws InvalidOptionError with the option, its value and what is accepted. */
export function checkModuleOptions(options: unknown): DurableModuleOptions {
  if (typeof options !== 'object' || options === null) throw new InvalidOptionError('the options of DurableModule', options, 'an object');
  const given = options as DurableModuleOptions & DurableModuleExtras & Record<string, unknown>;
  for (const key of Object.keys(given)) {
    if (!KEYS.includes(key)) throw new InvalidOptionError(`DurableModule option ${key}`, given[key], `one of ${KEYS.join(', ')}`);
  }
  const { durability, runtime, codec, name } = given;
  if (durability !== undefined && durability !== 'full' && durability !== 'normal') throw new InvalidOptionError('durability', durability, "'full' or 'normal'");
  if (runtime !== undefined && runtime !== false) checkEngineOptions(runtime, 'runtime');
  if (codec !== undefined && (typeof codec.encode !== 'function' || typeof codec.decode !== 'function')) {
    throw new InvalidOptionError('codec', codec, 'an object with encode(value, what) and decode(text)');
  }
  if (name !== undefined) checkName(name, 'name of the runtime');
  return given;
}

export function providerOf({ storage = DEFAULT_STORAGE, durability, tablePrefix }: DurableModuleOptions): Provider {
  if (typeof storage !== 'object' || storage === null) throw new InvalidOptionError('storage', storage, 'TypeORM options, a DataSource or a provider');
  return isProvider(storage) ? storage : new TypeOrmProvider({ storage, durability, tablePrefix });
}

const isProvider = (storage: object): storage is Provider => typeof (storage as { commit?: unknown }).commit === 'function';
