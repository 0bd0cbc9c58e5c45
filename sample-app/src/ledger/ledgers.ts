import { Injectable } from '@nestjs/common';
import { join } from 'node:path';
import { SampleConfig } from '../config/sample-config.js';
import { Ledger } from './ledger.js';

@Injectable()
export class Ledgers {
  constructor(private readonly config: SampleConfig) {}

  /** `<data directory>/<name>.ndjson`. */
  open<Entry extends { readonly key: string }>(name: string): Ledger<Entry> {
    return new Ledger<Entry>(join(this.config.dataDirectory, `${name}.ndjson`));
  }
}
