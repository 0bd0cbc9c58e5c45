import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { RegistrationError } from '../core/errors.js';
import type { ActivityMethod, OrchestrationClass } from '../replay/index.js';
import type { Registry } from '../runtime/index.js';
import { activityCaller } from './activity-caller.js';
import { candidateOf, defaultNameOf, isClass, type Candidate, type Wrapper } from './candidate.js';
import { DurableMetadataAccessor, type AnyClass, type DeclaredActivity } from './durable-metadata.accessor.js';
import { DEFAULT_RUNTIME, LIFECYCLE_TOKEN_PREFIX } from './durable.constants.js';
import { orchestrationFactory } from './orchestration-factory.js';

/** Finds the handlers of the whole application, whatever module declares them, and puts them into a registry. */
@Injectable()
export class DurableExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly metadata: DurableMetadataAccessor,
  ) {}

  /** @throws RegistrationError naming class, method and mend; nothing is skipped silently. */
  explore(registry: Registry, runtime: string): void {
    const providers = this.discovery.getProviders();
    const isOurs = this.runtimeFilter(providers, runtime);
    const services = new Map<AnyClass, Service>();
    for (const candidate of candidates([...providers, ...this.discovery.getControllers()])) {
      const { type } = candidate;
      const orchestration = this.metadata.orchestration(type);
      if (orchestration !== undefined && isOurs(orchestration.runtime, `class ${type.name}`))
        this.addOrchestration(registry, candidate);
      const activities = this.activitiesOf(candidate).filter((it) => isOurs(it.runtime, `${type.name}.${it.method}()`));
      if (activities.length > 0) services.set(type, this.addService(registry, candidate, activities));
    }
    addAliases(registry, providers, services);
  }

  /** Handlers of other runtimes are left to them; those of a runtime nobody has are a mistake. */
  private runtimeFilter(
    providers: readonly Wrapper[],
    own: string,
  ): (runtime: string | undefined, where: string) => boolean {
    const names = providers.flatMap(({ token }) =>
      typeof token === 'string' && token.startsWith(LIFECYCLE_TOKEN_PREFIX)
        ? [token.slice(LIFECYCLE_TOKEN_PREFIX.length)]
        : [],
    );
    if (names.filter((name) => name === own).length > 1) {
      throw new RegistrationError(
        'DurableModule',
        `is registered twice ${own === DEFAULT_RUNTIME ? 'without a name' : `with the name ${JSON.stringify(own)}`}`,
        'call forRoot() once, or give each runtime a name',
      );
    }
    return (runtime = DEFAULT_RUNTIME, where) => {
      if (names.includes(runtime)) return runtime === own;
      throw new RegistrationError(
        where,
        runtime === DEFAULT_RUNTIME
          ? 'names no runtime, and every runtime here has a name'
          : `names the runtime ${JSON.stringify(runtime)}, which is not here`,
        `give its decorator one of the runtimes ${names.join(', ')}`,
      );
    };
  }

  private addOrchestration(registry: Registry, candidate: Candidate): void {
    const { type } = candidate;
    const where = `class ${type.name}`;
    const { name = defaultNameOf(type), version, aliases } = this.metadata.orchestration(type)!;
    registry.addOrchestration({
      name,
      version,
      aliases,
      type: type as unknown as OrchestrationClass,
      create: orchestrationFactory(candidate, this.metadata),
      where,
    });
  }

  /** Those of the class, and those only its substitute declares: the token may be an abstract port. */
  private activitiesOf({ type, substitute }: Candidate): DeclaredActivity[] {
    const own = this.metadata.activities(type);
    if (substitute === undefined) return own;
    const more = this.metadata.activities(substitute).filter(({ method }) => !own.some((it) => it.method === method));
    return [...own, ...more];
  }

  private addService(registry: Registry, candidate: Candidate, activities: readonly DeclaredActivity[]): Service {
    const { type, substitute, wrapper, rival } = candidate;
    if (rival !== undefined) {
      throw new RegistrationError(
        `class ${type.name}`,
        `has activities and two objects, under ${String(wrapper.token)} and ${String(rival.token)}`,
        'provide the class itself, or keep one of them',
      );
    }
    const methods = activities.map((activity): ActivityMethod => {
      const { method, aliases, options } = activity;
      const where = `${type.name}.${method}()`;
      const name = activity.name ?? `${defaultNameOf(type, method)}.${method}`;
      registry.addActivity({ name, aliases, options, where, run: activityCaller(candidate, activity) });
      return { method, name };
    });
    registry.addService(type, methods);
    return { wrapper, methods, substitute };
  }
}

interface Service {
  readonly wrapper: Wrapper;
  readonly methods: readonly ActivityMethod[];
  readonly substitute: AnyClass | undefined;
}

/** Each class once; the provider whose token is the class itself stands for it. */
function candidates(wrappers: readonly Wrapper[]): Candidate[] {
  const found = new Map<AnyClass, Candidate>();
  for (const candidate of wrappers.map(candidateOf)) {
    if (candidate === undefined) continue;
    const { type, wrapper } = candidate;
    const other = found.get(type);
    if (other === undefined || (wrapper.token === type && other.wrapper.token !== type)) found.set(type, candidate);
    else if (other.wrapper.token !== type && other.wrapper.instance !== wrapper.instance) {
      found.set(type, { ...other, rival: wrapper });
    }
  }
  return [...found.values()];
}

/** `{ provide: Port, useExisting: Service }` lets orchestrations name the port, and a substitute be named itself. */
function addAliases(registry: Registry, providers: readonly Wrapper[], services: ReadonlyMap<AnyClass, Service>): void {
  const named = new Set<AnyClass>(services.keys());
  const add = (type: AnyClass, methods: readonly ActivityMethod[]): void => {
    if (named.has(type)) return;
    named.add(type);
    registry.addService(type, methods);
  };
  for (const { substitute, methods } of services.values()) if (substitute !== undefined) add(substitute, methods);
  for (const alias of providers) {
    if (!alias.isAlias || !isClass(alias.token)) continue;
    const target = [...services].find(
      ([type, { wrapper }]) => alias.inject?.[0] === type || alias.inject?.[0] === wrapper.token,
    );
    if (target !== undefined) add(alias.token, target[1].methods);
  }
}
