import type { OrchestrationContext } from '../../lib/replay/index.js';
import type { GoldenProgram } from './golden-program.js';

type Ctx = OrchestrationContext;

const activities = {
  greet: (name: string) => `Hello, ${name}!`,
  echo: (value: unknown) => value,
  fail: (message: string) => {
    throw new TypeError(message);
  },
};

/** Each action by itself: what it decides, and how its completion looks. */
export const PROGRAMS_OF_ACTIONS: readonly GoldenProgram[] = [
  {
    name: 'activity',
    orchestrations: { Greet: async (ctx: Ctx, name: string) => ctx.scheduleActivity('greet', [name]) },
    activities,
    input: 'Ada',
  },
  {
    name: 'activity-with-tag',
    orchestrations: {
      Tagged: async (ctx: Ctx) => [
        await ctx.scheduleActivity('greet', ['gpu'], { tag: 'gpu' }),
        await ctx.scheduleActivity('greet', ['anyone'], { startToCloseTimeout: '1m', retry: { maxAttempts: 2 } }),
      ],
    },
    activities,
  },
  {
    name: 'activity-retried',
    orchestrations: {
      Retried: async (ctx: Ctx) => {
        const options = { retry: { maxAttempts: 3, backoff: 'fixed', initialInterval: 1 } } as const;
        const first = await ctx.scheduleActivity('flaky', [], options);
        const second = await ctx.scheduleActivity('fail', ['never'], options).catch((error: Error) => error.message);
        return [first, second];
      },
    },
    activities: {
      ...activities,
      flaky: (() => {
        let calls = 0;
        return () => {
          if (++calls < 3) throw new Error(`attempt ${calls}`);
          return calls;
        };
      })(),
    },
  },
  {
    name: 'values',
    orchestrations: {
      Values: async (ctx: Ctx, input: Map<string, Date>) => {
        const carried = await ctx.scheduleActivity<Record<string, unknown>>('echo', [
          { input, big: 12n, set: new Set([undefined, NaN, -0]), bytes: new Uint8Array([1, 2]), url: new URL('a:b') },
        ]);
        ctx.setCustomStatus(carried);
        return [carried.big === 12n, (carried.input as Map<string, Date>).get('day')!.getTime(), carried];
      },
    },
    activities,
    input: new Map([['day', new Date(86_400_000)]]),
  },
  {
    name: 'timers',
    orchestrations: {
      Timers: async (ctx: Ctx) => {
        const order: string[] = [];
        const late = ctx.scheduleTimer('40ms').then(() => order.push('late'));
        const early = ctx.scheduleTimer(1).then(() => order.push('early'));
        const moment = ctx.scheduleTimer(new Date(ctx.utcNow().getTime() + 20)).then(() => order.push('moment'));
        const past = ctx.scheduleTimer(new Date(0)).then(() => order.push('past'));
        await Promise.all([late, early, moment, past]);
        return order;
      },
    },
  },
  {
    name: 'events',
    orchestrations: {
      Events: async (ctx: Ctx) => {
        const early = [await ctx.scheduleWait('a'), await ctx.scheduleWait('a')];
        ctx.setCustomStatus('late');
        return [...early, await Promise.all([ctx.scheduleWait('b'), ctx.scheduleWait('c')])];
      },
    },
    early: async (client, id) => {
      await client.raiseEvent(id, 'a', { first: true });
      await client.raiseEvent(id, 'a');
    },
    during: async (client, id) => {
      await client.raiseEvent(id, 'c', [1]);
      await client.raiseEvent(id, 'b', 'b');
    },
  },
  {
    name: 'queue',
    orchestrations: {
      Queue: async (ctx: Ctx) => {
        const [one, two] = [ctx.dequeueEvent('jobs'), ctx.dequeueEvent('jobs')];
        return [await two, await one, await ctx.dequeueEvent('other'), await ctx.dequeueEvent('jobs')];
      },
    },
    early: async (client, id) => {
      for (const n of [1, 2, 3]) await client.enqueueEvent(id, 'jobs', n);
    },
    during: (client, id) => client.enqueueEvent(id, 'other', { n: 4 }),
  },
  {
    name: 'children',
    orchestrations: {
      Parent: async (ctx: Ctx) => {
        const plain = await ctx.scheduleSubOrchestration('Child', 1);
        const older = await ctx.scheduleSubOrchestration('Child', 2, {
          version: '1.0.0',
          instanceId: 'children-older',
        });
        const failed = await ctx
          .scheduleSubOrchestration('Child', -1)
          .catch((error: Error & { outcome: string }) => [error.outcome, error.message, String(error.cause)]);
        const clash = await ctx
          .scheduleSubOrchestration('Child', 3, { instanceId: 'children-older' })
          .catch((error: Error & { outcome: string }) => [error.outcome, error.message]);
        return [plain, older, failed, clash];
      },
      'Child@1.0.0': async (_: Ctx, n: number) => n * 10,
      'Child@2.0.0': async (ctx: Ctx, n: number) => {
        if (n < 0) throw new RangeError('negative', { cause: new Error('a sign') });
        return [n, ctx.parent?.instanceId, ctx.parent?.executionId, ctx.orchestrationVersion];
      },
    },
  },
  {
    name: 'children-stopped',
    orchestrations: {
      Parent: async (ctx: Ctx) =>
        Promise.all(
          ['cancelled', 'terminated'].map((how) =>
            ctx
              .scheduleSubOrchestration('Child', how, { instanceId: `children-stopped-${how}` })
              .catch((error: Error & { outcome: string }) => [error.outcome, String(error.cause)]),
          ),
        ),
      Child: async (ctx: Ctx) => ctx.scheduleWait('never'),
    },
    during: async (client, id) => {
      await client.cancelInstance(`${id}-cancelled`, 'enough');
      await client.terminateInstance(`${id}-terminated`, 'now');
    },
  },
  {
    name: 'children-left',
    orchestrations: {
      Parent: async (ctx: Ctx) => {
        for (const onParentClose of ['cancel', 'terminate', 'abandon'] as const)
          void ctx.scheduleSubOrchestration('Child', onParentClose, { onParentClose });
        await ctx.scheduleTimer(20);
        return 'gone';
      },
      Child: async (ctx: Ctx, policy: string) => {
        try {
          return await ctx.select({ go: ctx.scheduleWait('go'), enough: ctx.scheduleTimer(100) });
        } finally {
          ctx.setCustomStatus(policy);
        }
      },
    },
  },
  {
    name: 'detached-starts',
    orchestrations: {
      Starter: async (ctx: Ctx) => {
        const automatic = await ctx.scheduleOrchestration('Free', 1);
        const named = await ctx.scheduleOrchestration('Free', 2, { instanceId: 'detached-starts-named' });
        const taken = await ctx
          .scheduleOrchestration('Free', 3, { instanceId: 'detached-starts-named', version: '1.0.0' })
          .catch((error: Error & { code: string }) => error.code);
        return [automatic.startsWith('detached-starts'), named, taken];
      },
      Free: async (_: Ctx, n: number) => n + 1,
    },
  },
  {
    name: 'kv',
    orchestrations: {
      Store: async (ctx: Ctx) => {
        ctx.kv.set('b', new Map([[1, 'one']]));
        ctx.kv.set('a', 1);
        await ctx.scheduleTimer(1);
        ctx.kv.set('a', ctx.kv.get<number>('a')! + 1);
        const before = [ctx.kv.keys(), ctx.kv.entries(), ctx.kv.get('none')];
        ctx.kv.delete('b');
        await ctx.scheduleTimer(1);
        ctx.kv.clear();
        ctx.kv.set('c', null);
        return [before, ctx.kv.entries()];
      },
    },
  },
  {
    name: 'kv-of-another',
    orchestrations: {
      Reader: async (ctx: Ctx) => {
        await ctx.scheduleSubOrchestration('Writer', undefined, { instanceId: 'kv-of-another-writer' });
        const other = ctx.kvOf('kv-of-another-writer');
        return [await other.get('k'), await other.get('none'), await ctx.kvOf('nobody').get('k')];
      },
      Writer: async (ctx: Ctx) => ctx.kv.set('k', { n: 1n }),
    },
  },
  {
    name: 'status-and-log',
    orchestrations: {
      Told: async (ctx: Ctx) => {
        ctx.setCustomStatus({ at: 'the beginning' });
        ctx.log.log('one', { n: 1 });
        await ctx.scheduleTimer(1);
        ctx.log.warn('two');
        ctx.setCustomStatus(undefined);
      },
    },
  },
  {
    name: 'side-effects',
    orchestrations: {
      Effects: async (ctx: Ctx) => {
        const first = ctx.sideEffect(() => ({ drawn: Math.random(), at: new Date() }));
        await ctx.scheduleTimer(1);
        let caught: unknown;
        try {
          ctx.sideEffect(() => {
            throw Object.assign(new RangeError('no luck', { cause: 'reasons' }), { code: 'E_LUCK', tries: 3 });
          });
        } catch (error) {
          const { name, message, code, tries } = error as Error & { code: string; tries: number };
          caught = [name, message, code, tries];
        }
        return [first, caught, await ctx.scheduleActivity('echo', [first.drawn])];
      },
    },
    activities,
  },
  {
    name: 'chance-and-time',
    orchestrations: {
      Chance: async (ctx: Ctx) => {
        const drawn: unknown[] = [ctx.newGuid(), ctx.random(), ctx.utcNow()];
        await ctx.scheduleTimer(2);
        drawn.push(ctx.random(), ctx.newGuid(), ctx.newGuid(), ctx.utcNow());
        const child = await ctx.scheduleSubOrchestration('Draw');
        return [...drawn, child, await ctx.scheduleActivity('echo', [ctx.newGuid()])];
      },
      Draw: async (ctx: Ctx) => [ctx.instanceId, ctx.newGuid(), ctx.random()],
    },
    activities,
  },
];
