import type { ActivityContext } from '../../lib/core/activity-context.js';
import type { Life } from './life.js';
import { outcomeOf, type Act } from './program.js';
import type { World } from './world.js';

interface Run {
  readonly attempt: number;
  readonly life: Life;
  readonly key: string;
  ended?: 'ok' | 'failed' | 'aborted';
}

/** What ran outside the store, and what it must agree with. */
export class Ledger {
  /** By idempotency key: generation, execution and schedule. */
  private readonly runs = new Map<string, Run[]>();
  private readonly idempotency = new Map<string, string>();
  /** Anything that may make an activity run again. */
  private upsets = 0;
  private engines = 0;

  constructor(
    private readonly world: World,
    private readonly failed: (problem: string) => void,
    /** What is committed about a schedule: its event, and whether it has an outcome. */
    private readonly recorded: (context: ActivityContext) => 'no' | 'open' | 'closed' | 'gone',
  ) {}

  died(life: Life): void {
    this.upsets++;
    this.world.say(life.name, 'what it runs may run again');
  }

  /** It takes everything over from engines before it. */
  engineStarts(): void {
    if (this.engines++ > 0) this.upsets++;
  }

  /** A lease lost, an instance suspended: somebody else goes on. */
  upset(): void {
    this.upsets++;
  }

  async work(
    life: Life,
    { n, ms, until, kills }: Pick<Act, 'n' | 'ms' | 'until' | 'kills'>,
    context: ActivityContext,
    kill: () => void,
  ): Promise<unknown> {
    const run = this.begin(life, context);
    if (this.runsOf(context).length <= kills) {
      kill();
      return new Promise(() => undefined);
    }
    context.signal.addEventListener('abort', () => (run.ended ??= 'aborted'));
    if (ms > 0) await pause(life, ms, context.signal);
    if (context.attempt < until) {
      run.ended = 'failed';
      throw new Error(`attempt ${context.attempt} of ${until}`);
    }
    run.ended = 'ok';
    return { n: outcomeOf(n), attempt: context.attempt };
  }

  async undo(life: Life, context: ActivityContext): Promise<void> {
    this.begin(life, context).ended = 'ok';
  }

  /** A recorded outcome is the one of a run that had it. */
  *problemsOfOutcome(key: string, where: string, ok: boolean, attempts: number | undefined): Generator<string> {
    const runs = this.runs.get(key) ?? [];
    const fits = runs.some(
      (run) => run.ended === (ok ? 'ok' : 'failed') && (attempts === undefined || run.attempt === attempts),
    );
    if (!fits) yield `I-35 ${where} is recorded as ${ok ? 'completed' : 'failed'} and no run of it was`;
  }

  private runsOf(context: ActivityContext): Run[] {
    return this.runs.get(context.idempotencyKey) ?? [];
  }

  private begin(life: Life, context: ActivityContext): Run {
    const key = keyOf(context);
    const { attempt } = context;
    this.world.say(life.name, `runs ${key} attempt ${attempt}`);
    const recorded = this.recorded(context);
    if (recorded === 'no') this.failed(`C7 ${key} runs before its turn is committed`);
    if (recorded === 'closed' && this.upsets === 0) this.failed(`I-36 ${key} runs after its outcome was recorded`);
    const before = this.runsOf(context);
    this.runs.set(context.idempotencyKey, before);
    if (this.upsets === 0 && before.some((run) => run.attempt === attempt))
      this.failed(`I-35 ${key} attempt ${attempt} runs twice although nothing went wrong`);
    if (before.some((run) => run.life === life && run.attempt === attempt && run.ended === undefined))
      this.failed(`I-35 ${key} attempt ${attempt} runs twice at once in one process`);
    if (attempt > 1 && !before.some((run) => run.attempt === attempt - 1 && run.ended === 'failed'))
      this.failed(`I-19 ${key} runs as attempt ${attempt}, and attempt ${attempt - 1} did not fail`);
    const known = this.idempotency.get(context.idempotencyKey);
    if (known !== undefined && known !== key) this.failed(`I-20 ${key} shares its idempotency key with ${known}`);
    this.idempotency.set(context.idempotencyKey, key);
    const run: Run = { attempt, life, key };
    before.push(run);
    return run;
  }
}

const keyOf = ({ instanceId, executionId, activityId }: ActivityContext): string =>
  `${instanceId}/${executionId}/${activityId}`;

function pause(life: Life, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = life.ports.setTimer(resolve, ms);
    signal.addEventListener('abort', () => {
      cancel();
      reject(new Error('aborted'));
    });
  });
}
