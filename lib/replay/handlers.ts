import type { ActivityContext } from '../core/activity-context.js';
import type { ResolvedActivityOptions } from '../core/activity-options.js';
import type { Carried } from '../core/payload.js';
import type { DurableFuture } from './durable-future.js';
import type { OrchestrationContext } from './orchestration-context.js';

/** What a registered orchestration looks like to the engine: a fresh object per execution. */
export interface OrchestrationObject {
  run(context: OrchestrationContext, input: unknown): Promise<unknown>;
}

/** A class with `@Orchestration()`: no constructor parameters, `run(ctx, input)`. */
export interface OrchestrationClass<Input = never, Output = unknown> {
  new (): { run(context: OrchestrationContext, input: Input): Promise<Output> };
}

/** The input of an orchestration class, as its `run` declares it; `undefined` where it declares none. */
export type InputOf<C> = C extends new () => { run(...args: infer P): Promise<unknown> }
  ? P extends readonly [unknown, infer I, ...unknown[]]
    ? I
    : P extends readonly [unknown, (infer I)?, ...unknown[]]
      ? I | undefined
      : undefined
  : never;

/** The output of an orchestration class, as it comes back from the store. */
export type OutputOf<C> = C extends new () => { run(...args: never[]): Promise<infer O> } ? Carried<O> : never;

/** A class whose methods are activities. */
export type ServiceClass<S> = abstract new (...args: never[]) => S;

/** `any` and `never` would pass for everything. */
type IsContext<A> = 0 extends 1 & A
  ? false
  : [A] extends [never]
    ? false
    : [A] extends [ActivityContext]
      ? true
      : false;

type DropContext<P extends readonly unknown[]> = number extends P['length']
  ? P
  : P extends []
    ? []
    : P extends readonly [infer A, ...infer R]
      ? IsContext<A> extends true
        ? []
        : [A, ...DropContext<R>]
      : P extends readonly [(infer A)?, ...infer R]
        ? IsContext<NonNullable<A>> extends true
          ? []
          : [A?, ...DropContext<R>]
        : P;

/**
 * The activities of a service as an orchestration calls them: every method that returns a promise, without a trailing
 * `ActivityContext`. TypeScript cannot see decorators: calling a method that has no `@Activity()` throws at once.
 */
export type ActivitiesOf<S> = {
  readonly [K in keyof S as S[K] extends (...args: never[]) => Promise<unknown> ? K : never]: S[K] extends (
    ...args: infer P
  ) => Promise<infer R>
    ? (...args: DropContext<P>) => DurableFuture<Carried<R>>
    : never;
};

/** One activity method of a service. */
export interface ActivityMethod {
  readonly method: string;
  /** The name that history and rows carry. */
  readonly name: string;
}

/** What the engine must know about the application's handlers. */
export interface Handlers {
  hasOrchestration(name: string, version: string): boolean;
  /** @throws whatever the class's field initialisers throw; that fails the execution. */
  create(name: string, version: string): OrchestrationObject;
  /** Name of a class or name, with the asked version or the newest registered one; no version if there is none. */
  resolveOrchestration(
    target: string | OrchestrationClass,
    version?: string,
  ): { readonly name: string; readonly version?: string };
  hasActivity(name: string): boolean;
  /** The options of the decorator. */
  activityOptions(name: string): ResolvedActivityOptions | undefined;
  /** @throws RegistrationError for a class without activities. */
  activityMethods(service: ServiceClass<unknown>): readonly ActivityMethod[];
}
