import { isDelivered, isTerminal, type ActionEvent, type HistoryEvent } from '../core/history-event.js';

/** What history holds and what the code asked for, in words, where they differ. */
export interface Difference {
  readonly recorded: string;
  readonly asked: string;
}

/**
 * A recorded decision against the one the code makes now. Compared is what identifies the work: kind, name, tag, child id,
 * queue, key. Not compared: arguments, inputs, options, values and due times, which a mended build may compute better; the
 * recorded ones stay in force.
 */
export function difference(recorded: HistoryEvent, asked: ActionEvent): Difference | undefined {
  if (recorded.kind === asked.kind && identityOf(recorded) === identityOf(asked)) return undefined;
  return { recorded: describe(recorded), asked: describe(asked) };
}

/** An event with what identifies it, for messages: `ActivityScheduled "PaymentService.charge"`. */
export function describe(event: HistoryEvent): string {
  const identity = identityOf(event);
  const what = isTerminal(event)
    ? `the end (${event.kind})`
    : isDelivered(event)
      ? `${event.kind} (something to wait for)`
      : event.kind;
  return identity === '' ? what : `${what} ${identity}`;
}

function identityOf(event: HistoryEvent): string {
  switch (event.kind) {
    case 'ActivityScheduled':
      return event.tag === undefined ? quoted(event.name) : `${quoted(event.name)} on tag ${quoted(event.tag)}`;
    case 'WaitCreated':
      return quoted(event.name);
    case 'DequeueCreated':
      return quoted(event.queue);
    case 'SubOrchestrationScheduled':
    case 'DetachedStartScheduled':
      return `${quoted(event.name)} as ${quoted(event.instanceId)}`;
    case 'FutureCancelled':
      return `of event ${event.scheduleId}`;
    case 'KvSet':
    case 'KvDeleted':
      return quoted(event.key);
    default:
      return '';
  }
}

const quoted = (text: string): string => JSON.stringify(text);
