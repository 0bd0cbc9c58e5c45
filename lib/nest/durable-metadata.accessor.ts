import { Injectable } from '@nestjs/common';
import { MetadataScanner, Reflector } from '@nestjs/core';
import type { ActivityMetadata } from './decorators/activity.decorator.js';
import type { OrchestrationOptions } from './decorators/orchestration.decorator.js';
import { ACTIVITY_CONTEXT_METADATA, ACTIVITY_METADATA, ORCHESTRATION_METADATA } from './durable.constants.js';

export type AnyClass = abstract new (...args: never[]) => object;

export interface DeclaredActivity extends ActivityMetadata {
  readonly method: string;
  /** Position of the `@ActivityCtx()` parameter, if there is one. */
  readonly contextIndex: number | undefined;
}

/** Reads what the decorators wrote. */
@Injectable()
export class DurableMetadataAccessor {
  private readonly scanner = new MetadataScanner();
  private readonly reflector = new Reflector();

  /** Of the class itself: a subclass is an orchestration of its own only with its own decorator. */
  orchestration(type: AnyClass): OrchestrationOptions | undefined {
    return Reflect.getOwnMetadata(ORCHESTRATION_METADATA, type) as OrchestrationOptions | undefined;
  }

  /** Of the class and what it inherits. */
  activities(type: AnyClass): DeclaredActivity[] {
    const prototype = type.prototype as Record<string, unknown> | undefined;
    if (prototype === undefined || prototype === null) return [];
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const handler = prototype[method];
      const metadata = typeof handler === 'function' ? this.reflector.get<ActivityMetadata | undefined>(ACTIVITY_METADATA, handler) : undefined;
      if (metadata === undefined) return [];
      const contextIndex = Reflect.getMetadata(ACTIVITY_CONTEXT_METADATA, prototype, method) as number | undefined;
      return [{ ...metadata, method, contextIndex }];
    });
  }
}
