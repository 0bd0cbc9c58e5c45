import { applyDecorators, Injectable, SetMetadata } from '@nestjs/common';
import { RegistrationError, shown } from '../../core/errors.js';
import { checkVersion } from '../../core/identifiers.js';
import { ORCHESTRATION_METADATA } from '../durable.constants.js';
import { checkDecoratorOptions } from './check-options.js';

export interface OrchestrationOptions {
  /** What rows and history carry. Default: the class name. Give one before production: a renamed class is another name. */
  readonly name?: string;
  /** A semantic version; several versions of one name may stand side by side. Default `1.0.0`. */
  readonly version?: string;
  /** Names under which earlier builds registered it. */
  readonly aliases?: readonly string[];
  /** The `name` of the runtime that runs it. Default: the runtime without a name. */
  readonly runtime?: string;
}

const KNOWN = ['name', 'version', 'aliases', 'runtime'];

/**
 * Marks a provider class with `run(ctx, input)` as an orchestration. Each execution gets a fresh object: no constructor
 * parameters; injected properties of singletons are allowed for deterministic helpers.
 *
 * @throws RegistrationError or InvalidIdentifierError when the class is defined, for options that cannot be.
 */
export function Orchestration(options?: OrchestrationOptions): ClassDecorator;
export function Orchestration(name: string, options?: Omit<OrchestrationOptions, 'name'>): ClassDecorator;
export function Orchestration(
  first: string | OrchestrationOptions = {},
  second: OrchestrationOptions = {},
): ClassDecorator {
  const options: OrchestrationOptions = typeof first === 'string' ? { ...second, name: first } : first;
  return (target) => {
    const where = `@Orchestration() of class ${target.name}`;
    checkDecoratorOptions(options, KNOWN, where);
    if (options.version !== undefined) checkVersionOf(options.version, where);
    applyDecorators(Injectable(), SetMetadata(ORCHESTRATION_METADATA, Object.freeze({ ...options })))(target);
  };
}

function checkVersionOf(version: string, where: string): void {
  try {
    checkVersion(version);
  } catch {
    throw new RegistrationError(where, `has the version ${shown(version)}`, "use a semantic version such as '1.0.0'");
  }
}
