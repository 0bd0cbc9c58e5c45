import type { OrchestrationContext } from '../../lib/replay/index.js';
import { Registry } from '../../lib/runtime/index.js';
import { next, type Receipt, type Watch } from './shapes.js';

const INNOCENTS = 12;

/** `deadly` dies in its code, `hard` calls an activity that kills the process, the others are caught in it. */
export const poisonIds = (): string[] => [
  ...Array.from({ length: INNOCENTS }, (_, index) => `calm-${index}`),
  'deadly-1',
  'hard-1',
  ...Array.from({ length: INNOCENTS }, (_, index) => `calm-${INNOCENTS + index}`),
];

export const CALM_STEPS = 60;

export function poisonRegistry(watch: Watch): Registry {
  const die = (): never => {
    process.kill(process.pid, 'SIGKILL');
    for (;;); // the signal is on its way
  };
  return new Registry()
    .addOrchestration({
      name: 'calm',
      create: () => ({
        run: (async (ctx: OrchestrationContext, value: number) => {
          for (let step = 0; step < CALM_STEPS; step++)
            value = (await ctx.scheduleActivity<Receipt>('next', [value])).value;
          return value;
        }) as never,
      }),
    })
    .addOrchestration({
      name: 'deadly',
      create: () => ({
        run: (async (ctx: OrchestrationContext) => {
          await ctx.scheduleTimer(30);
          die();
        }) as never,
      }),
    })
    .addOrchestration({
      name: 'hard',
      create: () => ({
        run: ((ctx: OrchestrationContext) =>
          ctx.scheduleActivity('die', []).catch((error: { failure: { name: string } }) => error.failure.name)) as never,
      }),
    })
    .addActivity({
      name: 'next',
      run: ([value], context) =>
        watch(context, async (run) => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          return { value: next(value as number), run };
        }),
    })
    .addActivity({ name: 'die', run: (_, context) => watch(context, async () => die()) });
}
