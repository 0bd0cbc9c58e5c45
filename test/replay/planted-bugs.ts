import type { Patch } from './built-lib.js';

/** A mistake one could make in the engine: the code of a replay would see or decide otherwise than its first run. */
export interface PlantedBug extends Patch {
  readonly name: string;
}

const EXECUTION = 'lib/replay/execution.ts';

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'a replay runs side effects again',
    file: 'lib/replay/actions/side-effect.ts',
    find: 'execution.boundByHistory ? {} : runNow(execution, fn)',
    replace: 'runNow(execution, fn)',
  },
  {
    name: 'a side effect gives its caller what it returned on this run',
    file: 'lib/replay/actions/side-effect.ts',
    find: "return execution.decode(decided.value!, 'the result of sideEffect()') as T;",
    replace: 'return fn();',
  },
  {
    name: 'two messages are delivered in one run of the code',
    file: 'lib/replay/turn.ts',
    find: '!this.deliverNext()) this.idle = true;',
    replace: '!this.deliverNext() || !this.deliverNext()) this.idle = true;',
  },
  {
    name: 'a replay delivers the next event before the code blocked',
    file: 'lib/replay/turn.ts',
    find: 'if (execution.replaying) return execution.replayNext();',
    replace: 'while (execution.replaying && !execution.over) execution.replayNext(); if (execution.over) return;',
  },
  {
    name: 'the time of an event is not told in a replay',
    file: EXECUTION,
    find: 'this.now = event.at;',
    replace: 'if (this.replayed) this.now = event.at;',
  },
  {
    name: 'conditions are asked only on a first run',
    file: EXECUTION,
    find: 'return !this.conditionsChecked && this.conditions.length > 0;',
    replace: 'return !this.replaying && !this.conditionsChecked && this.conditions.length > 0;',
  },
  {
    name: 'several conditions go on at once when live',
    file: EXECUTION,
    find: 'condition.resolve(true);\n      this.conditionsChecked = false;\n      return true;',
    replace:
      'condition.resolve(true);\n      this.conditionsChecked = false;\n      if (this.replayed) { index--; continue; }\n      return true;',
  },
  {
    name: 'the order in which futures settled is not kept by a replay',
    file: EXECUTION,
    find: 'this.open.delete(event.scheduleId);\n    record.settledOrder = ++this.settledCounter;',
    replace: 'this.open.delete(event.scheduleId);\n    if (this.replayed) record.settledOrder = ++this.settledCounter;',
  },
  {
    name: 'a replay cancels open futures from the newest on',
    file: EXECUTION,
    find: 'for (const record of [...this.open.values()]) {\n      if (record.shielded) continue;',
    replace:
      'for (const record of this.replayed ? [...this.open.values()] : [...this.open.values()].reverse()) {\n      if (record.shielded) continue;',
  },
  {
    name: 'a replay forgets what was shielded',
    file: EXECUTION,
    find: 'createFuture(this, id, kind, name, this.shieldDepth > 0, details)',
    replace: 'createFuture(this, id, kind, name, this.replayed && this.shieldDepth > 0, details)',
  },
  {
    name: 'a cancellation is not remembered by a replay',
    file: EXECUTION,
    find: 'return this.shieldDepth > 0 ? undefined : this.cancellation;',
    replace: 'return this.shieldDepth > 0 || !this.replayed ? undefined : this.cancellation;',
  },
  {
    name: 'a future that is cancelled in a replay stays open',
    file: EXECUTION,
    find: "this.closeOpen(record);\n    record.cancelledBy = by ?? 'cancel()';",
    replace: "if (this.replayed) this.closeOpen(record);\n    record.cancelledBy = by ?? 'cancel()';",
  },
  {
    name: 'rejections of a live run come one microtask later',
    file: 'lib/replay/durable-future.ts',
    find: 'record.reject(error);',
    replace:
      'if (record.execution.boundByHistory) record.reject(error); else void Promise.resolve().then(() => record.reject(error));',
  },
  {
    name: 'chance counts on only while live',
    file: 'lib/replay/chance.ts',
    find: "hash(execution, 'guid', execution.chanceCounter++)",
    replace: "hash(execution, 'guid', execution.replaying ? 0 : execution.chanceCounter++)",
  },
  {
    name: 'KV is not deleted by a replay',
    file: 'lib/replay/actions/kv.ts',
    find: "kind: 'KvDeleted', key }) !== undefined) this.remove(key);",
    replace: "kind: 'KvDeleted', key }) !== undefined && !execution.replaying) this.remove(key);",
  },
  {
    name: 'KV of this run wins over the recorded value',
    file: 'lib/replay/actions/kv.ts',
    find: 'execution.kv.set(key, decided.value);',
    replace: 'execution.kv.set(key, execution.replaying ? execution.codec.encode(null, key) : decided.value);',
  },
  {
    name: 'a replay starts from no KV',
    file: EXECUTION,
    find: 'this.kv = new Map(options.kv);',
    replace: 'this.kv = new Map(this.replayed ? options.kv : []);',
  },
  {
    name: 'a replay writes its log lines again',
    file: EXECUTION,
    find: 'if (this.replayed) this.draft.logs.push(line);',
    replace: 'this.draft.logs.push(line);',
  },
  {
    name: 'an action after the end is recorded',
    file: EXECUTION,
    find: 'if (this.over) return false;\n    if (executionOnStand() !== this) {',
    replace: 'if (this.fault || this.dropped) return false;\n    if (executionOnStand() !== this) {',
  },
];
