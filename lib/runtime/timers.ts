import type { StoredTimer, TimerCursor, Provider } from '../provider/provider.js';
import type { ScheduleKey } from '../provider/batch.js';
import { Heap } from './heap.js';
import type { Ports } from './ports.js';

/** Timers due within this time are held in memory; the store has the rest. */
const WINDOW_MS = 60_000;
const MAX_LOADED = 20_000;
const RETRY_MS = 500;

interface Armed extends StoredTimer {
  cancelled?: boolean;
}

/**
 * The nearest due times in memory, over the store's index: one timer of the process for all, none of it lost when memory
 * is. A timer is an input derived from its row and the clock; the turn that takes it deletes the row.
 */
export class Timers {
  private readonly heap = new Heap<Armed>((timer) => timer.fireAt);
  private readonly armed = new Map<string, Armed>();
  /** Everything due until then is in the heap. */
  private loadedUntil = -Infinity;
  /** Until then is being read: what is added meanwhile may have come too late for it. */
  private loadingUntil = -Infinity;
  private cursor: TimerCursor | null = null;
  private cancelAlarm: (() => void) | undefined;
  private alarmAt = Infinity;
  private loading = false;
  /** Everything is to be read anew, although an answer is on its way. */
  private outdated = false;
  private stopped = true;

  constructor(
    private readonly provider: Provider,
    private readonly ports: Ports,
    private readonly fired: (timers: readonly StoredTimer[]) => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  async start(): Promise<void> {
    this.stopped = false;
    this.loadedUntil = -Infinity;
    this.cursor = null;
    this.outdated = this.loading;
    await this.load();
  }

  stop(): void {
    this.stopped = true;
    this.cancelAlarm?.();
    this.alarmAt = Infinity;
  }

  /** After the commit that stored it. */
  add(timer: StoredTimer): void {
    if (timer.fireAt > Math.max(this.loadedUntil, this.loadingUntil) || this.stopped) return;
    this.arm(timer);
    this.setAlarm();
  }

  /** After the commit that deleted it. */
  remove(instanceId: string, generation: string, key: ScheduleKey): void {
    const id = idOf({ instanceId, generation, ...key });
    const timer = this.armed.get(id);
    if (timer === undefined) return;
    timer.cancelled = true;
    this.armed.delete(id);
  }

  private arm(timer: StoredTimer): void {
    const id = idOf(timer);
    if (this.armed.has(id)) return;
    const armed: Armed = { ...timer };
    this.armed.set(id, armed);
    this.heap.push(armed);
  }

  private setAlarm(): void {
    const next = Math.min(this.heap.peek()?.fireAt ?? Infinity, this.loadedUntil - WINDOW_MS / 2);
    if (this.stopped || next >= this.alarmAt) return;
    this.cancelAlarm?.();
    this.alarmAt = next;
    this.cancelAlarm = this.ports.setTimer(this.ring, Math.max(0, next - this.ports.clock.now()), { unref: true });
  }

  private readonly ring = (): void => {
    this.alarmAt = Infinity;
    if (this.stopped) return;
    const now = this.ports.clock.now();
    const due: StoredTimer[] = [];
    for (let timer = this.heap.peek(); timer !== undefined && timer.fireAt <= now; timer = this.heap.peek()) {
      this.heap.pop();
      if (timer.cancelled) continue;
      this.armed.delete(idOf(timer));
      due.push(timer);
    }
    if (due.length > 0) this.fired(due);
    if (this.loadedUntil - WINDOW_MS / 2 <= now) this.load().catch(this.loadLater);
    else this.setAlarm();
  };

  private readonly loadLater = (error: unknown): void => {
    this.failed(error);
    if (this.stopped) return;
    this.alarmAt = this.ports.clock.now() + RETRY_MS;
    this.cancelAlarm = this.ports.setTimer(this.ring, RETRY_MS, { unref: true });
  };

  private async load(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    try {
      do {
        this.outdated = false;
        await this.loadPage();
      } while (this.outdated && !this.stopped);
    } finally {
      this.loadingUntil = -Infinity;
      this.loading = false;
    }
    this.setAlarm();
  }

  private async loadPage(): Promise<void> {
    const until = (this.loadingUntil = this.ports.clock.now() + WINDOW_MS);
    const page = await this.provider.timers(this.cursor, until, MAX_LOADED);
    for (const timer of page) this.arm(timer);
    if (this.outdated) return;
    if (page.length === MAX_LOADED) {
      this.cursor = page.at(-1)!;
      this.loadedUntil = this.cursor.fireAt;
    } else {
      this.cursor = { fireAt: until, instanceId: '', executionId: -1, scheduleId: -1 };
      this.loadedUntil = until;
    }
  }
}

const idOf = (timer: Omit<StoredTimer, 'fireAt'>): string =>
  `${timer.generation}/${timer.executionId}/${timer.scheduleId}`;
