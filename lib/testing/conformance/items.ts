import type { Failure } from '../../core/failure.js';
import type { Ending } from '../../core/instance.js';
import type { Message, StartMessage } from '../../core/message.js';
import type {
  ActivityClaim,
  ClaimActivitiesItem,
  CompleteActivityItem,
  HistoryAppend,
  KeepActivitiesItem,
  NewActivity,
  NewChild,
  NewTimer,
  ReleaseActivityItem,
  ResumeItem,
  RetryActivityItem,
  ScheduleKey,
  SendItem,
  StartItem,
  SuspectActivityItem,
  SuspectItem,
  SuspendItem,
  TurnItem,
} from '../../provider/batch.js';

export const generationOf = (instanceId: string): string => `life-of-${instanceId}`;
export const keyOf = (instanceId: string) => ({ instanceId, generation: generationOf(instanceId) });

export const start = (instanceId: string, changes: Partial<StartItem> = {}): StartItem => ({
  kind: 'start',
  ...keyOf(instanceId),
  name: 'Test',
  version: '1.0.0',
  input: '1',
  ifExists: 'reject',
  ...changes,
});

export const restart = (instanceId: string, generation: string, changes: Partial<StartItem> = {}): StartItem =>
  start(instanceId, { ifExists: 'restart-if-finished', generation, ...changes });

/** A turn that does nothing but count. */
export const turn = (instanceId: string, expectedTurn = 0, changes: Partial<TurnItem> = {}): TurnItem => ({
  kind: 'turn',
  ...keyOf(instanceId),
  expectedTurn,
  keepOwnership: false,
  messagesSeen: 0,
  consumed: [],
  executionId: 1,
  nextEventId: 1,
  activities: [],
  held: 0,
  closedActivities: [],
  timers: [],
  closedTimers: [],
  children: [],
  messages: [],
  kv: [],
  ...changes,
});

/** The first turn of an instance: it takes the start message. */
export const firstTurn = (instanceId: string, changes: Partial<TurnItem> = {}): TurnItem =>
  turn(instanceId, 0, { consumed: [1], messagesSeen: 1, ...changes });

/** A turn that would leave rows everywhere. */
export const fullTurn = (instanceId: string, expectedTurn = 0, changes: Partial<TurnItem> = {}): TurnItem =>
  turn(instanceId, expectedTurn, {
    history: history('OrchestrationStarted'),
    nextEventId: 2,
    activities: [activity(10), activity(11, { claimed: true })],
    timers: [timer(12, 5_000)],
    children: [child(`${instanceId}-child`, { scheduleId: 13 }), detached(`${instanceId}-free`, { scheduleId: 14 })],
    messages: [{ instanceId: 'neighbour', message: event('from a turn') }],
    kv: [{ key: 'k', value: '1' }],
    customStatus: '"busy"',
    toItself: { kind: 'continue' },
    ...changes,
  });

export const activity = (scheduleId: number, changes: Partial<NewActivity> = {}): NewActivity => ({
  executionId: 1,
  scheduleId,
  name: 'work',
  args: '[]',
  options: null,
  tag: null,
  attempt: 1,
  crashes: 0,
  dueAt: 1_000,
  scheduledAt: 1_000,
  lastFailure: null,
  claimed: false,
  ...changes,
});

export const timer = (scheduleId: number, fireAt: number, executionId = 1): NewTimer => ({
  executionId,
  scheduleId,
  fireAt,
});
export const schedule = (scheduleId: number, executionId = 1): ScheduleKey => ({ executionId, scheduleId });

export const child = (instanceId: string, changes: Partial<NewChild> = {}): NewChild => ({
  executionId: 1,
  scheduleId: 2,
  ...keyOf(instanceId),
  name: 'Child',
  version: '1.0.0',
  input: '2',
  relation: 'attached',
  ...changes,
});
export const detached = (instanceId: string, changes: Partial<NewChild> = {}): NewChild =>
  child(instanceId, { relation: 'detached', ...changes });

export const event = (name: string, data = '0'): Message => ({ kind: 'external-event', name, data });
export const queued = (name: string, data = '0'): Message => ({ kind: 'queue-message', name, data });
export const cancel = (reason = 'r'): Message => ({ kind: 'cancel', reason });
export const terminate = (reason = 'r'): Message => ({ kind: 'terminate', reason });
export const nextExecution = (executionId: number, changes: Partial<StartMessage> = {}): StartMessage => ({
  kind: 'start',
  executionId,
  name: 'Test',
  version: '1.0.0',
  input: '2',
  ...changes,
});

export const send = (instanceId: string, message: Message = event('e'), generation?: string): SendItem => ({
  kind: 'send',
  instanceId,
  message,
  ...(generation !== undefined && { generation }),
});

/** Events with ids from `firstEventId` on; the fields beside `kind` matter to few. */
export const events = (executionId: number, firstEventId: number, ...recorded: readonly object[]): HistoryAppend => ({
  executionId,
  firstEventId,
  eventCount: recorded.length,
  events: JSON.stringify(recorded.map((it, index) => ({ id: firstEventId + index, ...it }))),
});
export const history = (...kinds: readonly string[]): HistoryAppend => events(1, 1, ...kinds.map((kind) => ({ kind })));

export const failure = (message = 'm'): Failure => ({ name: 'E', message, retryable: true });
export const completed: Ending = { status: 'Completed', output: '42' };
export const ending = (instanceId: string, expectedTurn = 0, changes: Partial<TurnItem> = {}): TurnItem =>
  turn(instanceId, expectedTurn, { ending: completed, ...changes });

export const suspend = (instanceId: string, changes: Partial<SuspendItem> = {}): SuspendItem => ({
  kind: 'suspend',
  instanceId,
  by: 'operator',
  code: 'ERR_DURABLE_SUSPENDED',
  reason: 'why',
  buildId: null,
  ...changes,
});
export const suspendByEngine = (instanceId: string, buildId: string, changes: Partial<SuspendItem> = {}): SuspendItem =>
  suspend(instanceId, {
    generation: generationOf(instanceId),
    expectedTurn: 0,
    by: 'engine',
    code: 'ERR_DURABLE_NONDETERMINISM',
    buildId,
    ...changes,
  });
export const resume = (instanceId: string): ResumeItem => ({ kind: 'resume', instanceId });
export const suspect = (instanceId: string, expectedTurn = 0, changes: Partial<SuspectItem> = {}): SuspectItem => ({
  kind: 'suspect',
  ...keyOf(instanceId),
  expectedTurn,
  ...changes,
});

export const claim = (
  limit = 100,
  names: readonly string[] = ['work'],
  tags: readonly string[] = [],
): ClaimActivitiesItem => ({ kind: 'claim-activities', limit, names, tags });

export const claimOf = ({ instanceId, generation, executionId, scheduleId, claim: number }: ActivityClaim) => ({
  instanceId,
  generation,
  executionId,
  scheduleId,
  claim: number,
});
/** The claim of an activity that was born claimed. */
export const bornClaimed = (instanceId: string, scheduleId: number): ActivityClaim => ({
  ...keyOf(instanceId),
  executionId: 1,
  scheduleId,
  claim: 1,
});

export const complete = (of: ActivityClaim, result = '"done"'): CompleteActivityItem => ({
  kind: 'complete-activity',
  ...claimOf(of),
  message: { kind: 'activity-completion', executionId: of.executionId, scheduleId: of.scheduleId, attempts: 1, result },
});
export const retry = (of: ActivityClaim, dueAt = 1_000, why: Failure = failure()): RetryActivityItem => ({
  kind: 'retry-activity',
  ...claimOf(of),
  dueAt,
  failure: why,
});
export const release = (of: ActivityClaim): ReleaseActivityItem => ({ kind: 'release-activity', ...claimOf(of) });
export const suspectActivity = (of: ActivityClaim): SuspectActivityItem => ({
  kind: 'suspect-activity',
  ...claimOf(of),
});

export const keep = (
  instanceId: string,
  expectedTurn: number,
  activities: readonly NewActivity[],
  changes: Partial<KeepActivitiesItem> = {},
): KeepActivitiesItem => ({ kind: 'keep-activities', ...keyOf(instanceId), expectedTurn, activities, ...changes });
