import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { HistoryEntry } from '../orders/dto/history-entry.dto.js';
import type { OrderPage, OrderView } from '../orders/dto/order-view.dto.js';
import type { Approval, Order } from '../orders/order.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** The order service in a process of its own, seen over HTTP. */
export class OrderServiceProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly url: string,
  ) {}

  /** Resolves when it listens, on a port of its own. */
  static async start(dataDirectory: string): Promise<OrderServiceProcess> {
    const { DURABLE_DB: _database, SEED_ORDERS: _seed, ...inherited } = process.env;
    const env = { ...inherited, DATA_DIR: dataDirectory, PORT: '0', AUTO_SHIP: '1', GATEWAY_LATENCY_MS: '200' };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    process.once('exit', () => child.kill('SIGKILL'));
    for await (const line of createInterface(child.stdout!)) {
      const url = /^Orders:\s+(\S+)$/.exec(line)?.[1];
      if (url === undefined) continue;
      child.stdout!.resume();
      return new OrderServiceProcess(child, url);
    }
    throw new Error('The order service ended before it listened.');
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.kill(signal);
    await gone;
  }

  /** True when placed now or before; false when the service went away under the request. */
  async place(order: Order): Promise<boolean> {
    try {
      const { status } = await this.post('', order);
      return status === 201 || status === 409;
    } catch {
      return false;
    }
  }

  async approve(orderId: string, approval: Approval): Promise<void> {
    await this.post(`/${orderId}/approval`, approval);
  }

  async list(): Promise<OrderView[]> {
    return (await this.get<OrderPage>('?limit=1000')).orders;
  }

  history(orderId: string): Promise<HistoryEntry[]> {
    return this.get<HistoryEntry[]>(`/${orderId}/history`);
  }

  private async get<T>(path: string): Promise<T> {
    const response = await fetch(this.url + path);
    if (!response.ok) throw new Error(`GET ${path} was answered with ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  private post(path: string, body: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  }
}
