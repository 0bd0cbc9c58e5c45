import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { getDurableClientToken } from './decorators/inject-durable-client.decorator.js';
import { DEFAULT_RUNTIME } from './durable.constants.js';
import { DurableExplorer } from './durable.explorer.js';
import { DurableHost } from './durable.host.js';
import { DurableMetadataAccessor } from './durable-metadata.accessor.js';
import { ASYNC_OPTIONS_TYPE, ConfigurableModuleClass, DURABLE_MODULE_OPTIONS, OPTIONS_TYPE } from './durable.module-definition.js';
import { checkModuleOptions, type DurableModuleOptions } from './durable-options.js';

/**
 * Runs the application's orchestrations. `forRoot()` needs nothing: `./durable.sqlite` is created and migrated on the first
 * start. Handlers are plain providers of any module.
 */
@Module({ imports: [DiscoveryModule], providers: [DurableExplorer, DurableMetadataAccessor] })
export class DurableModule extends ConfigurableModuleClass {
  /** @throws InvalidOptionError with the option, its value and what is accepted. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    checkModuleOptions(options);
    return withHost(super.forRoot(options), options.name);
  }

  /** `useFactory`, `useClass` or `useExisting`; `name` and `isGlobal` stand beside the factory. */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return withHost(super.forRootAsync(options), options.name);
  }
}

function withHost(definition: DynamicModule, name: string = DEFAULT_RUNTIME): DynamicModule {
  const hostToken = name === DEFAULT_RUNTIME ? DurableHost : `DurableHost_${name}`;
  const clientToken = getDurableClientToken(name);
  const providers: Provider[] = [
    {
      provide: hostToken,
      inject: [DURABLE_MODULE_OPTIONS, DurableExplorer],
      useFactory: (options: DurableModuleOptions, explorer: DurableExplorer) => new DurableHost(options, name, explorer),
    },
    { provide: clientToken, inject: [hostToken], useFactory: (host: DurableHost) => host.client },
  ];
  return { ...definition, providers: [...(definition.providers ?? []), ...providers], exports: [...(definition.exports ?? []), clientToken] };
}
