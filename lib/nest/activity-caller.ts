import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import type { ActivityContext } from '../core/activity-context.js';
import { RegistrationError } from '../core/errors.js';
import type { AttemptContext } from '../runtime/activity-context.js';
import type { ActivityFunction } from '../runtime/index.js';
import { isSingleton, type Candidate, type Wrapper } from './candidate.js';
import type { DeclaredActivity } from './durable-metadata.accessor.js';

/** Calls an activity method on its host: the singleton, or a host made for this attempt. */
export function activityCaller(
  { wrapper, type }: Candidate,
  { method, contextIndex }: DeclaredActivity,
): ActivityFunction {
  const call = (host: unknown, args: readonly unknown[], context: ActivityContext): unknown => {
    const handler: unknown = (host as Record<string, unknown> | null | undefined)?.[method];
    if (typeof handler === 'function') return handler.apply(host, withContext(args, contextIndex, context));
    throw new RegistrationError(
      `${type.name}.${method}()`,
      'is not a function of the provider that stands for the class',
      'give the mock this method',
    );
  };
  if (isSingleton(wrapper)) return (args, context) => call(wrapper.instance, args, context);
  return async (args, context) => {
    const host = await hostOfAttempt(wrapper, context);
    // Making the host took some awaits: ActivityContext.current() must hold for the method, too.
    return (context as AttemptContext).enter(() => call(host, args, context));
  };
}

/** Request-scoped providers of the host can inject REQUEST: it is the context of the attempt. */
function hostOfAttempt(wrapper: Wrapper, context: ActivityContext): Promise<unknown> {
  const module = wrapper.host!.getProviderByKey<ModuleRef>(ModuleRef).instance;
  const contextId = ContextIdFactory.create();
  module.registerRequestByContextId(context, contextId);
  return module.resolve(wrapper.token as string, contextId);
}

/** Optional parameters that were left out stay `undefined`, so that defaults hold and the context stands at its place. */
function withContext(args: readonly unknown[], index: number | undefined, context: ActivityContext): unknown[] {
  const list = [...args];
  if (index === undefined) return list;
  while (list.length < index) list.push(undefined);
  list[index] = context;
  return list;
}
