import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { DurableModuleExtras, DurableModuleOptions } from './durable-options.js';

/** Implement it for `forRootAsync({ useClass })`. */
export interface DurableOptionsFactory {
  createDurableOptions(): DurableModuleOptions | Promise<DurableModuleOptions>;
}

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: DURABLE_MODULE_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<DurableModuleOptions>({ moduleName: 'Durable' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createDurableOptions')
  .setExtras<DurableModuleExtras>({ isGlobal: true, name: undefined }, (definition, { isGlobal = true }) => ({
    ...definition,
    global: isGlobal,
  }))
  .build();
