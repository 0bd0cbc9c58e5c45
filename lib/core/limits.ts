/**
 * Every limit of the product: unit, reason, enforcer. `resolveLimits` merges what the user sets.
 *
 * Limits on what orchestration code produces never throw into that code, because catching them would be a decision that
 * changes when the option changes: the turn is not committed and the instance is suspended with `LimitExceeded`.
 */
export interface Limits {
  /** UTF-16 code units of one encoded payload (input, result, event). Enforced by the client and the turn. Default 2 MiB. */
  maxPayloadBytes: number;
  /** Events in the history of one execution at which a warning is logged once. Default 10,000. */
  warnHistoryEvents: number;
  /** Events in the history of one execution at which the instance is suspended. Default 1,000,000. */
  maxHistoryEvents: number;
  /** Keys of one instance's KV. Default 1,000. */
  maxKvKeys: number;
  /** UTF-16 code units of one encoded KV value. Default 256 KiB. */
  maxKvValueBytes: number;
  /** UTF-16 code units of the encoded custom status. Default 256 KiB. */
  maxCustomStatusBytes: number;
}

export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  maxPayloadBytes: 2 * 1024 * 1024,
  warnHistoryEvents: 10_000,
  maxHistoryEvents: 1_000_000,
  maxKvKeys: 1_000,
  maxKvValueBytes: 256 * 1024,
  maxCustomStatusBytes: 256 * 1024,
});

/** Deliveries one turn takes before it commits; the rest is the next turn, so one deep inbox delays nobody (protocol 17). */
export const MAX_DELIVERIES_PER_TURN = 256;

/**
 * Items after which a journal batch is closed (protocol 5). SQLite commits inside the event loop: 256 turns hold it up for
 * less than 10 ms, and sharing one sync among more of them gains nothing.
 */
export const MAX_BATCH_ITEMS = 256;

/** UTF-16 code units after which a journal batch is closed (protocol 5). */
export const MAX_BATCH_CHARS = 4 * 1024 * 1024;

/** Buffered external events and queue messages of one instance kept in memory; the rest stays in the store (protocol 7). */
export const MAX_BUFFERED_IN_MEMORY = 1_000;

/** Crashes of a process after which an instance or activity caught in them runs alone (protocol 8). */
export const SUSPECT_AFTER_CRASHES = 2;

/** The format of the history this version writes and the newest it can read (semantics A19). */
export const ENGINE_FORMAT = 1;
