import type { DurableClient } from '../../lib/client/index.js';
import { isDurableError } from '../../lib/core/errors.js';
import type { ClientLine, Ledger } from './ledger.js';
import type { Random } from './random.js';
import { drawShape, pause, shapeOf } from './shapes.js';

export interface LoadSettings {
  readonly openAtOnce: number;
  /** In the ids of what it starts: several processes start at the same time. */
  readonly label: string;
}

/** What the ledger says of one instance. */
interface Known {
  readonly shape: string;
  readonly input: {
    readonly messages: number;
    readonly by: 'cancel' | 'terminate';
    readonly lives: number;
    readonly value: number;
  };
  tried: number;
  ended: boolean;
  over: boolean;
}

/** The clients of the campaign: start, raise, enqueue, cancel and await, and write down what they were promised. */
export class Load {
  private readonly open = new Set<Promise<void>>();
  private started = 0;
  private starting = true;
  private halted = false;

  constructor(
    private readonly client: DurableClient,
    private readonly ledger: Ledger<ClientLine>,
    private readonly epoch: number,
    private readonly random: Random,
    private readonly settings: LoadSettings,
  ) {}

  /** Takes up what clients of earlier processes left: nothing in doubt is asked again, except for an end. */
  resume(past: readonly ClientLine[]): void {
    for (const [instanceId, known] of knownFrom(past)) if (!known.over) this.follow(instanceId, known);
  }

  begin(): void {
    while (this.starting && this.open.size < this.settings.openAtOnce) this.startOne();
  }

  /** Starts nothing more; resolves when everything has ended. */
  async finished(): Promise<void> {
    this.starting = false;
    while (this.open.size > 0) await Promise.all(this.open);
  }

  /** The process ends: what is asked now is in doubt, and the next life takes it up. */
  halt(): void {
    this.starting = false;
    this.halted = true;
  }

  private startOne(): void {
    const shape = drawShape(this.random);
    const input = shapeOf(shape).input(this.random) as Known['input'];
    const instanceId = `${shape}-${this.settings.label}${this.epoch}-${++this.started}`;
    this.follow(instanceId, { shape, input, tried: 0, ended: false, over: false }, async () => {
      this.note({ kind: 'try-start', instanceId, shape, input });
      await this.client.startOrchestration(shape, input, { instanceId });
      this.note({ kind: 'start', instanceId });
    });
  }

  private follow(instanceId: string, known: Known, before: () => Promise<void> = () => Promise.resolve()): void {
    const work = async (): Promise<void> => {
      try {
        await before();
        if (shapeOf(known.shape).driver === 'restart') await this.relive(instanceId, known);
        else await Promise.all([this.drive(instanceId, known), this.awaitResult(instanceId)]);
      } catch (error) {
        if (!isDurableError(error)) throw error;
        if (this.halted) return;
        // Taken for dead while it was stopped: whether the request is in, nobody can tell it any more.
        if (error.code === 'ERR_DURABLE_NODE_DEAD') return this.follow(instanceId, known);
        if (error.code !== 'ERR_DURABLE_INSTANCE_NOT_FOUND') throw error;
        this.note({ kind: 'absent', instanceId });
      }
    };
    const promise = work().finally(() => {
      this.open.delete(promise);
      this.begin();
    });
    this.open.add(promise);
  }

  private async awaitResult(instanceId: string): Promise<void> {
    const status = await this.client.waitForOrchestration(instanceId);
    const output = status.status === 'Completed' ? status.output : undefined;
    if (instanceId.startsWith('spawner-')) await this.client.waitForOrchestration(output as string);
    this.note({ kind: 'result', instanceId, status: status.status, output });
  }

  /** A life in doubt is not asked for again: which one runs is read from what it comes to. */
  private async relive(instanceId: string, { shape, input }: Known): Promise<void> {
    for (;;) {
      const status = await this.client.waitForOrchestration(instanceId);
      const output = (status.status === 'Completed' ? status.output : undefined) as { life: number } | undefined;
      if (output === undefined || output.life >= input.lives) break;
      this.note({ kind: 'life', instanceId, life: output.life, output });
      const life = output.life + 1;
      this.note({ kind: 'try-restart', instanceId, life });
      await this.client.startOrchestration(shape, { ...input, life }, { instanceId, idReuse: 'restart-if-finished' });
      this.note({ kind: 'restart', instanceId, life });
    }
    await this.awaitResult(instanceId);
  }

  // ---- messages ----

  private async drive(instanceId: string, known: Known): Promise<void> {
    const { driver } = shapeOf(known.shape);
    if (driver === 'event' || driver === 'queue') await this.sendAll(instanceId, driver, known);
    if (driver === 'end') await this.endIt(instanceId, known);
  }

  /** Numbers 1..n in order, some of them without waiting for the one before. Those in doubt are left out for good. */
  private async sendAll(instanceId: string, driver: 'event' | 'queue', known: Known): Promise<void> {
    const send = (data: unknown, ifFinished: 'error' | 'ignore'): Promise<void> =>
      driver === 'event'
        ? this.client.raiseEvent(instanceId, 'tick', data, { ifFinished })
        : this.client.enqueueEvent(instanceId, 'work', data, { ifFinished });
    const sendOne = async (number: number): Promise<void> => {
      known.tried = Math.max(known.tried, number);
      this.note({ kind: 'try-send', instanceId, number });
      await send({ number, last: false }, 'error');
      this.note({ kind: 'send', instanceId, number });
    };
    for (let number = known.tried + 1; number <= known.input.messages;) {
      const together = Math.min(this.random.between(1, 3), known.input.messages - number + 1);
      await Promise.all(Array.from({ length: together }, (_, index) => sendOne(number + index)));
      number += together;
      if (this.random.next() < 0.5) await pause(this.random.between(0, 8));
    }
    if (known.ended) return;
    this.note({ kind: 'try-end', instanceId });
    await send({ number: 0, last: true }, 'ignore');
    this.note({ kind: 'end', instanceId });
  }

  private async endIt(instanceId: string, known: Known): Promise<void> {
    if (known.ended) return;
    await pause(this.random.between(0, 30));
    this.note({ kind: 'try-end', instanceId });
    if (known.input.by === 'cancel') await this.client.cancelInstance(instanceId, 'campaign', { ifFinished: 'ignore' });
    else await this.client.terminateInstance(instanceId, 'campaign', { ifFinished: 'ignore' });
    this.note({ kind: 'end', instanceId });
  }

  private note(line: ClientLine extends infer L ? (L extends unknown ? Omit<L, 'epoch'> : never) : never): void {
    this.ledger.add({ epoch: this.epoch, ...line } as ClientLine);
  }
}

function knownFrom(past: readonly ClientLine[]): Map<string, Known> {
  const all = new Map<string, Known>();
  for (const line of past) {
    if (line.kind === 'try-start') {
      all.set(line.instanceId, {
        shape: line.shape,
        input: line.input as Known['input'],
        tried: 0,
        ended: false,
        over: false,
      });
      continue;
    }
    const known = all.get(line.instanceId)!;
    if (line.kind === 'try-send') known.tried = Math.max(known.tried, line.number);
    else if (line.kind === 'end') known.ended = true;
    else if (line.kind === 'result' || line.kind === 'absent') known.over = true;
  }
  return all;
}
