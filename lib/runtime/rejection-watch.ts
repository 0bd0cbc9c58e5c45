import { executionOnStand, type Execution, type PhaseHooks } from '../replay/index.js';

type Listener = (...args: never[]) => void;
interface RejectionSource {
  listeners(event: string): Listener[];
  on(event: string, listener: Listener): unknown;
  removeAllListeners(event: string): unknown;
  removeListener(event: string, listener: Listener): unknown;
}

/** Jest gives its sandbox a copy of `process`; rejections are emitted on the real one. */
const realProcess = (process.getBuiltinModule?.('node:process') ?? process) as unknown as RejectionSource;

/**
 * A helper that rejects before the orchestration awaits it must not end the process (protocol 19). While a phase runs,
 * the process's `unhandledRejection` listeners are replaced by this one: Node emits between the callbacks, so the
 * execution on the stand is the one that rejected.
 */
export class RejectionWatch implements PhaseHooks {
  private readonly unobserved = new WeakMap<Execution, Map<Promise<unknown>, unknown>>();
  private readonly ownerOf = new WeakMap<Promise<unknown>, Execution>();
  private saved: Listener[] = [];

  begin(): void {
    this.saved = realProcess.listeners('unhandledRejection');
    realProcess.removeAllListeners('unhandledRejection');
    realProcess.on('unhandledRejection', this.rejected as Listener);
    realProcess.on('rejectionHandled', this.handled as Listener);
  }

  end(): void {
    realProcess.removeListener('unhandledRejection', this.rejected as Listener);
    realProcess.removeListener('rejectionHandled', this.handled as Listener);
    for (const listener of this.saved) realProcess.on('unhandledRejection', listener);
    this.saved = [];
  }

  /** Reasons of rejections nobody observed until the execution ended. */
  leftBy(execution: Execution): unknown[] {
    return [...(this.unobserved.get(execution)?.values() ?? [])];
  }

  private readonly rejected = (reason: unknown, promise: Promise<unknown>): void => {
    const execution = executionOnStand();
    if (execution === undefined) return;
    const known = this.unobserved.get(execution) ?? new Map<Promise<unknown>, unknown>();
    if (known.size < 100) known.set(promise, reason);
    this.unobserved.set(execution, known);
    this.ownerOf.set(promise, execution);
  };

  private readonly handled = (promise: Promise<unknown>): void => {
    const owner = this.ownerOf.get(promise);
    if (owner !== undefined) this.unobserved.get(owner)?.delete(promise);
  };
}
