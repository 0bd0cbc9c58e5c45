import 'reflect-metadata';
import type { ActivityContext as Context } from '../../core/activity-context.js';
import { DurableError, RegistrationError } from '../../core/errors.js';
import { currentActivityContext } from '../../runtime/index.js';
import { ACTIVITY_CONTEXT_METADATA } from '../durable.constants.js';

/**
 * Hands the `ActivityContext` of the attempt to this parameter. It comes last, and is optional so that plain calls and
 * unit tests need not pass it; the typed proxy of `ctx.activities()` does not show it.
 *
 * @throws RegistrationError on a constructor, on a static method and on a second parameter.
 */
export function ActivityCtx(): ParameterDecorator {
  return (target, key, index) => {
    const where = `${typeof target === 'function' ? target.name : target.constructor.name}.${String(key ?? 'constructor')}`;
    if (key === undefined || typeof target === 'function') {
      throw new RegistrationError(where, 'has a parameter @ActivityCtx()', 'use it in methods with @Activity()');
    }
    if (Reflect.hasOwnMetadata(ACTIVITY_CONTEXT_METADATA, target, key)) {
      throw new RegistrationError(where, 'has two parameters @ActivityCtx()', 'keep one of them');
    }
    Reflect.defineMetadata(ACTIVITY_CONTEXT_METADATA, index, target, key);
  };
}

/** What an attempt of an activity knows about itself. */
export type ActivityContext = Context;

export const ActivityContext = {
  /**
   * The context of the running attempt. Valid until the method's first `await`; keep it in a variable for later.
   * @throws DurableError with code ERR_DURABLE_NO_ACTIVITY_CONTEXT anywhere else.
   */
  current(): Context {
    const context = currentActivityContext();
    if (context !== undefined) return context;
    throw new DurableError(
      'NoActivityContextError',
      'ERR_DURABLE_NO_ACTIVITY_CONTEXT',
      'ActivityContext.current() was called outside an activity, or after its first await: call it first, or take a parameter @ActivityCtx() activity?: ActivityContext.',
    );
  },
};
