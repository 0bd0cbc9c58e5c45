import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { DurableClient } from '../../lib/client/index.js';
import { isDurableError } from '../../lib/core/errors.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import { DurableRuntime, type RuntimeOptions } from '../../lib/runtime/index.js';
import { RecordingLog } from '../support/engine.js';
import { faultyDriver, FaultSwitch, touchesNoFile, type Contact } from './faulty-sqlite.js';
import { EVERY_FAULT, type Fault } from './faults.js';
import { again, begin, EXPECTED, outcome, round, roundRegistry } from './round.js';

export interface EngineFigures {
  readonly violations: string[];
  statements: number;
  cases: number;
  /** Cases whose statement did not come in that round. */
  unreached: number;
  refusals: number;
}

export type EngineChoice = (place: { readonly statement: number; readonly fault: number }) => boolean;

/** So many statements meet a fault that lasts; an engine tries again after pauses that grow. */
const HEALED_AFTER = 6;
const WITHIN_MS = 20_000;
const REGISTRY = roundRegistry();

/** A whole engine over a connection that fails: work goes on when the fault ends, and comes out right. */
export class EngineSweep {
  readonly figures: EngineFigures = { violations: [], statements: 0, cases: 0, unreached: 0, refusals: 0 };
  private readonly path: string;

  constructor(
    directory: string,
    private readonly chosen: EngineChoice = () => true,
  ) {
    this.path = join(directory, 'engine.sqlite');
  }

  /** One engine that works on; in each round one statement meets one fault. */
  async working(): Promise<EngineFigures> {
    const faults = new FaultSwitch();
    const engine = this.engine(faults);
    await engine.runtime.start();
    faults.watch();
    await this.round(engine, 'undisturbed', (problem) => this.figures.violations.push(problem));
    const texts = [...new Set(faults.contacts.filter(({ how }) => how === 'run').map(({ text }) => text))];
    this.figures.statements += texts.length;
    for (const [statement, text] of texts.entries()) {
      for (const [number, fault] of EVERY_FAULT.entries()) {
        if (!this.chosen({ statement, fault: number })) continue;
        const name = `${statement}-${number}`;
        const place = `at work, ${brief(text)}, ${fault.kind} ${fault.span}`;
        faults.arm(fault, (contact) => contact.how === 'run' && contact.text === text, HEALED_AFTER);
        await this.round(engine, name, (problem) => this.figures.violations.push(`${place}: ${problem}`));
        if (faults.hits === 0) this.figures.unreached++;
        this.figures.refusals += faults.hits;
        faults.heal();
      }
    }
    await engine.runtime.stop();
    for (const line of engine.log.lines.filter(({ level }) => level === 'error'))
      this.figures.violations.push(`the engine reported ${line.message}`);
    return this.figures;
  }

  /** An engine that starts, or stops, on a file with work on it. */
  async booting(): Promise<EngineFigures> {
    const contacts = await this.boot(undefined, () => undefined);
    this.figures.statements += contacts.length;
    for (const [statement, { how, text }] of contacts.entries()) {
      for (const [number, fault] of EVERY_FAULT.entries()) {
        if (touchesNoFile(text) || !this.chosen({ statement, fault: number })) continue;
        const place = `while starting, ${how} ${statement} (${brief(text)}), ${fault.kind} ${fault.span}`;
        await this.boot({ fault, statement }, (problem) => this.figures.violations.push(`${place}: ${problem}`));
      }
    }
    return this.figures;
  }

  private async boot(
    at: { readonly fault: Fault; readonly statement: number } | undefined,
    say: (problem: string) => unknown,
  ): Promise<Contact[]> {
    for (const end of ['', '-wal', '-shm', '.node-0']) rmSync(`${this.path}${end}`, { force: true });
    await this.leaveWork();
    const faults = new FaultSwitch();
    const first = this.engine(faults);
    faults.watch();
    if (at !== undefined) faults.arm(at.fault, (_, index) => index === at.statement, HEALED_AFTER);
    const error = await first.runtime.start().then(NOTHING, (reason: unknown) => reason ?? 'rejected');
    const contacts = [...faults.contacts];
    this.figures.cases++;
    this.figures.refusals += faults.hits;
    if (at !== undefined && faults.hits === 0) this.figures.unreached++;
    faults.heal();
    let engine = first;
    if (error !== undefined) {
      if (!isDurableError(error) || !error.retryable) say(`start() rejected with ${String(error)}`);
      await first.runtime.stop();
      if (faults.handles.size > 0) say(`${faults.handles.size} handle(s) are open after start() failed`);
      engine = this.engine(new FaultSwitch());
      await engine.runtime.start();
    }
    const ends = await within(outcome(engine.client, 'left'));
    if (!isDeepStrictEqual(ends, EXPECTED)) say(`what was left came to ${JSON.stringify(ends)}`);
    await engine.runtime.stop();
    return contacts;
  }

  /** Somebody starts and sends, and nobody runs anything. */
  private async leaveWork(): Promise<void> {
    const { client, runtime } = this.engine(new FaultSwitch(), { runsInstances: false });
    await runtime.start();
    await begin(client, 'left');
    await runtime.stop();
  }

  private async round(engine: Engine, name: string, say: (problem: string) => unknown): Promise<void> {
    this.figures.cases++;
    try {
      const ends = await within(round(engine.client, name));
      if (!isDeepStrictEqual(ends, EXPECTED)) say(`it came to ${JSON.stringify(ends)}`);
      const stuck = await within(again(() => engine.client.management.findStuck()));
      if ((stuck as string[]).length > 0) say(`stuck: ${String(stuck)}`);
    } catch (error) {
      say(String(error));
    }
  }

  private engine(faults: FaultSwitch, options: Partial<RuntimeOptions> = {}): Engine {
    const driver = faultyDriver(faults);
    const provider = new TypeOrmProvider({ storage: { type: 'better-sqlite3', database: this.path, driver } });
    const log = new RecordingLog();
    const runtime = new DurableRuntime({ provider, registry: REGISTRY, log, shutdownGrace: '2s', ...options });
    return { runtime, client: new DurableClient(runtime), log };
  }
}

interface Engine {
  readonly runtime: DurableRuntime;
  readonly client: DurableClient;
  readonly log: RecordingLog;
}

const NOTHING = (): undefined => undefined;

async function within<T>(work: Promise<T>): Promise<T | 'not within 20 s'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'not within 20 s'>((resolve) => {
    timer = setTimeout(() => resolve('not within 20 s'), WITHIN_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const brief = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 70);
