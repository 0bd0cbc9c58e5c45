import { join } from 'node:path';

const DURATION = /^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/;

/** What can be set from outside. Tests replace it with `overrideProvider(SampleConfig)`. */
export class SampleConfig {
  /** Ledgers, and the database unless it is named. */
  readonly dataDirectory: string = 'data';
  readonly database: string = join('data', 'durable.sqlite');
  /** Orders over this need the approval of a human. */
  readonly approvalLimitCents: number = 500_00;
  readonly approvalTime: string = '24h';
  readonly shippingTime: string = '3d';
  /** How long the simulated payment gateway takes for an answer. */
  readonly gatewayLatencyMs: number = 50;
  /** A simulated warehouse ships by itself. */
  readonly autoShip: boolean = false;
  /** Places the orders of `seed/orders.json` when the application starts. */
  readonly seedOrders: boolean = false;

  constructor(given: Partial<SampleConfig> = {}) {
    Object.assign(this, given);
  }

  static fromEnvironment(env: NodeJS.ProcessEnv = process.env): SampleConfig {
    const dataDirectory = env['DATA_DIR'] ?? 'data';
    return new SampleConfig({
      dataDirectory,
      database: env['DURABLE_DB'] ?? join(dataDirectory, 'durable.sqlite'),
      approvalLimitCents: wholeNumber(env, 'APPROVAL_LIMIT_CENTS', 500_00),
      approvalTime: duration(env, 'APPROVAL_TIME', '24h'),
      shippingTime: duration(env, 'SHIPPING_TIME', '3d'),
      gatewayLatencyMs: wholeNumber(env, 'GATEWAY_LATENCY_MS', 50),
      autoShip: env['AUTO_SHIP'] === '1',
      seedOrders: env['SEED_ORDERS'] === '1',
    });
  }
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, standard: number): number {
  const value = env[name] === undefined ? standard : Number(env[name]);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is ${env[name]}: use a whole number.`);
  return value;
}

function duration(env: NodeJS.ProcessEnv, name: string, standard: string): string {
  const value = env[name] ?? standard;
  if (!DURATION.test(value)) throw new Error(`${name} is ${value}: use a duration such as 30s, 24h or 3d.`);
  return value;
}
