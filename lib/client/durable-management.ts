import { InstanceNotFoundError, InvalidOptionError } from '../core/errors.js';
import { checkInstanceId } from '../core/identifiers.js';
import type { HistoryEvent } from '../core/history-event.js';
import type { InstanceFilter, Page, PageRequest } from '../provider/provider.js';
import type { DurableRuntime } from '../runtime/index.js';
import { statusOf, type OrchestrationStatus } from './outcome.js';

export interface PageOptions {
  /** 1 to 1,000. Default 100. */
  readonly limit?: number;
  /** The cursor of the previous page. */
  readonly cursor?: string;
}

/** Views for operators. Pages go by keys: what is present throughout is neither skipped nor repeated. */
export class DurableManagement {
  constructor(private readonly runtime: DurableRuntime) {}

  /** Newest first. */
  async listInstances(filter: InstanceFilter = {}, page: PageOptions = {}): Promise<Page<OrchestrationStatus>> {
    const { items, cursor } = await this.runtime.store.list(filter, pageRequest(page));
    return { items: items.map((row) => statusOf(row, this.runtime.options.codec)), cursor };
  }

  /** Events in order, of the current execution unless another is named. @throws InstanceNotFoundError */
  async readExecutionHistory(
    instanceId: string,
    options: PageOptions & { readonly executionId?: number } = {},
  ): Promise<Page<HistoryEvent>> {
    const page = await this.runtime.store.history(
      checkInstanceId(instanceId),
      options.executionId,
      pageRequest(options),
    );
    if (page.items.length === 0 && (await this.runtime.store.status(instanceId)) === null)
      throw new InstanceNotFoundError(instanceId);
    return page;
  }

  /** Unfinished instances nothing will ever wake: always empty, or a defect of this package. Reads histories; not for every minute. */
  findStuck(): Promise<string[]> {
    return this.runtime.store.findStuck();
  }
}

function pageRequest({ limit = 100, cursor }: PageOptions): PageRequest {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > 1_000)
    throw new InvalidOptionError('limit', limit, 'a whole number from 1 to 1,000');
  return { limit, cursor };
}
