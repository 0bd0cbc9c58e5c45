/** Where the engine says what a person should know. Nest's Logger fits; `silentLog` says nothing. */
export interface EngineLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  log(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

const nothing = (): void => undefined;
export const silentLog: EngineLog = { debug: nothing, log: nothing, warn: nothing, error: nothing };

/** A log that throws (a full disk, a closed stream) must not end what it was told about: its line is lost, and nothing else. */
export function shielded(log: EngineLog): EngineLog {
  const at = (level: keyof EngineLog): EngineLog[typeof level] => {
    return (message, fields) => {
      try {
        log[level](message, fields);
      } catch {
        // There is nobody left to tell.
      }
    };
  };
  return { debug: at('debug'), log: at('log'), warn: at('warn'), error: at('error') };
}

/** Counts since the start of the runtime; every message that was not delivered is in here with its reason. */
export interface EngineCounters {
  turns: number;
  refusedTurns: number;
  replays: number;
  commits: number;
  commitItems: number;
  commitMs: number;
  busyRetries: number;
  activitiesRun: number;
  activityRetries: number;
  suspended: number;
  undeliverable: number;
  discarded: Record<string, number>;
}

export const newCounters = (): EngineCounters => ({
  turns: 0,
  refusedTurns: 0,
  replays: 0,
  commits: 0,
  commitItems: 0,
  commitMs: 0,
  busyRetries: 0,
  activitiesRun: 0,
  activityRetries: 0,
  suspended: 0,
  undeliverable: 0,
  discarded: {},
});

/** At most one line a second per cause: storage trouble must not become a log flood. */
export class ThrottledLog {
  private readonly last = new Map<string, number>();

  constructor(
    private readonly log: EngineLog,
    private readonly now: () => number,
  ) {}

  warn(cause: string, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const now = this.now();
    if (now - (this.last.get(cause) ?? -Infinity) < 1_000) return;
    this.last.set(cause, now);
    this.log.warn(message, fields);
  }
}
