import type { ActivityContext } from '../core/activity-context.js';
import {
  resolveActivityOptions,
  type ActivityOptions,
  type ResolvedActivityOptions,
} from '../core/activity-options.js';
import { RegistrationError, UnknownOrchestrationError } from '../core/errors.js';
import { checkName, checkVersion, compareVersions } from '../core/identifiers.js';
import type {
  ActivityMethod,
  Handlers,
  OrchestrationClass,
  OrchestrationObject,
  ServiceClass,
} from '../replay/index.js';

/** Runs one attempt; what it returns or throws is recorded. */
export type ActivityFunction = (args: readonly unknown[], context: ActivityContext) => unknown;

export interface OrchestrationRegistration {
  readonly name: string;
  /** Default `1.0.0`. */
  readonly version?: string;
  /** Names under which earlier builds registered it. */
  readonly aliases?: readonly string[];
  /** The class, so that calls may name it instead of the name. */
  readonly type?: OrchestrationClass;
  /** A fresh object for each execution. */
  readonly create: () => OrchestrationObject;
  /** Class and file words for error messages. */
  readonly where?: string;
}

export interface ActivityRegistration {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly options?: ActivityOptions;
  readonly run: ActivityFunction;
  readonly where?: string;
}

export const DEFAULT_VERSION = '1.0.0';

interface RegisteredActivity {
  readonly run: ActivityFunction;
  readonly options: ResolvedActivityOptions;
  readonly where: string;
}

/** What this process can run, by name. Filled before the runtime starts. */
export class Registry implements Handlers {
  /** name -> version -> registration */
  private readonly orchestrations = new Map<string, Map<string, OrchestrationRegistration>>();
  private readonly activities = new Map<string, RegisteredActivity>();
  private readonly nameOfType = new Map<unknown, { name: string; version: string }>();
  private readonly methodsOf = new Map<unknown, ActivityMethod[]>();

  /** @throws RegistrationError for a second registration of a name and version. */
  addOrchestration(registration: OrchestrationRegistration): this {
    const version = checkVersion(registration.version ?? DEFAULT_VERSION);
    for (const name of [registration.name, ...(registration.aliases ?? [])]) {
      const versions =
        this.orchestrations.get(checkName(name, 'orchestration name')) ?? new Map<string, OrchestrationRegistration>();
      const other = versions.get(version);
      if (other !== undefined) {
        throw new RegistrationError(
          registration.where ?? registration.name,
          `registers the orchestration ${name}@${version}, which ${other.where ?? other.name} has registered`,
          'give one of them another name or version',
        );
      }
      versions.set(version, registration);
      this.orchestrations.set(name, versions);
    }
    if (registration.type !== undefined) this.nameOfType.set(registration.type, { name: registration.name, version });
    return this;
  }

  /** @throws RegistrationError for a second registration of a name. */
  addActivity(registration: ActivityRegistration): this {
    const where = registration.where ?? registration.name;
    const options = resolveActivityOptions(registration.options, `@Activity options of ${where}`);
    for (const name of [registration.name, ...(registration.aliases ?? [])]) {
      const other = this.activities.get(checkName(name, 'activity name'));
      if (other !== undefined) {
        throw new RegistrationError(
          where,
          `registers the activity ${name}, which ${other.where} has registered`,
          'give one of them another name',
        );
      }
      this.activities.set(name, { run: registration.run, options, where });
    }
    return this;
  }

  /** Lets `ctx.activities(service)` find the activities of a class. */
  addService(service: ServiceClass<unknown>, methods: readonly ActivityMethod[]): this {
    this.methodsOf.set(service, [...(this.methodsOf.get(service) ?? []), ...methods]);
    return this;
  }

  // ---- what the engine asks ----

  hasOrchestration(name: string, version: string): boolean {
    return this.orchestrations.get(name)?.has(version) ?? false;
  }

  create(name: string, version: string): OrchestrationObject {
    return this.orchestrations.get(name)!.get(version)!.create();
  }

  resolveOrchestration(
    target: string | OrchestrationClass,
    version?: string,
  ): { readonly name: string; readonly version?: string } {
    const { name, version: own } =
      typeof target === 'string'
        ? { name: checkName(target, 'orchestration name'), version: undefined }
        : this.ofType(target);
    if (version !== undefined) return { name, version: checkVersion(version) };
    return { name, version: own ?? this.newest(name) };
  }

  private ofType(type: OrchestrationClass): { readonly name: string; readonly version?: string } {
    const known = this.nameOfType.get(type);
    if (known !== undefined) return known;
    if (typeof type !== 'function')
      throw new UnknownOrchestrationError(String(type), undefined, this.orchestrationNames());
    return { name: type.name };
  }

  private newest(name: string): string | undefined {
    return [...(this.orchestrations.get(name)?.keys() ?? [])].sort(compareVersions).at(-1);
  }

  hasActivity(name: string): boolean {
    return this.activities.has(name);
  }

  activityOptions(name: string): ResolvedActivityOptions | undefined {
    return this.activities.get(name)?.options;
  }

  activityMethods(service: ServiceClass<unknown>): readonly ActivityMethod[] {
    const methods = this.methodsOf.get(service);
    if (methods !== undefined) return methods;
    throw new RegistrationError(
      service.name,
      'has no activities here',
      'decorate its methods with @Activity() and list the class among the providers of a module',
    );
  }

  // ---- what the runtime asks ----

  activity(name: string): ActivityFunction | undefined {
    return this.activities.get(name)?.run;
  }

  activityNames(): string[] {
    return [...this.activities.keys()];
  }

  orchestrationNames(): string[] {
    return [...this.orchestrations.keys()];
  }

  /**
   * What makes two builds the same to a suspended instance, in a stable order: names, versions, and the source text of the
   * orchestrations, so that a mended one is another build although nothing was renamed.
   */
  fingerprint(): string[] {
    const orchestrations = [...this.orchestrations].flatMap(([name, versions]) =>
      [...versions].map(([version, { type, create }]) => `${name}@${version} ${String(type ?? create)}`),
    );
    return [...orchestrations, ...this.activities.keys()].sort();
  }
}
