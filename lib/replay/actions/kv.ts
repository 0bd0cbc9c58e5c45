import { checkName } from '../../core/identifiers.js';
import type { Execution } from '../execution.js';
import { mayRecord } from './off-stand.js';

/** Key-value state of the instance. Survives replay and continue-as-new; clients read the committed values. */
export interface DurableKv {
  /** A fresh copy of the value, or `undefined`. */
  get<T = unknown>(key: string): T | undefined;
  /** @throws PayloadError for a value that cannot be carried. */
  set(key: string, value: unknown): void;
  delete(key: string): void;
  clear(): void;
  /** Sorted by UTF-16 code units: the same order on every replay. */
  keys(): string[];
  entries<T = unknown>(): [string, T][];
}

export class KvActions implements DurableKv {
  constructor(private readonly execution: Execution) {}

  get<T>(key: string): T | undefined {
    mayRecord(this.execution, `kv.get(${key})`);
    const text = this.execution.kv.get(key);
    return text === undefined ? undefined : (this.execution.decode(text, `KV value ${key}`) as T);
  }

  set(key: string, value: unknown): void {
    const { execution } = this;
    if (!execution.mayAct(`kv.set(${key})`)) return;
    checkName(key, 'KV key');
    const text = execution.codec.encode(value, `KV value ${key}`);
    if (execution.exceeds(`KV value ${JSON.stringify(key)}`, text.length, execution.limits.maxKvValueBytes)) return;
    if (!execution.kv.has(key) && execution.exceeds('KV keys', execution.kv.size + 1, execution.limits.maxKvKeys))
      return;
    const asked = { id: execution.nextEventId, kind: 'KvSet', key, value: text } as const;
    const decided = execution.decide(asked);
    if (decided === undefined) return;
    execution.kv.set(key, decided.value);
    execution.draft.changeKv(key, decided.value);
  }

  delete(key: string): void {
    const { execution } = this;
    if (!execution.mayAct(`kv.delete(${key})`)) return;
    checkName(key, 'KV key');
    if (execution.decide({ id: execution.nextEventId, kind: 'KvDeleted', key }) !== undefined) this.remove(key);
  }

  clear(): void {
    const { execution } = this;
    if (!execution.mayAct('kv.clear()')) return;
    if (execution.decide({ id: execution.nextEventId, kind: 'KvCleared' }) === undefined) return;
    for (const key of [...execution.kv.keys()]) this.remove(key);
  }

  keys(): string[] {
    mayRecord(this.execution, 'kv.keys()');
    return [...this.execution.kv.keys()].sort();
  }

  entries<T>(): [string, T][] {
    return this.keys().map((key) => [key, this.get<T>(key) as T]);
  }

  private remove(key: string): void {
    this.execution.kv.delete(key);
    this.execution.draft.changeKv(key, null);
  }
}
