import { Global, Module } from '@nestjs/common';
import { SampleConfig } from './sample-config.js';

@Global()
@Module({
  providers: [{ provide: SampleConfig, useFactory: () => SampleConfig.fromEnvironment() }],
  exports: [SampleConfig],
})
export class SampleConfigModule {}
