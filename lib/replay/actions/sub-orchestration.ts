import type {
  ParentClosePolicy,
  SubOrchestrationCompleted,
  SubOrchestrationFailed,
  SubOrchestrationScheduled,
} from '../../core/history-event.js';
import { InvalidOptionError, SubOrchestrationError } from '../../core/errors.js';
import { errorOf } from '../../core/failure.js';
import { checkInstanceId } from '../../core/identifiers.js';
import { automaticInstanceId } from '../chance.js';
import { never, rejected, rejectHandled, type DurableFuture } from '../durable-future.js';
import type { Execution } from '../execution.js';
import type { OrchestrationClass } from '../handlers.js';

export interface SubOrchestrationOptions {
  /** Default: an id made of the parent's id, generation, execution and schedule; unique and the same on every replay. */
  readonly instanceId?: string;
  /** Default: the newest registered version. */
  readonly version?: string;
  /** What happens to the child when this execution ends before it. Default `cancel`. */
  readonly onParentClose?: ParentClosePolicy;
}

export function scheduleSubOrchestration(
  execution: Execution,
  target: string | OrchestrationClass,
  input: unknown,
  options: SubOrchestrationOptions = {},
): DurableFuture<unknown> {
  if (!execution.mayAct('scheduleSubOrchestration()')) return never();
  const refusal = execution.refusal();
  if (refusal !== undefined) return rejected(refusal);
  const { name, version } = execution.handlers.resolveOrchestration(target, options.version);
  const onParentClose = checkPolicy(options.onParentClose ?? 'cancel');
  const text = execution.encode(input, `the input of ${name}`);
  if (text === undefined) return never();
  const id = execution.nextEventId;
  const asked: SubOrchestrationScheduled = {
    id,
    kind: 'SubOrchestrationScheduled',
    name,
    version,
    instanceId:
      options.instanceId === undefined ? automaticInstanceId(execution, id) : checkInstanceId(options.instanceId),
    input: text,
    onParentClose,
  };
  const decided = execution.decide(asked);
  if (decided === undefined) return never();
  if (decided === asked) {
    if (execution.lacksOrchestration(name, version)) return never();
    execution.draft.children.push(asked);
  }
  return execution.openFuture(decided.id, 'child', name, { child: decided }).promise;
}

function checkPolicy(policy: ParentClosePolicy): ParentClosePolicy {
  if (policy === 'cancel' || policy === 'terminate' || policy === 'abandon') return policy;
  throw new InvalidOptionError('onParentClose', policy, "'cancel', 'terminate' or 'abandon'");
}

export function settleChild(execution: Execution, event: SubOrchestrationCompleted | SubOrchestrationFailed): void {
  const future = execution.closeFuture(event, 'child');
  if (future === undefined) return;
  if (event.kind === 'SubOrchestrationCompleted')
    future.resolve(execution.decode(event.result, `the result of ${future.name}`));
  else
    rejectHandled(
      future,
      new SubOrchestrationError(
        future.name,
        future.child!.instanceId,
        event.outcome,
        event.failure,
        errorOf(event.failure),
      ),
    );
}
