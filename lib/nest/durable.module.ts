import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { getDurableClientToken } from './decorators/inject-durable-client.decorator.js';
import { DEFAULT_RUNTIME, LIFECYCLE_TOKEN_PREFIX } from './durable.constants.js';
import { DurableExplorer } from './durable.explorer.js';
import { DurableLifecycle } from './durable.lifecycle.js';
import { DurableMetadataAccessor } from './durable-metadata.accessor.js';
import {
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  DURABLE_MODULE_OPTIONS,
  OPTIONS_TYPE,
} from './durable.module-definition.js';
import { checkAsyncOptions, checkRootOptions, type DurableModuleOptions } from './durable-options.js';

/**
 * Runs the application's orchestrations. `forRoot()` needs nothing: `./durable.sqlite` is created and migrated on the first
 * start. Handlers are plain providers of any module.
 */
@Module({ imports: [DiscoveryModule], providers: [DurableExplorer, DurableMetadataAccessor] })
export class DurableModule extends ConfigurableModuleClass {
  /** @throws InvalidOptionError with the option, its value and what is accepted. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    checkRootOptions(options);
    return withRuntime(super.forRoot(options), options.name);
  }

  /**
   * `useFactory`, `useClass` or `useExisting`; `name` and `isGlobal` stand beside the factory.
   * @throws InvalidOptionError; for what the factory gives: when the application starts.
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    checkAsyncOptions(options);
    return withRuntime(super.forRootAsync(options), options.name);
  }
}

function withRuntime(definition: DynamicModule, name: string = DEFAULT_RUNTIME): DynamicModule {
  const lifecycleToken = `${LIFECYCLE_TOKEN_PREFIX}${name}`;
  const clientToken = getDurableClientToken(name);
  const providers: Provider[] = [
    {
      provide: lifecycleToken,
      inject: [DURABLE_MODULE_OPTIONS, DurableExplorer],
      useFactory: (options: DurableModuleOptions, explorer: DurableExplorer) =>
        new DurableLifecycle(options, name, explorer),
    },
    { provide: clientToken, inject: [lifecycleToken], useFactory: (lifecycle: DurableLifecycle) => lifecycle.client },
  ];
  return {
    ...definition,
    providers: [...(definition.providers ?? []), ...providers],
    exports: [...(definition.exports ?? []), clientToken],
  };
}
