import { setImmediate } from 'node:timers';
import { failureOf, type Failure } from '../../lib/core/failure.js';
import { isDelivered, isTerminal, type HistoryEvent, type TerminalEvent } from '../../lib/core/history-event.js';
import { DEFAULT_LIMITS } from '../../lib/core/limits.js';
import type { Message } from '../../lib/core/message.js';
import { defaultCodec, type Payload } from '../../lib/core/payload.js';
import {
  Execution,
  MessageBuffer,
  replayHistory,
  Stand,
  Turn,
  type ExecutionOptions,
  type Fault,
  type Handlers,
  type Input,
  type LogLine,
  type OrchestrationContext,
  type ReplayResult,
} from '../../lib/replay/index.js';

export type Program = (context: OrchestrationContext, input: never) => Promise<unknown>;

export const immediate = (callback: () => void): void => void setImmediate(callback);
export const encode = (value: unknown): Payload => defaultCodec.encode(value, 'a test value');
export const decode = (text: Payload): unknown => defaultCodec.decode(text);

export const GENERATION = '0123456789abcdef0123456789abcdef';
/** The virtual clock begins here. */
export const EPOCH = Date.UTC(2030, 0, 1);

/** The service whose method `charge` is the activity `Payments.charge`; `refund` is none. */
export abstract class Payments {
  abstract charge(amount: number): Promise<string>;
  abstract refund(amount: number): Promise<string>;
}

/** One orchestration, every activity but those called `missing`, one child called `Child`. */
export function handlersOf(program: Program): Handlers {
  return {
    hasOrchestration: (name) => name !== 'missing',
    create: () => ({ run: program as never }),
    resolveOrchestration: (target, version = '1.0.0') => {
      const name = typeof target === 'string' ? target : target.name;
      return { name, version: name === 'missing' ? undefined : version };
    },
    hasActivity: (name) => name !== 'missing',
    activityOptions: (name) => (name === 'tagged' ? { tag: 'gpu' } : undefined),
    activityMethods: () => [{ method: 'charge', name: 'Payments.charge' }],
  };
}

export function optionsOf(program: Program, more: Partial<ExecutionOptions> = {}): ExecutionOptions {
  return {
    instanceId: 'i-1',
    generation: GENERATION,
    executionId: 1,
    handlers: handlersOf(program),
    codec: defaultCodec,
    limits: DEFAULT_LIMITS,
    ...more,
  };
}

type Answer = (...args: never[]) => unknown;

/** The world around a program: who answers what, and when on a virtual clock that starts at 0. */
export interface Script {
  readonly input?: unknown;
  /** Results by activity name; one that throws fails. Without an entry an activity answers its own name. */
  readonly activities?: Readonly<Record<string, Answer>>;
  /** Results of children by orchestration name; one that throws fails. Without an entry: `child of <input>`. */
  readonly children?: Readonly<Record<string, Answer>>;
  /** Instance ids that a detached start finds taken. */
  readonly taken?: readonly string[];
  /** Milliseconds until an activity, child or detached start answers; Infinity is never. Default 1. */
  readonly delay?: (name: string, args: readonly unknown[]) => number;
  readonly messages?: readonly { readonly at: number; readonly message: Message }[];
  readonly kv?: Readonly<Record<string, unknown>>;
  /** Every turn begins on a fresh execution that replays what is recorded so far. */
  readonly cold?: boolean;
}

export const raise = (at: number, name: string, data?: unknown): { at: number; message: Message } => ({
  at,
  message: { kind: 'external-event', name, data: encode(data) },
});
export const enqueue = (at: number, name: string, data?: unknown): { at: number; message: Message } => ({
  at,
  message: { kind: 'queue-message', name, data: encode(data) },
});
export const cancelAt = (at: number, reason = 'enough'): { at: number; message: Message } => ({
  at,
  message: { kind: 'cancel', reason },
});

/** One execution as it was recorded. */
export interface Recording {
  readonly history: readonly HistoryEvent[];
  readonly executionId: number;
  /** KV at its beginning. */
  readonly kv: ReadonlyMap<string, Payload>;
}

export interface Performance extends Recording {
  /** Of all executions; the last one is the performance itself. */
  readonly executions: readonly Recording[];
  readonly end: TerminalEvent | undefined;
  readonly fault: Fault | undefined;
  readonly logs: readonly LogLine[];
  readonly discarded: readonly string[];
  readonly turns: number;
  /** KV at the end. */
  readonly kvAfter: Readonly<Record<string, unknown>>;
}

/** Runs one turn until its code blocks. */
export function takeTurn(turn: Turn): Promise<void> {
  return new Promise((resolve) => new Stand(immediate, () => resolve()).enter(turn));
}

/** Runs a program in its scripted world until it ends, is at fault, or nothing more comes. */
export async function perform(program: Program, script: Script = {}): Promise<Performance> {
  return new World(program, script).run();
}

interface Due {
  readonly at: number;
  readonly input: () => Input | Message;
}

class World {
  private clock = 0;
  private seq = 0;
  private turns = 0;
  private readonly due: Due[] = [];
  private readonly buffer = new MessageBuffer();
  private readonly logs: LogLine[] = [];
  private readonly discarded: string[] = [];
  private readonly executions: Recording[] = [];
  private kv = new Map<string, Payload>();
  private history: HistoryEvent[] = [];
  private execution!: Execution;
  private executionId = 0;

  constructor(
    private readonly program: Program,
    private readonly script: Script,
  ) {}

  async run(): Promise<Performance> {
    for (const [key, value] of Object.entries(this.script.kv ?? {})) this.kv.set(key, encode(value));
    for (const { at, message } of this.script.messages ?? []) this.due.push({ at, input: () => message });
    this.begin(encode(this.script.input));
    const inbox: Input[] = [];
    for (;;) {
      this.takeDue(inbox);
      const goesOn = await this.turn(inbox);
      if (this.execution.fault !== undefined) break;
      if (this.execution.ending !== undefined) {
        if (this.execution.ending.kind !== 'ContinuedAsNew' || this.executionId === 5) break;
        inbox.length = 0;
        this.begin(this.execution.ending.input);
        continue;
      }
      if (goesOn || inbox.length > 0) continue;
      const next = Math.min(...this.due.map(({ at }) => at));
      if (next === Infinity) break;
      this.clock = next;
    }
    return {
      ...this.executions.at(-1)!,
      executions: this.executions,
      end: this.execution.ending,
      fault: this.execution.fault,
      logs: this.logs,
      discarded: this.discarded,
      turns: this.turns,
      kvAfter: Object.fromEntries([...this.kv].map(([key, text]) => [key, decode(text)])),
    };
  }

  private begin(input: Payload): void {
    this.executionId++;
    this.history = [];
    const kv = new Map(this.kv);
    this.executions.push({ history: this.history, executionId: this.executionId, kv });
    this.execution = this.create();
    const start: Message = { kind: 'start', executionId: this.executionId, name: 'Program', version: '1.0.0', input };
    this.due.unshift({ at: this.clock, input: () => start });
  }

  private create(): Execution {
    const { kv } = this.executions.at(-1)!;
    const history = [...this.history];
    return new Execution(optionsOf(this.program, { executionId: this.executionId, history, kv }));
  }

  private takeDue(inbox: Input[]): void {
    for (const due of this.due.filter(({ at }) => at <= this.clock)) {
      this.due.splice(this.due.indexOf(due), 1);
      const input = due.input();
      if (input.kind === 'timer' || input.kind === 'message') inbox.push(input);
      else if (input.kind === 'external-event' || input.kind === 'queue-message')
        this.buffer.add({ seq: ++this.seq, message: input });
      else inbox.push({ kind: 'message', message: input, seq: ++this.seq });
    }
  }

  private async turn(inbox: Input[]): Promise<boolean> {
    this.turns++;
    if (this.script.cold === true && this.history.length > 0) {
      this.execution.drop();
      this.execution = this.create();
    }
    const turn = new Turn(this.execution, inbox, this.buffer, () => EPOCH + this.clock);
    await takeTurn(turn);
    const draft = this.execution.takeDraft();
    this.history.push(...draft.events);
    this.logs.push(...draft.logs);
    for (const [key, text] of draft.kv) {
      if (text === null) this.kv.delete(key);
      else this.kv.set(key, text);
    }
    for (const { input, reason } of turn.discarded)
      this.discarded.push(`${input.kind === 'timer' ? 'timer' : input.message.kind}: ${reason}`);
    for (const { event } of draft.activities)
      this.answerActivity(event.id, event.name, decode(event.args) as unknown[]);
    const { executionId } = this;
    for (const { id, fireAt } of draft.timers)
      this.due.push({
        at: Math.max(fireAt - EPOCH, this.clock),
        input: () => ({ kind: 'timer', executionId, scheduleId: id }),
      });
    for (const { id, name, input } of draft.children) this.answerChild(id, name, decode(input));
    for (const { id, name, instanceId } of draft.detachedStarts) this.answerStart(id, name, instanceId);
    return turn.mustContinue;
  }

  private answerActivity(scheduleId: number, name: string, args: readonly unknown[]): void {
    const { executionId } = this;
    this.later(name, args, () => {
      const base = { kind: 'activity-completion', executionId, scheduleId, attempts: 1 } as const;
      const { result, failure } = outcomeOf(this.script.activities?.[name] ?? (() => name), args);
      return failure === undefined ? { ...base, result } : { ...base, failure };
    });
  }

  private answerChild(scheduleId: number, name: string, input: unknown): void {
    const { executionId } = this;
    this.later(name, [input], () => {
      const base = { kind: 'child-completion', executionId, scheduleId } as const;
      const { result, failure } = outcomeOf(this.script.children?.[name] ?? (() => `child of ${String(input)}`), [
        input,
      ]);
      return failure === undefined ? { ...base, result } : { ...base, outcome: 'failed', failure };
    });
  }

  private answerStart(scheduleId: number, name: string, instanceId: string): void {
    const { executionId } = this;
    const failure = this.script.taken?.includes(instanceId) ? failureOf(new Error('taken')) : undefined;
    this.later(name, [instanceId], () => ({ kind: 'detached-start', executionId, scheduleId, failure }));
  }

  private later(name: string, args: readonly unknown[], input: Due['input']): void {
    this.due.push({ at: this.clock + (this.script.delay?.(name, args) ?? 1), input });
  }
}

function outcomeOf(answer: Answer, args: readonly unknown[]): { result?: Payload; failure?: Failure } {
  try {
    return { result: encode((answer as (...args: unknown[]) => unknown)(...args)) };
  } catch (error) {
    return { failure: failureOf(error, { stack: false }) };
  }
}

// ---- replaying ---------------------------------------------------------------------------------------------------

export function replay(
  program: Program,
  history: readonly HistoryEvent[],
  more: Partial<ExecutionOptions> = {},
): Promise<ReplayResult> {
  return replayHistory(optionsOf(program, { history, ...more }), immediate);
}

/** Without stacks: they hold how the engine called the code, which may differ between a first run and a replay. */
export function plain(events: readonly HistoryEvent[]): unknown {
  return JSON.parse(JSON.stringify(events, (key, value: unknown) => (key === 'stack' ? undefined : value)));
}

/** What was decided after the first `length` events, until the next thing happened. */
export function decisionsAfter(history: readonly HistoryEvent[], length: number): HistoryEvent[] {
  const rest = history.slice(length);
  const next = rest.findIndex(isDelivered);
  return next < 0 ? rest : rest.slice(0, next);
}

/** Why a recording is not what it must be; undefined if it is. */
export async function whyNotReplayable(program: Program, recording: Recording): Promise<string | undefined> {
  const { history, executionId, kv } = recording;
  for (let length = 1; length <= history.length; length++) {
    const { decisions, fault } = await replay(program, history.slice(0, length), { openEnded: true, executionId, kv });
    const got = JSON.stringify(plain(decisions));
    const expected = JSON.stringify(plain(decisionsAfter(history, length)));
    if (fault !== undefined) return `prefix of ${length}: ${fault.message}`;
    if (got !== expected) return `prefix of ${length}: decided ${got}, recorded ${expected}`;
  }
  const { decisions, fault } = await replay(program, history, { executionId, kv });
  if (fault !== undefined) return `whole history: ${fault.message}`;
  return decisions.length === 0 ? undefined : `whole history: decided ${JSON.stringify(decisions)}`;
}

/** Semantics C1 and C2. */
export function whyNotSound(history: readonly HistoryEvent[]): string | undefined {
  if (history[0]?.kind !== 'OrchestrationStarted') return 'does not start with OrchestrationStarted';
  const closed = new Set<number>();
  for (const [index, event] of history.entries()) {
    if (event.id !== index + 1) return `event ${index + 1} has id ${event.id}`;
    if (isTerminal(event) && index !== history.length - 1) return `event ${event.id} follows the end`;
    if (!('scheduleId' in event)) continue;
    if (event.scheduleId >= event.id) return `event ${event.id} refers to the later ${event.scheduleId}`;
    if (closed.has(event.scheduleId)) return `event ${event.id} completes ${event.scheduleId} again`;
    closed.add(event.scheduleId);
  }
  return undefined;
}

// ---- histories as short text ---------------------------------------------------------------------------------------

/** `ActivityScheduled a[1]`, `ActivityCompleted 2 "x"`: what a table of expectations can hold. */
export function brief(events: readonly HistoryEvent[]): string[] {
  return events.map(briefly);
}

/** Only what the code decided. */
export const decided = (events: readonly HistoryEvent[]): string[] =>
  brief(events.filter((event) => !isDelivered(event)));

function briefly(event: HistoryEvent): string {
  switch (event.kind) {
    case 'OrchestrationStarted':
      return 'start';
    case 'ActivityScheduled':
      return `activity ${event.name}${event.tag === undefined ? '' : `@${event.tag}`}${shown(event.args)}`;
    case 'ActivityCompleted':
    case 'SubOrchestrationCompleted':
      return `#${event.scheduleId} = ${shown(event.result)}`;
    case 'ActivityFailed':
      return `#${event.scheduleId} failed: ${event.failure.message}`;
    case 'SubOrchestrationFailed':
      return `#${event.scheduleId} ${event.outcome}: ${event.failure.message}`;
    case 'TimerCreated':
      return `timer ${event.fireAt - EPOCH}`;
    case 'TimerFired':
      return `#${event.scheduleId} fired`;
    case 'WaitCreated':
      return `wait ${event.name}`;
    case 'DequeueCreated':
      return `dequeue ${event.queue}`;
    case 'EventReceived':
    case 'MessageDequeued':
      return `#${event.scheduleId} = ${shown(event.data)}`;
    case 'SubOrchestrationScheduled':
      return `child ${event.name}@${event.version} ${event.instanceId} ${shown(event.input)} ${event.onParentClose}`;
    case 'DetachedStartScheduled':
      return `start ${event.name}@${event.version} ${event.instanceId} ${shown(event.input)}`;
    case 'DetachedStartAnswered':
      return `#${event.scheduleId} ${event.failure === undefined ? 'started' : 'refused'}`;
    case 'CancelRequested':
      return `cancel requested: ${event.reason}`;
    case 'FutureCancelled':
      return `cancel #${event.scheduleId}`;
    case 'KvSet':
      return `kv ${event.key} = ${shown(event.value)}`;
    case 'KvDeleted':
      return `kv delete ${event.key}`;
    case 'KvCleared':
      return 'kv clear';
    case 'CustomStatusSet':
      return `status ${shown(event.status)}`;
    case 'SideEffectRecorded':
      return `side effect ${event.failure === undefined ? shown(event.value!) : `threw ${event.failure.message}`}`;
    case 'OrchestrationCompleted':
      return `completed ${shown(event.output)}`;
    case 'OrchestrationFailed':
      return `failed ${event.failure.name}: ${event.failure.message}`;
    case 'OrchestrationCancelled':
      return `cancelled: ${event.reason}`;
    case 'OrchestrationTerminated':
      return `terminated: ${event.reason}`;
    case 'ContinuedAsNew':
      return `continued ${shown(event.input)}${event.version === undefined ? '' : `@${event.version}`}`;
  }
}

const shown = (text: Payload): string => JSON.stringify(decode(text)) ?? 'undefined';
