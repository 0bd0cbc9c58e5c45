import type { DiscoveryService } from '@nestjs/core';
import { RegistrationError } from '../core/errors.js';
import type { AnyClass } from './durable-metadata.accessor.js';

export type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A provider whose class may have handlers. */
export interface Candidate {
  readonly wrapper: Wrapper;
  /**
   * The class orchestrations name: the token where it is one, so that what `overrideProvider(Service).useValue(mock)` gives,
   * which has no metadata, still is that service.
   */
  readonly type: AnyClass;
  /** The class of what Nest made, where it differs. */
  readonly substitute: AnyClass | undefined;
  /** Another object of the class under another token, where none of the tokens is the class. */
  readonly rival?: Wrapper;
}

export function candidateOf(wrapper: Wrapper): Candidate | undefined {
  const made = classOf(wrapper);
  const type = isClass(wrapper.token) ? wrapper.token : made;
  if (type === undefined || wrapper.isAlias) return undefined;
  return { wrapper, type, substitute: made === type ? undefined : made };
}

/** Plain objects, and what has no prototype, have no class whose decorators could be read. */
function classOf(wrapper: Wrapper): AnyClass | undefined {
  if (isClass(wrapper.metatype) && !wrapper.inject) return wrapper.metatype;
  const instance: unknown = wrapper.instance;
  if (typeof instance !== 'object' || instance === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(instance);
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return undefined;
  const type: unknown = (prototype as { constructor?: unknown }).constructor;
  return isClass(type) ? type : undefined;
}

export const isClass = (value: unknown): value is AnyClass =>
  typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null;

/** One object for the whole life of the application. */
export const isSingleton = (wrapper: Wrapper): boolean => wrapper.isDependencyTreeStatic() && !wrapper.isTransient;

const SHORTEST_NAME = 3;

/** @throws RegistrationError for what looks minified: two builds would disagree about what `a` is. */
export function defaultNameOf(type: AnyClass, method?: string): string {
  if (type.name.length >= SHORTEST_NAME) return type.name;
  throw new RegistrationError(
    `class ${JSON.stringify(type.name)}${method === undefined ? '' : ` of activity ${method}()`}`,
    'has a name that looks minified',
    'give its decorator a name, or keep class names when bundling',
  );
}
