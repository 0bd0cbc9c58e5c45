import { applyDecorators, Injectable, SetMetadata } from '@nestjs/common';
import { RegistrationError } from '../../core/errors.js';
import { checkName, checkVersion } from '../../core/identifiers.js';
import { ORCHESTRATION_METADATA } from '../durable.constants.js';

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

/**
 * Marks a provider class with `run(ctx, input)` as an orchestration. Each execution gets a fresh object: no constructor
 * parameters; injected properties of singletons are allowed for deterministic helpers.
 *
 * @throws RegistrationError or InvalidIdentifierError when the class is defined, for options that cannot be.
 */
export function Orchestration(options?: OrchestrationOptions): ClassDecorator;
export function Orchestration(name: string, options?: Omit<OrchestrationOptions, 'name'>): ClassDecorator;
export function Orchestration(first?: string | OrchestrationOptions, second: OrchestrationOptions = {}): ClassDecorator {
  const options: OrchestrationOptions = typeof first === 'string' ? { ...second, name: first } : (first ?? {});
  return (target) => {
    refuseUnknown(options, ['name', 'version', 'aliases', 'runtime'], `@Orchestration() of class ${target.name}`);
    for (const name of [options.name, ...(options.aliases ?? [])]) if (name !== undefined) checkName(name, `name of orchestration ${target.name}`);
    if (options.version !== undefined) checkVersion(options.version);
    applyDecorators(Injectable(), SetMetadata(ORCHESTRATION_METADATA, Object.freeze({ ...options })))(target);
  };
}

export function refuseUnknown(options: object, known: readonly string[], where: string): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw new RegistrationError(where, `has the unknown option ${JSON.stringify(key)}`, `use ${known.join(', ')}`);
  }
}
