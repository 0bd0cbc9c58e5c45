import { SetMetadata } from '@nestjs/common';
import { resolveActivityOptions, type ActivityOptions } from '../../core/activity-options.js';
import { RegistrationError } from '../../core/errors.js';
import { ACTIVITY_METADATA } from '../durable.constants.js';
import { checkDecoratorOptions } from './check-options.js';

export interface ActivityDecoratorOptions extends ActivityOptions {
  /** What rows and history carry. Default: `Class.method`. Give one before production: a renamed method is another name. */
  readonly name?: string;
  /** Names under which earlier builds registered it. */
  readonly aliases?: readonly string[];
  /** The `name` of the runtime that runs it. Default: the runtime without a name. */
  readonly runtime?: string;
}

export interface ActivityMetadata {
  readonly name: string | undefined;
  readonly aliases: readonly string[];
  readonly runtime: string | undefined;
  readonly options: ActivityOptions;
}

const KNOWN = ['name', 'aliases', 'runtime', 'retry', 'startToCloseTimeout', 'scheduleToCloseTimeout', 'tag'];

/**
 * Marks a method of a provider as an activity: the place for I/O. It runs at least once; what it returned or threw is
 * recorded once. The method stays callable as plain code.
 *
 * @throws RegistrationError, InvalidOptionError or InvalidIdentifierError when the class is defined.
 */
export function Activity(options: ActivityDecoratorOptions = {}): MethodDecorator {
  return (target, key, descriptor: PropertyDescriptor | undefined) => {
    const isStatic = typeof target === 'function';
    const where = `${isStatic ? target.name : target.constructor.name}.${String(key)}`;
    if (isStatic)
      throw new RegistrationError(where, 'is a static method with @Activity()', 'make it an instance method');
    if (typeof key === 'symbol')
      throw new RegistrationError(where, 'is an activity named by a symbol', 'name the method by text');
    if (typeof descriptor?.value !== 'function') {
      throw new RegistrationError(where, 'is an accessor or property with @Activity()', 'make it a method');
    }
    checkDecoratorOptions(options, KNOWN, `@Activity() of ${where}`);
    const { name, aliases = [], runtime, ...rest } = options;
    resolveActivityOptions(rest, `@Activity() of ${where}`);
    const metadata: ActivityMetadata = Object.freeze({ name, aliases, runtime, options: rest });
    SetMetadata(ACTIVITY_METADATA, metadata)(target, key, descriptor);
  };
}
