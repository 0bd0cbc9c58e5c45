import { Injectable } from '@nestjs/common';
import { MetadataScanner, Reflector } from '@nestjs/core';
import { RegistrationError } from '../core/errors.js';
import type { ActivityMetadata } from './decorators/activity.decorator.js';
import type { OrchestrationOptions } from './decorators/orchestration.decorator.js';
import { ACTIVITY_CONTEXT_METADATA, ACTIVITY_METADATA, ORCHESTRATION_METADATA } from './durable.constants.js';

export type AnyClass = abstract new (...args: never[]) => object;

export interface DeclaredActivity extends ActivityMetadata {
  readonly method: string;
  /** Position of the `@ActivityCtx()` parameter, if there is one. */
  readonly contextIndex: number | undefined;
}

/** Where Nest's `@Inject()` on a property leaves its key. */
const INJECTED_PROPERTIES_METADATA = 'self:properties_metadata';

/** Reads what the decorators wrote. */
@Injectable()
export class DurableMetadataAccessor {
  private readonly scanner = new MetadataScanner();
  private readonly reflector = new Reflector();

  /**
   * Of the class itself.
   * @throws RegistrationError for a subclass of an orchestration without a decorator of its own: it would have the same name.
   */
  orchestration(type: AnyClass): OrchestrationOptions | undefined {
    const own = Reflect.getOwnMetadata(ORCHESTRATION_METADATA, type) as OrchestrationOptions | undefined;
    if (own === undefined && Reflect.hasMetadata(ORCHESTRATION_METADATA, type)) {
      throw new RegistrationError(
        `class ${type.name}`,
        'extends an orchestration and has no @Orchestration() of its own',
        'add the decorator, or take the class out of the providers',
      );
    }
    return own;
  }

  /** Of the class and what it inherits, also where a subclass overrides the method. @throws RegistrationError */
  activities(type: AnyClass): DeclaredActivity[] {
    const prototype = type.prototype as Record<string, unknown> | undefined | null;
    if (prototype === undefined || prototype === null) return [];
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const metadata = this.activity(prototype, method);
      const contextIndex = Reflect.getMetadata(ACTIVITY_CONTEXT_METADATA, prototype, method) as number | undefined;
      if (metadata !== undefined) return [{ ...metadata, method, contextIndex }];
      if (contextIndex === undefined) return [];
      throw new RegistrationError(
        `${type.name}.${method}()`,
        'has a parameter @ActivityCtx() and no @Activity()',
        'add @Activity()',
      );
    });
  }

  private activity(prototype: object, method: string): ActivityMetadata | undefined {
    for (
      let holder: object | null = prototype;
      holder !== null;
      holder = Object.getPrototypeOf(holder) as object | null
    ) {
      const handler: unknown = Object.getOwnPropertyDescriptor(holder, method)?.value;
      if (typeof handler !== 'function') continue;
      const metadata = this.reflector.get<ActivityMetadata | undefined>(ACTIVITY_METADATA, handler);
      if (metadata !== undefined) return metadata;
    }
    return undefined;
  }

  constructorParameters(type: AnyClass): number {
    const declared = Reflect.getMetadata('design:paramtypes', type) as readonly unknown[] | undefined;
    return Math.max(declared?.length ?? 0, type.length);
  }

  injectedProperties(type: AnyClass): string[] {
    const declared = Reflect.getMetadata(INJECTED_PROPERTIES_METADATA, type) as
      readonly { readonly key: string }[] | undefined;
    return (declared ?? []).map(({ key }) => key);
  }
}
