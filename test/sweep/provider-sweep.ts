import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isDurableError } from '../../lib/core/errors.js';
import { TypeOrmProvider } from '../../lib/providers/typeorm/index.js';
import type { Call } from './calls.js';
import { difference, dumpOf } from './dump.js';
import { faultyDriver, FaultSwitch, touchesNoFile, type Contact } from './faulty-sqlite.js';
import { EVERY_FAULT, type Fault } from './faults.js';
import { writeFixture } from './fixture.js';

export interface SweepFigures {
  readonly violations: string[];
  calls: number;
  contacts: number;
  cases: number;
  /** Cases in which the call failed; in the others it outlasted the fault. */
  failed: number;
  /** Cases after which the whole call was in, although it had failed. */
  unknownOutcomes: number;
}

/** Which cases are run; all where it is not given. */
export type Choice = (place: { readonly contact: number; readonly fault: number }) => boolean;

/** A busy database is waited for by most methods: it is healed after so many refusals. */
const BUSY_REFUSALS = 3;

type Outcome = { readonly answer: unknown } | { readonly error: unknown };

/** The same call, without a fault. */
interface Baseline {
  readonly contacts: readonly Contact[];
  readonly outcome: Outcome;
  readonly before: string;
  readonly after: string;
}

/** Every call, with every fault at every point at which it reaches SQLite. */
export class ProviderSweep {
  readonly figures: SweepFigures = { violations: [], calls: 0, contacts: 0, cases: 0, failed: 0, unknownOutcomes: 0 };
  private readonly fixture: string;
  private readonly path: string;

  constructor(
    directory: string,
    private readonly chosen: Choice = () => true,
  ) {
    this.fixture = join(directory, 'fixture.sqlite');
    this.path = join(directory, 'durable.sqlite');
  }

  async run(calls: readonly Call[]): Promise<SweepFigures> {
    await writeFixture(this.fixture);
    for (const call of calls) await this.sweep(call);
    this.reset(false);
    return this.figures;
  }

  private async sweep(call: Call): Promise<void> {
    const baseline = await this.undisturbed(call);
    this.figures.calls++;
    this.figures.contacts += baseline.contacts.length;
    if (call.isLocal !== true) await this.answerLost(call, baseline);
    for (const [contact, { how, text }] of baseline.contacts.entries()) {
      for (const [number, fault] of EVERY_FAULT.entries()) {
        if (touchesNoFile(text) || !this.chosen({ contact, fault: number })) continue;
        const place = `${nameOf(call)}, ${how} ${contact} (${brief(text)}), ${fault.kind} ${fault.span}`;
        await this.disturbed(call, baseline, fault, contact, (problem) =>
          this.figures.violations.push(`${place}: ${problem}`),
        );
      }
    }
  }

  private async undisturbed(call: Call): Promise<Baseline> {
    const { provider, faults } = await this.provider(call);
    const before = dumpOf(this.path);
    faults.watch();
    const outcome = await settled(() => call.make(provider));
    const contacts = [...faults.contacts];
    const after = dumpOf(this.path);
    await provider.close();
    return { contacts, outcome, before, after };
  }

  /** It was carried out, nobody learnt of it, and it is asked again. */
  private async answerLost(call: Call, { outcome, after }: Baseline): Promise<void> {
    const { provider } = await this.provider(call);
    await settled(() => call.make(provider));
    if (call.method === 'open') await provider.close();
    const again = await settled(() => call.make(provider));
    const state = dumpOf(this.path);
    await provider.close();
    const say = (problem: string): unknown => this.figures.violations.push(`${nameOf(call)}, answer lost: ${problem}`);
    if (!sameOutcome(call, again, outcome)) say(`the repeated call ended with ${textOf(again)}`);
    if (state !== after) say(`it happened twice: ${difference(state, after)}`);
    this.figures.cases++;
  }

  private async disturbed(
    call: Call,
    { outcome: expected, before, after }: Baseline,
    fault: Fault,
    contact: number,
    say: (problem: string) => unknown,
  ): Promise<void> {
    this.figures.cases++;
    const { provider, faults } = await this.provider(call);
    faults.arm(fault, (_, index) => index === contact, fault.kind === 'busy' ? BUSY_REFUSALS : Infinity);
    const outcome = await settled(() => call.make(provider));
    if (faults.hits === 0) say('the fault did not strike');
    faults.heal();

    const state = dumpOf(this.path);
    if (state !== before && state !== after) say(`the state is between: ${difference(state, after)}`);
    if (faults.inTransaction) say('a transaction was left open');
    if ('error' in outcome && !sameOutcome(call, outcome, expected)) {
      this.figures.failed++;
      if (state === after && before !== after) this.figures.unknownOutcomes++;
      const { error } = outcome;
      if (!isDurableError(error)) say(`it rejected with ${textOf(outcome)}, not with a StorageError`);
      else if (!error.retryable) say(`its error is final: ${error.code} (${error.message})`);
      if (call.method === 'open') await provider.close();
      if (call.method === 'open' && faults.handles.size > 0) say(`${faults.handles.size} handle(s) were left open`);
      const again = await settled(() => call.make(provider));
      if (!sameOutcome(call, again, expected)) say(`after healing the same call ended with ${textOf(again)}`);
    } else if (!sameOutcome(call, outcome, expected)) {
      say(`it ended with ${textOf(outcome)} instead of ${textOf(expected)}`);
    }
    const end = dumpOf(this.path);
    if (end !== after) say(`after healing the state is another one: ${difference(end, after)}`);
    await provider.close();
    if (faults.handles.size > 0) say(`${faults.handles.size} handle(s) were left open by close()`);
  }

  private async provider(call: Call): Promise<{ provider: TypeOrmProvider; faults: FaultSwitch }> {
    this.reset(call.onEmptyFile !== true);
    const faults = new FaultSwitch();
    const driver = faultyDriver(faults);
    const provider = new TypeOrmProvider({
      storage: { type: 'better-sqlite3', database: this.path, driver },
    });
    if (call.method !== 'open') await provider.open();
    await call.first?.(provider);
    faults.watch();
    return { provider, faults };
  }

  private reset(filled: boolean): void {
    for (const end of ['', '-wal', '-shm', '.node-0']) rmSync(`${this.path}${end}`, { force: true });
    if (filled) copyFileSync(this.fixture, this.path);
  }
}

async function settled(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { answer: await work() };
  } catch (error) {
    return { error };
  }
}

function sameOutcome({ answer = (value) => value }: Call, one: Outcome, other: Outcome): boolean {
  if ('error' in one || 'error' in other) return 'error' in one && 'error' in other && codeOf(one) === codeOf(other);
  return isDeepStrictEqual(answer(one.answer), answer(other.answer));
}

const codeOf = ({ error }: { readonly error: unknown }): unknown => (error as { code?: unknown } | undefined)?.code;
const textOf = (outcome: Outcome): string =>
  'error' in outcome ? `${String(outcome.error)} [${String(codeOf(outcome))}]` : JSON.stringify(outcome.answer);
const nameOf = ({ method, what }: Call): string => (what === '' ? method : `${method} ${what}`);
const brief = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 60);
