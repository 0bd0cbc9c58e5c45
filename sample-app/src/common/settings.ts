import { Injectable } from '@nestjs/common';
import { join } from 'node:path';

/** What the environment says, read once. */
@Injectable()
export class Settings {
  readonly dataDirectory = process.env.DATA_DIR ?? 'data';
  readonly database = process.env.DURABLE_DB ?? join(this.dataDirectory, 'durable.sqlite');
  readonly port = Number(process.env.PORT ?? 3000);
  /** Orders above this need a human's approval. */
  readonly approvalLimitCents = Number(process.env.APPROVAL_LIMIT_CENTS ?? 50_000);
  readonly approvalTime = process.env.APPROVAL_TIME ?? '1d';
  readonly shippingTime = process.env.SHIPPING_TIME ?? '3d';
  /** A simulated warehouse ships by itself what it is asked for. */
  readonly autoShip = process.env.AUTO_SHIP === '1';
  /** Milliseconds the simulated payment gateway takes. */
  readonly gatewayMs = Number(process.env.GATEWAY_MS ?? 20);
}
