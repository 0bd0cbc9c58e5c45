import { Injectable } from '@nestjs/common';
import { ContextIdFactory, DiscoveryService, ModuleRef } from '@nestjs/core';
import type { ActivityContext } from '../core/activity-context.js';
import { RegistrationError } from '../core/errors.js';
import type { OrchestrationClass } from '../replay/index.js';
import type { Registry } from '../runtime/index.js';
import { DEFAULT_RUNTIME } from './durable.constants.js';
import { DurableMetadataAccessor, type AnyClass, type DeclaredActivity } from './durable-metadata.accessor.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Methods = Record<string, (...args: unknown[]) => unknown>;

const SHORTEST_NAME = 3;

/** Finds the handlers of the whole application, whatever module declares them, and puts them into a registry. */
@Injectable()
export class DurableExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly moduleRef: ModuleRef,
    private readonly metadata: DurableMetadataAccessor,
  ) {}

  /** @throws RegistrationError naming class, method and mend; nothing is skipped silently. */
  explore(registry: Registry, runtime: string): void {
    const seen = new Set<unknown>();
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const type = classOf(wrapper);
      if (type === undefined || wrapper.isAlias || seen.has(type)) continue;
      seen.add(type);
      const orchestration = this.metadata.orchestration(type);
      if (orchestration !== undefined && (orchestration.runtime ?? DEFAULT_RUNTIME) === runtime) this.addOrchestration(registry, type, wrapper);
      const activities = this.metadata.activities(type).filter((activity) => (activity.runtime ?? DEFAULT_RUNTIME) === runtime);
      if (activities.length > 0) this.addService(registry, type, wrapper, activities);
    }
  }

  private addOrchestration(registry: Registry, type: AnyClass, wrapper: Wrapper): void {
    const where = `class ${type.name}`;
    const { name = defaultName(type), version, aliases } = this.metadata.orchestration(type)!;
    const parameters = (Reflect.getMetadata('design:paramtypes', type) as unknown[] | undefined)?.length ?? type.length;
    if (parameters > 0) {
      throw new RegistrationError(where, `is an orchestration with ${parameters} constructor parameter(s)`, 'reach services lazily with ctx.activities(Service), or inject deterministic helpers as properties');
    }
    if (typeof (type.prototype as Methods)['run'] !== 'function') {
      throw new RegistrationError(where, 'has @Orchestration() but no method run', 'add async run(ctx: OrchestrationContext, input)');
    }
    if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient) {
      throw new RegistrationError(where, 'is an orchestration that is, or depends on, a request-scoped or transient provider', 'make it and its injected properties singletons');
    }
    const injected = injectedProperties(type, wrapper);
    const create = (): OrchestrationInstance => Object.assign(new (type as unknown as new () => OrchestrationInstance)(), injected());
    registry.addOrchestration({ name, version, aliases, type: type as unknown as OrchestrationClass, create: create as never, where });
  }

  private addService(registry: Registry, type: AnyClass, wrapper: Wrapper, activities: readonly DeclaredActivity[]): void {
    for (const { method, name, aliases, options, contextIndex } of activities) {
      const call = this.caller(type, wrapper, method);
      registry.addActivity({
        name: name ?? `${defaultName(type)}.${method}`,
        aliases,
        options,
        where: `${type.name}.${method}()`,
        run: (args, context) => call(withContext(args, contextIndex, context), context),
      });
    }
    registry.addService(type, activities.map(({ method, name }) => ({ method, name: name ?? `${defaultName(type)}.${method}` })));
  }

  private caller(type: AnyClass, wrapper: Wrapper, method: string): (args: unknown[], context: ActivityContext) => unknown {
    if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) {
      return (args) => {
        const host = wrapper.instance as Methods;
        if (typeof host[method] !== 'function') {
          throw new RegistrationError(`${type.name}.${method}()`, 'is not a function of the provider that replaces it', 'give the mock this method');
        }
        return host[method](...args);
      };
    }
    // A host of its own for every attempt; its providers can inject REQUEST and get the activity's context.
    return async (args, context) => {
      const contextId = ContextIdFactory.create();
      this.moduleRef.registerRequestByContextId(context, contextId);
      const host = await this.moduleRef.resolve<Methods>(wrapper.token as never, contextId, { strict: false });
      return host[method]!(...args);
    };
  }
}

interface OrchestrationInstance {
  run(...args: never[]): Promise<unknown>;
}

/** The token's class where there is one: a mock of `overrideProvider(Service)` has no metadata of its own. */
function classOf(wrapper: Wrapper): AnyClass | undefined {
  if (isClass(wrapper.token)) return wrapper.token;
  if (isClass(wrapper.metatype) && !wrapper.inject) return wrapper.metatype;
  const instance: unknown = wrapper.instance;
  if (typeof instance !== 'object' || instance === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(instance);
  if (prototype === null || prototype === Object.prototype) return undefined;
  const type: unknown = (prototype as { constructor?: unknown }).constructor;
  return isClass(type) ? type : undefined;
}

const isClass = (value: unknown): value is AnyClass => typeof value === 'function' && value.prototype !== undefined && value.prototype !== null;

/** A minifier would make two builds disagree about what `a` is. */
function defaultName(type: AnyClass): string {
  if (type.name.length >= SHORTEST_NAME) return type.name;
  throw new RegistrationError(`class ${JSON.stringify(type.name)}`, 'has a name that looks minified', 'give its decorators a name');
}

/** Properties Nest injected into its own instance, read when the first execution needs them. */
function injectedProperties(type: AnyClass, wrapper: Wrapper): () => Record<string, unknown> {
  const declared = (Reflect.getMetadata('self:properties_metadata', type) as { key: string }[] | undefined) ?? [];
  if (declared.length === 0) return () => ({});
  let values: Record<string, unknown> | undefined;
  return () => (values ??= Object.fromEntries(declared.map(({ key }) => [key, (wrapper.instance as Record<string, unknown>)[key]])));
}

function withContext(args: readonly unknown[], index: number | undefined, context: ActivityContext): unknown[] {
  const list = [...args];
  if (index === undefined) return list;
  while (list.length < index) list.push(undefined);
  list[index] = context;
  return list;
}
