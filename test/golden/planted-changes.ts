import type { Patch } from '../replay/built-lib.js';

/**
 * Changes after which first run and replay still agree with each other, so that no other test minds, and which would strand
 * or alter the instances that run already. `finds` is a file that must differ.
 */
export const PLANTED_CHANGES: readonly (Patch & { readonly name: string; readonly finds: string })[] = [
  {
    name: 'futures reject one microtask later',
    file: 'lib/replay/durable-future.ts',
    find: 'record.reject(error);',
    replace: 'void Promise.resolve().then(() => record.reject(error));',
    finds: 'distances',
  },
  {
    name: 'a future is a promise of a promise',
    file: 'lib/replay/durable-future.ts',
    find: '  }) as DurableFuture<unknown>;\n  promise.cancel = cancelFuture;\n  const record',
    replace: '  }).then((value) => value) as DurableFuture<unknown>;\n  promise.cancel = cancelFuture;\n  const record',
    finds: 'distances',
  },
  {
    name: 'a cancellation rejects the newest future first',
    file: 'lib/replay/execution.ts',
    find: 'for (const record of [...this.open.values()]) {\n      if (record.shielded) continue;',
    replace: 'for (const record of [...this.open.values()].reverse()) {\n      if (record.shielded) continue;',
    finds: 'race-of-helpers',
  },
  {
    name: 'select cancels its losers from the last on',
    file: 'lib/replay/select.ts',
    find: 'candidates.forEach((candidate, index) => {\n    const loser',
    replace: '[...candidates.entries()].reverse().forEach(([index, candidate]) => {\n    const loser',
    finds: 'select',
  },
  {
    name: 'of settled candidates select takes the first in the list',
    file: 'lib/replay/select.ts',
    find: 'if (settled < order) [first, order] = [index, settled];',
    replace: 'if (settled < Infinity && first < 0) [first, order] = [index, settled];',
    finds: 'select-of-settled',
  },
  {
    name: 'chance is drawn from another hash',
    file: 'lib/replay/chance.ts',
    find: '/${use}/${index}`',
    replace: '/${index}/${use}`',
    finds: 'chance-and-time',
  },
  {
    name: 'children get other automatic ids',
    file: 'lib/replay/chance.ts',
    find: '`::${execution.generation.slice(0, 8)}.',
    replace: '`::${execution.generation.slice(0, 9)}.',
    finds: 'children',
  },
  {
    name: 'the due time of a timer is rounded up to seconds',
    file: 'lib/replay/actions/timer.ts',
    find: "return execution.now + parseDuration(due, 'the duration of scheduleTimer()');",
    replace: "return Math.ceil((execution.now + parseDuration(due, 'the duration of scheduleTimer()')) / 1000) * 1000;",
    finds: 'timers',
  },
  {
    name: 'a timer is recorded by another field',
    file: 'lib/replay/actions/timer.ts',
    find: "kind: 'TimerCreated', fireAt: dueTime(execution, due) };",
    replace: "kind: 'TimerCreated', fireAt: dueTime(execution, due), dueAt: dueTime(execution, due) } as TimerCreated;",
    finds: 'timers',
  },
  {
    name: 'an aggregate error is recorded without its errors',
    file: 'lib/core/failure.ts',
    find: '...(errors.length > 0 && { errors })',
    replace: '',
    finds: 'failure-with-causes',
  },
  {
    name: 'a refused call rejects one microtask later',
    file: 'lib/replay/durable-future.ts',
    find: 'const promise = Promise.reject(error) as DurableFuture<T>;',
    replace: 'const promise = Promise.resolve().then(() => Promise.reject(error)) as DurableFuture<T>;',
    finds: 'distances',
  },
  {
    name: 'futures are of a subclass of Promise',
    file: 'lib/replay/durable-future.ts',
    find: 'const promise = new Promise((onResolve, onReject) => {',
    replace: 'const promise = new (class Future extends Promise {})((onResolve, onReject) => {',
    finds: 'distances',
  },
];
