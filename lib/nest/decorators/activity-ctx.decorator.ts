import 'reflect-metadata';
import type { ActivityContext as Context } from '../../core/activity-context.js';
import { DurableError } from '../../core/errors.js';
import { currentActivityContext } from '../../runtime/index.js';
import { ACTIVITY_CONTEXT_METADATA } from '../durable.constants.js';

/** Hands the `ActivityContext` of the attempt to this parameter; it comes last, and is optional so that tests need not pass it. */
export function ActivityCtx(): ParameterDecorator {
  return (target, key, index) => {
    if (key !== undefined) Reflect.defineMetadata(ACTIVITY_CONTEXT_METADATA, index, target, key);
  };
}

/** What an attempt of an activity knows about itself. */
export type ActivityContext = Context;

export const ActivityContext = {
  /** The context of the running attempt. Valid until the method's first `await`; keep it in a variable for later. */
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
