import { RegistrationError } from '../core/errors.js';
import type { OrchestrationObject } from '../replay/index.js';
import { isSingleton, type Candidate, type Wrapper } from './candidate.js';
import type { DurableMetadataAccessor } from './durable-metadata.accessor.js';

/**
 * How each execution gets an object of its own: `new Class()`, and on it the singletons Nest injected into properties of
 * the one instance it made. A mock without a class is used as it is.
 *
 * @throws RegistrationError naming the class and what to do.
 */
export function orchestrationFactory(
  candidate: Candidate,
  metadata: DurableMetadataAccessor,
): () => OrchestrationObject {
  const { wrapper, type, substitute } = candidate;
  const where = `class ${type.name}`;
  const mock = mockOf(candidate);
  if (mock !== undefined) {
    checkRun(mock, where);
    return () => mock;
  }
  const made = (substitute ?? type) as unknown as new () => OrchestrationObject;
  const parameters = metadata.constructorParameters(made);
  if (parameters > 0) {
    throw new RegistrationError(
      where,
      `is an orchestration with ${parameters} constructor parameter(s)`,
      'reach services with ctx.activities(Service) inside run(), and inject deterministic helpers as properties',
    );
  }
  checkRun(made.prototype as object, where);
  if (!isSingleton(wrapper)) {
    throw new RegistrationError(
      where,
      'is an orchestration that is, or depends on, a request-scoped or transient provider',
      'make it and what its properties inject singletons',
    );
  }
  const keys = metadata.injectedProperties(made);
  if (keys.length === 0) return () => new made();
  refuseTransient(wrapper, where);
  const injected = Object.fromEntries(keys.map((key) => [key, (wrapper.instance as Record<string, unknown>)[key]]));
  return () => Object.assign(new made(), injected);
}

/** What `overrideProvider(...).useValue({ run })` put in the place of the class. */
function mockOf({ wrapper, substitute, type }: Candidate): OrchestrationObject | undefined {
  const instance = wrapper.instance as object | null | undefined;
  const isValue = wrapper.metatype === null || wrapper.metatype === undefined || Boolean(wrapper.inject);
  if (!isValue || substitute !== undefined || instance === null || instance === undefined) return undefined;
  return Object.getPrototypeOf(instance) === type.prototype ? undefined : (instance as OrchestrationObject);
}

function checkRun(holder: object, where: string): void {
  if (typeof (holder as { run?: unknown }).run === 'function') return;
  throw new RegistrationError(
    where,
    'has @Orchestration() but no method run',
    'add async run(ctx: OrchestrationContext, input)',
  );
}

/** Nest calls a transient provider static, but the fresh objects of all executions would share it. */
function refuseTransient(wrapper: Wrapper, where: string): void {
  const transient = (wrapper.getPropertiesMetadata() ?? []).find((property) => property.wrapper.isTransient);
  if (transient === undefined) return;
  throw new RegistrationError(
    `${where}, property ${String(transient.key)},`,
    'injects a transient provider into an orchestration',
    'make that provider a singleton',
  );
}
