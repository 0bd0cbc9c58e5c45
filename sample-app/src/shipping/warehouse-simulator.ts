import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { DurableClient } from 'nest-durable';
import { SampleConfig } from '../config/sample-config.js';
import { FULFILL_ORDER, idOf, WAREHOUSE_SHIPPED, type Progress, type Shipment } from '../orders/order.js';

const LOOK_EVERY_MS = 250;

/**
 * With AUTO_SHIP=1: ships what waits for the warehouse. It keeps nothing in memory that matters: what is to be done follows from
 * the orders, so it goes on after a crash.
 */
@Injectable()
export class WarehouseSimulator implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(WarehouseSimulator.name);
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly durable: DurableClient,
    private readonly config: SampleConfig,
  ) {}

  onApplicationBootstrap(): void {
    if (this.config.autoShip) this.running = this.run(this.stopping.signal);
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.shipWaiting().catch((error: unknown) => this.logger.warn(String(error)));
    }
  }

  private async shipWaiting(): Promise<void> {
    const filter = { name: FULFILL_ORDER, status: ['Running'] as const };
    let cursor: string | undefined;
    do {
      const page = await this.durable.management.listInstances(filter, { limit: 1_000, cursor });
      const waiting = page.items.filter(
        ({ customStatus }) => (customStatus as Progress)?.stage === 'awaiting-shipment',
      );
      await Promise.all(waiting.map(({ instanceId }) => this.ship(instanceId)));
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  /** An order may be told twice, or after its end; that harms nobody. */
  private ship(instanceId: string): Promise<void> {
    const shipment: Shipment = { trackingId: `TRK-${idOf(instanceId)}`, carrier: 'simulated' };
    return this.durable.raiseEvent(instanceId, WAREHOUSE_SHIPPED, shipment, { ifFinished: 'ignore' });
  }
}
