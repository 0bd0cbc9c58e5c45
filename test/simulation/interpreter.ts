import { isDurableError } from '../../lib/core/errors.js';
import type { DurableFuture, OrchestrationContext } from '../../lib/replay/index.js';
import type { Act, Program, ProgramInput, Single, Statement } from './program.js';

/** Alone it says nothing; a value that is no instance of it any more has travelled. */
class Box {
  constructor(readonly n: number) {}
}

/** The one simulated orchestration: runs its input. */
export async function interpret(ctx: OrchestrationContext, input: ProgramInput): Promise<unknown> {
  const { program } = input;
  const values = [...input.values];
  let { taken } = input;
  try {
    for (const [index, statement] of program.entries()) {
      const rest = program.slice(index + 1);
      if (statement.do === 'again') return await ctx.continueAsNew({ program: rest, values: [...values, 'again'] });
      if (statement.do === 'drain') {
        const numbers = await drain(ctx, statement.queue, statement.per, taken ?? []);
        if (!numbers.done)
          return await ctx.continueAsNew({ program: program.slice(index), values, taken: numbers.taken });
        values.push(numbers.taken);
        taken = undefined;
      } else {
        values.push(await run(ctx, statement));
      }
    }
    return values;
  } catch (error) {
    if (isCancelled(error)) await ctx.shield(() => ctx.scheduleActivity('undo', [ctx.instanceId]));
    throw error;
  }
}

async function drain(
  ctx: OrchestrationContext,
  queue: string,
  per: number,
  before: readonly number[],
): Promise<{ taken: number[]; done: boolean }> {
  const taken = [...before];
  for (let count = 0; count < per; count++) {
    const number = await ctx.dequeueEvent<number>(queue);
    if (number === -1) return { taken, done: true };
    taken.push(number);
    ctx.kv.set(`taken ${queue}`, taken.length);
  }
  return { taken, done: false };
}

const isCancelled = (error: unknown): boolean => isDurableError(error) && error.code === 'ERR_DURABLE_CANCELLED';

/** A value, or how it failed; only a cancellation goes further. */
async function run(ctx: OrchestrationContext, statement: Statement): Promise<unknown> {
  switch (statement.do) {
    case 'all':
      return Promise.all(statement.branches.map((branch) => sequence(ctx, branch)));
    case 'select': {
      const won = await ctx.select(statement.of.map((single) => begin(ctx, single))).catch(failed);
      return 'error' in won ? won : { winner: won.index, value: won.value ?? null };
    }
    case 'race':
      return Promise.race(
        statement.of.map(async (single, winner) => ({ winner, value: await value(begin(ctx, single)) })),
      );
    case 'give-up': {
      const future = begin(ctx, statement.what);
      await ctx.scheduleTimer(1);
      future.cancel('given up');
      return value(future);
    }
    case 'kv':
      return kv(ctx, statement.op, statement.key, statement.n);
    case 'status':
      ctx.setCustomStatus({ n: statement.n });
      return null;
    case 'box': {
      const box = ctx.sideEffect(() => new Box(statement.n));
      return { travelled: !(box instanceof Box), n: box.n, guid: ctx.newGuid().length };
    }
    case 'fail':
      throw new Error(`failed with ${statement.n}`);
    case 'again':
    case 'drain':
      throw new TypeError(`${statement.do} belongs at the top`);
    default:
      return value(begin(ctx, statement));
  }
}

async function sequence(ctx: OrchestrationContext, program: Program): Promise<unknown[]> {
  const values: unknown[] = [];
  for (const statement of program) values.push(await run(ctx, statement));
  return values;
}

function begin(ctx: OrchestrationContext, single: Single): DurableFuture<unknown> {
  switch (single.do) {
    case 'act':
      return act(ctx, single);
    case 'sleep':
      return ctx.scheduleTimer(single.ms);
    case 'wait':
      return ctx.scheduleWait(single.name);
    case 'child':
      return ctx.scheduleSubOrchestration(
        'program',
        { program: single.program, values: [] },
        { onParentClose: single.onParentClose, ...(single.id !== undefined && { instanceId: single.id }) },
      );
    case 'detach':
      return ctx.scheduleOrchestration(
        'program',
        { program: single.program, values: [] },
        single.id === undefined ? {} : { instanceId: single.id },
      );
  }
}

function act(ctx: OrchestrationContext, { n, ms, until, maxAttempts, kills }: Act): DurableFuture<unknown> {
  const retry = { maxAttempts, backoff: 'fixed', initialInterval: 20, jitter: 0.5 } as const;
  return ctx.scheduleActivity('work', [{ n, ms, until, kills }], maxAttempts > 1 ? { retry } : {});
}

async function value(future: Promise<unknown>): Promise<unknown> {
  try {
    return (await future) ?? null;
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): { error: string } {
  if (isCancelled(error)) throw error;
  return { error: isDurableError(error) ? String(error.code) : String(error) };
}

function kv(ctx: OrchestrationContext, op: string, key: string, n: number): unknown {
  switch (op) {
    case 'set':
      ctx.kv.set(key, n);
      break;
    case 'add':
      ctx.kv.set(key, (ctx.kv.get<number>(key) ?? 0) + n);
      break;
    case 'delete':
      ctx.kv.delete(key);
      break;
    case 'clear':
      ctx.kv.clear();
      break;
    case 'alias': {
      const object = { n };
      ctx.kv.set(`${key}!`, object);
      object.n++;
      return ctx.kv.get<{ n: number }>(`${key}!`)!.n;
    }
  }
  return ctx.kv.get<number>(key) ?? null;
}
