import type { ExternalEventMessage, QueueMessage, StoredMessage } from '../core/message.js';
import { MAX_BUFFERED_IN_MEMORY } from '../core/limits.js';

/** An external event or queue message that nobody has taken yet; its row stays until a committed turn takes it. */
export interface BufferedMessage extends StoredMessage {
  readonly message: ExternalEventMessage | QueueMessage;
}

export type BufferedKind = BufferedMessage['message']['kind'];

/**
 * The external events and queue messages of an instance that wait for their `scheduleWait` or `dequeueEvent`, per kind and
 * name in order of arrival. It outlives executions: continue-as-new carries nothing, the rows are still there (protocol 7).
 *
 * At most `MAX_BUFFERED_IN_MEMORY` are held. A lane (kind and name) is *partial* when the store may hold more of it than
 * memory; nothing newer is appended to it then, or it would overtake, and it is read again when it runs dry.
 */
export class MessageBuffer {
  private readonly lanes = new Map<string, BufferedMessage[]>();
  private readonly partial = new Set<string>();
  private readonly whole = new Set<string>();
  /** Lanes of which a message was left in the store since they were last asked for. */
  private readonly passedOver = new Set<string>();
  private truncated = false;
  private held = 0;

  get size(): number {
    return this.held;
  }

  /** The store held more than was loaded: any lane may be partial. */
  truncate(): void {
    this.truncated = true;
    this.whole.clear();
  }

  add(message: BufferedMessage): void {
    const key = keyOf(message.message.kind, message.message.name);
    if (this.held >= MAX_BUFFERED_IN_MEMORY) this.partial.add(key);
    if (this.isPartial(key)) return void this.passedOver.add(key);
    this.append(key, message);
  }

  /** Adds what was loaded from the store, in order, whether or not the lane goes on there. */
  load(messages: readonly BufferedMessage[]): void {
    for (const message of messages) this.append(keyOf(message.message.kind, message.message.name), message);
  }

  has(kind: BufferedKind, name: string): boolean {
    return this.lanes.has(keyOf(kind, name));
  }

  take(kind: BufferedKind, name: string): BufferedMessage | undefined {
    const key = keyOf(kind, name);
    const lane = this.lanes.get(key);
    if (lane === undefined) return undefined;
    this.held--;
    const message = lane.shift();
    if (lane.length === 0) this.lanes.delete(key);
    return message;
  }

  /** Memory has run dry, the store may not have. */
  mustRead(kind: BufferedKind, name: string): boolean {
    const key = keyOf(kind, name);
    return !this.lanes.has(key) && this.isPartial(key);
  }

  /** The store is about to be asked for a lane; what comes from now on may be missing in its answer. */
  willRead(kind: BufferedKind, name: string): void {
    this.passedOver.delete(keyOf(kind, name));
  }

  /** What the store held of a lane that ran dry, after the commit that emptied it. `complete`: there was no more. */
  refill(kind: BufferedKind, name: string, messages: readonly BufferedMessage[], complete: boolean): void {
    const key = keyOf(kind, name);
    this.load(messages);
    if (complete && !this.passedOver.has(key)) {
      this.partial.delete(key);
      if (this.truncated) this.whole.add(key);
    } else {
      this.partial.add(key);
      this.whole.delete(key);
    }
  }

  private isPartial(key: string): boolean {
    return this.partial.has(key) || (this.truncated && !this.whole.has(key));
  }

  private append(key: string, message: BufferedMessage): void {
    this.held++;
    const lane = this.lanes.get(key);
    if (lane === undefined) this.lanes.set(key, [message]);
    else lane.push(message);
  }
}

const keyOf = (kind: BufferedKind, name: string): string => `${kind}/${name}`;
