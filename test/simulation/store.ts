import type { HistoryEvent } from '../../lib/core/history-event.js';
import type { Message } from '../../lib/core/message.js';
import type { Provider } from '../../lib/provider/index.js';
import type { Life } from './life.js';

/** The committed rows, as the invariants read them: the same from every kind of store. */
export interface Rows {
  readonly instances: ReadonlyMap<string, InstanceCells>;
  readonly turns: readonly TurnCells[];
  readonly messages: readonly MessageCells[];
  readonly activities: readonly ActivityCells[];
  readonly timers: readonly TimerCells[];
  readonly kv: readonly KvCells[];
  readonly nodes: ReadonlySet<string>;
}

export interface InstanceCells {
  readonly instanceId: string;
  readonly generation: string;
  readonly status: string;
  readonly executionId: number;
  readonly nextEventId: number;
  readonly turn: number;
  readonly owner: string | null;
  readonly messagesIn: number;
  readonly messagesSeen: number;
  readonly held: number;
  readonly crashes: number;
  readonly customStatus: string | null;
  readonly output: string | null;
  readonly failure: string | null;
  readonly suspendedCode: string | null;
  readonly suspendedReason: string | null;
  readonly parent: string | null;
}

export interface TurnCells {
  readonly instanceId: string;
  readonly executionId: number;
  readonly firstEventId: number;
  readonly eventCount: number;
  readonly events: readonly HistoryEvent[];
}

export interface MessageCells {
  readonly instanceId: string;
  readonly seq: number;
  readonly message: Message;
}

export interface ActivityCells {
  readonly instanceId: string;
  readonly executionId: number;
  readonly scheduleId: number;
  readonly generation: string;
  readonly claim: number;
  readonly node: string | null;
  readonly attempt: number;
  readonly crashes: number;
}

export interface TimerCells {
  readonly instanceId: string;
  readonly executionId: number;
  readonly scheduleId: number;
  readonly fireAt: number;
}

export interface KvCells {
  readonly instanceId: string;
  readonly key: string;
  readonly value: string | null;
  readonly base: string | null;
  readonly executionId: number;
}

/** A database under test, and a way to look at it that disturbs nobody. */
export interface SimulatedStore {
  /** Only one node at a time may be the engine, until its lease ends. */
  readonly oneEngine: boolean;
  /** A call is done when its promise is: nothing else happens meanwhile. Otherwise it takes part in the schedule. */
  readonly atomicCalls: boolean;
  provider(life: Life): Provider;
  /** The process of that provider died. */
  crashed(provider: Provider): Promise<void>;
  /** Grows with every transaction that wrote; where nothing tells, with every call. */
  version(): number;
  rows(): Rows;
  /** Nothing goes wrong inside any more. */
  heal(): void;
  close(): Promise<void>;
}

/** Histories are long and change at their end only: each text is parsed once. */
export class ParsedTexts {
  private readonly known = new Map<string, unknown>();

  of<T>(text: string): T {
    let value = this.known.get(text);
    if (value === undefined) {
      value = JSON.parse(text);
      this.known.set(text, value);
    }
    return value as T;
  }
}
