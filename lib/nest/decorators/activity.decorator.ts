import { SetMetadata } from '@nestjs/common';
import { resolveActivityOptions, type ActivityOptions } from '../../core/activity-options.js';
import { RegistrationError } from '../../core/errors.js';
import { checkName } from '../../core/identifiers.js';
import { ACTIVITY_METADATA } from '../durable.constants.js';
import { refuseUnknown } from './orchestration.decorator.js';

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
  return (target, key, descriptor: PropertyDescriptor) => {
    const owner = typeof target === 'function' ? target.name : target.constructor.name;
    const where = `${owner}.${String(key)}`;
    if (typeof target === 'function') throw new RegistrationError(where, 'is a static method with @Activity()', 'make it an instance method');
    if (typeof descriptor.value !== 'function') throw new RegistrationError(where, 'is an accessor with @Activity()', 'make it a method');
    refuseUnknown(options, KNOWN, `@Activity() of ${where}`);
    const { name, aliases = [], runtime, ...rest } = options;
    for (const text of [name, ...aliases]) if (text !== undefined) checkName(text, `name of activity ${where}`);
    resolveActivityOptions(rest, `@Activity() of ${where}`);
    const metadata: ActivityMetadata = Object.freeze({ name, aliases, runtime, options: rest });
    SetMetadata(ACTIVITY_METADATA, metadata)(target, key, descriptor);
  };
}
