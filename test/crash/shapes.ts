import type { ActivityContext } from '../../lib/core/activity-context.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';
import { Registry } from '../../lib/runtime/index.js';
import type { Random } from './random.js';

/** What every activity of the campaign returns: a value that follows from its input, and the run that made it. */
export interface Receipt {
  readonly value: number;
  readonly run: string;
}

interface Shape<Input> {
  /** How often it is started, beside the others. */
  readonly weight: number;
  readonly input: (random: Random) => Input;
  readonly run: (ctx: OrchestrationContext, input: Input) => Promise<unknown>;
  /** The output; `undefined` if it depends on more than the input. */
  expected?(input: Input): unknown;
  /** A client sends it messages, or ends it. */
  readonly driver?: 'event' | 'queue' | 'end' | 'restart';
  /** Final KV, if the input decides it. */
  kv?(input: Input): Record<string, unknown>;
}

const shape = <Input>(definition: Shape<Input>): Shape<Input> => definition;

export const next = (value: number): number => (value * 31 + 7) % 1_000_003;

function chained(value: number, steps: number): number {
  for (let step = 0; step < steps; step++) value = next(value);
  return value;
}

const call = async (ctx: OrchestrationContext, name: string, ...args: unknown[]): Promise<number> =>
  (await ctx.scheduleActivity<Receipt>(name, args)).value;

const RETRY = { retry: { maxAttempts: 6, backoff: 'fixed', initialInterval: 5, jitter: 0 } } as const;

export const shapes = {
  chain: shape({
    weight: 4,
    input: (random) => ({ value: random.between(0, 999), steps: random.between(1, 12) }),
    async run(ctx, { value, steps }) {
      for (let step = 0; step < steps; step++) value = await call(ctx, 'next', value);
      return value;
    },
    expected: ({ value, steps }) => chained(value, steps),
  }),

  fan: shape({
    weight: 2,
    input: (random) => ({ value: random.between(0, 999), width: random.between(2, 25) }),
    async run(ctx, { value, width }) {
      const calls = Array.from({ length: width }, (_, index) => ctx.scheduleActivity<Receipt>('next', [value + index]));
      const receipts = (await ctx.join(calls)) as Receipt[];
      return call(
        ctx,
        'sum',
        receipts.map((receipt) => receipt.value),
      );
    },
    expected: ({ value, width }) =>
      Array.from({ length: width }, (_, index) => next(value + index)).reduce((sum, one) => sum + one, 0),
  }),

  timers: shape({
    weight: 2,
    input: (random) => ({ pauses: Array.from({ length: random.between(1, 5) }, () => random.between(0, 60)) }),
    async run(ctx, { pauses }) {
      let early = 0;
      for (const ms of pauses) {
        const from = ctx.utcNow().getTime();
        await ctx.scheduleTimer(ms);
        if (ctx.utcNow().getTime() - from < ms) early++;
      }
      await ctx.join(pauses.map((ms) => ctx.scheduleTimer(ms)));
      return { fired: await call(ctx, 'next', pauses.length), early };
    },
    expected: ({ pauses }) => ({ fired: next(pauses.length), early: 0 }),
  }),

  gather: shape({
    weight: 2,
    driver: 'event',
    input: (random) => ({ messages: random.between(1, 12) }),
    async run(ctx) {
      const numbers: number[] = [];
      for (;;) {
        const event = await ctx.scheduleWait<{ number: number; last: boolean }>('tick');
        if (event.last) return numbers;
        numbers.push(event.number);
        if (event.number % 3 === 0) await call(ctx, 'next', event.number);
      }
    },
  }),

  /** A queue over many executions, with a count kept in KV. */
  consumer: shape({
    weight: 2,
    driver: 'queue',
    input: (random) => ({ messages: random.between(1, 25), numbers: [] as number[] }),
    async run(ctx, { messages, numbers }) {
      for (let taken = 0; taken < 4; taken++) {
        const message = await ctx.dequeueEvent<{ number: number; last: boolean }>('work');
        if (message.last) return { numbers, executions: ctx.executionId };
        numbers.push(message.number);
        ctx.kv.set('count', (ctx.kv.get<number>('count') ?? 0) + 1);
        if (message.number % 4 === 0) await call(ctx, 'next', message.number);
      }
      return ctx.continueAsNew({ messages, numbers });
    },
  }),

  family: shape({
    weight: 2,
    input: (random) => ({ children: random.between(1, 4), depth: random.between(0, 2), value: random.between(0, 99) }),
    async run(ctx, input): Promise<number> {
      const { children, depth, value } = input;
      const calls = Array.from({ length: children }, (_, index) =>
        depth === 0
          ? ctx.scheduleSubOrchestration<number>('chain', { value: value + index, steps: 2 })
          : ctx.scheduleSubOrchestration<number>('family', { children: 2, depth: depth - 1, value: value + index }),
      );
      const results = (await ctx.join(calls)) as number[];
      return results.reduce((sum, one) => sum + one, 0);
    },
    expected: ({ children, depth, value }) => familySum(children, depth, value),
  }),

  counter: shape({
    weight: 2,
    input: (random) => ({ rounds: random.between(1, 10) }),
    async run(ctx, { rounds }) {
      for (let round = 0; round < rounds; round++) {
        ctx.kv.set('count', (ctx.kv.get<number>('count') ?? 0) + 1);
        ctx.kv.set(`round-${round % 3}`, round);
        ctx.setCustomStatus({ round });
        await call(ctx, 'next', round);
        ctx.kv.set('count', (ctx.kv.get<number>('count') ?? 0) + 1);
        ctx.kv.delete('round-1');
      }
      return ctx.kv.get<number>('count');
    },
    expected: ({ rounds }) => rounds * 2,
    kv: ({ rounds }) => {
      const last = (rest: number): number | undefined =>
        Array.from({ length: rounds }, (_, round) => round).findLast((round) => round % 3 === rest);
      const kept = [0, 2].filter((rest) => last(rest) !== undefined).map((rest) => [`round-${rest}`, last(rest)]);
      return { count: rounds * 2, ...Object.fromEntries(kept) };
    },
  }),

  /** Fails until an attempt; its value is the number of the attempt that did not, so that a burnt attempt shows. */
  flaky: shape({
    weight: 2,
    input: (random) => ({ until: random.between(1, 5) }),
    async run(ctx, { until }) {
      const again = await ctx.scheduleActivity<Receipt>('flaky', [until], RETRY);
      const once = await ctx.scheduleActivity<Receipt>('flaky', [1]); // one attempt, whatever crashes
      return [again.value, once.value];
    },
    expected: ({ until }) => [until, 1],
  }),

  saga: shape({
    weight: 2,
    input: (random) => ({ value: random.between(0, 99), failAt: random.between(1, 4) }),
    async run(ctx, { value, failAt }) {
      const undo: number[] = [];
      const done: number[] = [];
      try {
        for (let step = 1; step <= 3; step++) {
          if (step === failAt)
            await ctx.scheduleActivity('refuse', [step], { retry: { ...RETRY.retry, maxAttempts: 2 } });
          await call(ctx, 'next', value + step);
          undo.push(step);
          done.push(step);
        }
      } catch {
        for (const step of undo.reverse()) done.push(-(await call(ctx, 'undo', step)));
      }
      return done;
    },
    expected: ({ failAt }) => {
      const steps = [1, 2, 3].slice(0, failAt - 1);
      return failAt > 3 ? steps : [...steps, ...steps.toReversed().map((step) => -step)];
    },
  }),

  race: shape({
    weight: 2,
    input: (random) => ({ ms: random.between(0, 20) }),
    async run(ctx, { ms }) {
      const won = await ctx.select({ timer: ctx.scheduleTimer(ms), work: ctx.scheduleActivity<Receipt>('slow', [10]) });
      await call(ctx, 'next', ms);
      return won.winner === 'timer' || won.winner === 'work';
    },
    expected: () => true,
  }),

  spawner: shape({
    weight: 1,
    input: (random) => ({ value: random.between(0, 99), steps: random.between(1, 4) }),
    run: (ctx, { value, steps }) =>
      ctx.scheduleOrchestration('chain', { value, steps }, { instanceId: `${ctx.instanceId}:detached` }),
  }),

  /** Started again under its id whenever it has finished. */
  again: shape({
    weight: 2,
    driver: 'restart',
    input: (random) => ({ life: 1, lives: random.between(2, 4), value: random.between(0, 999) }),
    async run(ctx, { life, value }) {
      if (ctx.kv.get('life') !== undefined) throw new Error('what an earlier life kept is there');
      ctx.kv.set('life', life);
      return { life, value: await call(ctx, 'relive', { life, value }) };
    },
  }),

  /** Waits until somebody cancels it (and cleans up), or terminates it. */
  sleeper: shape({
    weight: 1,
    driver: 'end',
    input: (random) => ({ by: random.of(['cancel', 'terminate'] as const) }),
    async run(ctx) {
      try {
        await ctx.scheduleWait('never');
      } catch (error) {
        await ctx.shield(() => call(ctx, 'undo', 1));
        throw error;
      }
    },
  }),
};

function familySum(children: number, depth: number, value: number): number {
  let sum = 0;
  for (let index = 0; index < children; index++) {
    sum += depth === 0 ? chained(value + index, 2) : familySum(2, depth - 1, value + index);
  }
  return sum;
}

export const relived = (life: number, value: number): number => chained(value, life);

export type ShapeName = keyof typeof shapes;

/** Every shape with its input type out of sight: a start in a ledger is a name and plain data. */
export const shapeOf = (name: string): Shape<unknown> => shapes[name as ShapeName] as unknown as Shape<unknown>;

const DRAW = Object.entries(shapes).flatMap(([name, { weight }]) =>
  Array.from({ length: weight }, () => name as ShapeName),
);

export const drawShape = (random: Random): ShapeName => random.of(DRAW);

/** Surrounds an activity with its lines in the ledger; `life` tells apart what has the same place in several lives. */
export type Watch = (
  context: ActivityContext,
  body: (run: string) => Promise<Receipt>,
  life?: number,
) => Promise<Receipt>;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function campaignRegistry(watch: Watch): Registry {
  const registry = new Registry();
  for (const name of Object.keys(shapes)) {
    registry.addOrchestration({ name, create: () => ({ run: shapeOf(name).run as never }) });
  }
  const activity = (
    name: string,
    ms: (input: number) => number,
    value: (input: never, attempt: number) => number,
  ): void => {
    registry.addActivity({
      name,
      run: ([input], context) =>
        watch(
          context,
          async (run) => {
            const wait = ms(input as number);
            if (wait > 0) await pause(wait);
            return { value: value(input as never, context.attempt), run };
          },
          (input as { life?: number }).life,
        ),
    });
  };
  activity('next', (input) => input % 7, next);
  activity(
    'sum',
    () => 0,
    (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0),
  );
  activity(
    'undo',
    () => 2,
    (step: number) => step,
  );
  activity(
    'slow',
    (ms) => ms,
    (ms: number) => ms,
  );
  activity(
    'relive',
    () => 2,
    ({ life, value }: { life: number; value: number }) => relived(life, value),
  );
  activity(
    'flaky',
    () => 3,
    (until: number, attempt) => {
      if (attempt < until) throw new Error(`attempt ${attempt} of ${until}`);
      return attempt;
    },
  );
  activity(
    'refuse',
    () => 1,
    () => {
      throw new Error('no');
    },
  );
  return registry;
}

// ---- directed scenarios ----

export const PARKED_STEPS = 5;

/** Chains of five steps; instance n waits at the gate inside its step n modulo 5. */
export function chainsRegistry(watch: Watch, gate: () => Promise<void>): Registry {
  return new Registry()
    .addOrchestration({
      name: 'parked-chain',
      create: () => ({
        run: (async (ctx: OrchestrationContext, index: number) => {
          let value = index;
          for (let step = 0; step < PARKED_STEPS; step++)
            value = await call(ctx, step === index % PARKED_STEPS ? 'gated' : 'next', value);
          return value;
        }) as never,
      }),
    })
    .addActivity({
      name: 'next',
      run: ([value], context) => watch(context, async (run) => ({ value: next(value as number), run })),
    })
    .addActivity({
      name: 'gated',
      run: ([value], context) =>
        watch(context, async (run) => {
          await gate();
          return { value: next(value as number), run };
        }),
    });
}

export type ShutdownKind = 'quick' | 'stubborn' | 'failing';

export function shutdownRegistry(
  watch: Watch,
  body: (kind: ShutdownKind, signal: AbortSignal) => Promise<void>,
): Registry {
  return new Registry()
    .addOrchestration({
      name: 'one-activity',
      create: () => ({ run: ((ctx: OrchestrationContext, kind: string) => call(ctx, 'work', kind)) as never }),
    })
    .addActivity({
      name: 'work',
      run: ([kind], context) =>
        watch(context, async (run) => {
          await body(kind as ShutdownKind, context.signal);
          return { value: context.attempt, run };
        }),
    });
}
