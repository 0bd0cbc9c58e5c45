import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { eventually, registryOf, startEngine, temporaryDirectory, type TestEngine } from '../support/engine.js';
import type { OrchestrationContext } from '../../lib/replay/index.js';

let directory: ReturnType<typeof temporaryDirectory>;
let engine: TestEngine;

beforeAll(async () => {
  directory = temporaryDirectory();
  const registry = registryOf({
    Echo: async (_: OrchestrationContext, input: unknown) => input,
    Wait: async (ctx: OrchestrationContext) => ctx.scheduleWait('go'),
  });
  engine = await startEngine(join(directory.path, 'durable.sqlite'), registry, { limits: { maxPayloadBytes: 1_000 } });
  await (await engine.client.startOrchestration('Echo', 1, { instanceId: 'done' })).result();
  await engine.client.startOrchestration('Wait', undefined, { instanceId: 'open' });
});
afterAll(async () => {
  await engine.stop();
  directory.remove();
});

type Call = () => Promise<unknown>;
const start =
  (name: unknown, input?: unknown, options?: object): Call =>
  () =>
    engine.client.startOrchestration(name as string, input, options as never);

describe('bad input', () => {
  it.each<[string, Call, string, number | undefined, RegExp]>([
    ['an unknown orchestration', start('Ecko'), 'ERR_DURABLE_UNKNOWN_ORCHESTRATION', 400, /"Ecko".*registered: Echo/],
    [
      'an unknown version',
      start('Echo', 1, { version: '9.0.0' }),
      'ERR_DURABLE_UNKNOWN_ORCHESTRATION',
      400,
      /Echo@9\.0\.0/,
    ],
    ['a bad version', start('Echo', 1, { version: 'two' }), 'ERR_DURABLE_IDENTIFIER', 400, /version "two"/],
    ['an empty instance id', start('Echo', 1, { instanceId: '' }), 'ERR_DURABLE_IDENTIFIER', 400, /must not be empty/],
    [
      'an instance id of 257 characters',
      start('Echo', 1, { instanceId: 'x'.repeat(257) }),
      'ERR_DURABLE_IDENTIFIER',
      400,
      /257/,
    ],
    [
      'an instance id with U+0000',
      start('Echo', 1, { instanceId: 'a\u0000b' }),
      'ERR_DURABLE_IDENTIFIER',
      400,
      /U\+0000/,
    ],
    [
      'an instance id with a lone surrogate',
      start('Echo', 1, { instanceId: 'a\ud800' }),
      'ERR_DURABLE_IDENTIFIER',
      400,
      /surrogate/,
    ],
    ['a duplicate start', start('Echo', 1, { instanceId: 'done' }), 'ERR_DURABLE_INSTANCE_EXISTS', 409, /"done"/],
    [
      'a restart of an unfinished instance',
      start('Wait', 1, { instanceId: 'open', idReuse: 'restart-if-finished' }),
      'ERR_DURABLE_INSTANCE_EXISTS',
      409,
      /"open"/,
    ],
    ['a bad idReuse', start('Echo', 1, { idReuse: 'maybe' }), 'ERR_DURABLE_OPTION', 400, /idReuse is "maybe"/],
    [
      'a payload that cannot be carried',
      start('Echo', { lines: [{ onDone: () => 1 }] }),
      'ERR_DURABLE_PAYLOAD',
      400,
      /lines\[0\]\.onDone of the input of Echo is a function/,
    ],
    [
      'a payload over the limit',
      start('Echo', 'x'.repeat(2_000)),
      'ERR_DURABLE_PAYLOAD_TOO_LARGE',
      413,
      /2002 characters, the limit is 1000/,
    ],
    [
      'an event to an unknown instance',
      () => engine.client.raiseEvent('nobody', 'go'),
      'ERR_DURABLE_INSTANCE_NOT_FOUND',
      404,
      /"nobody"/,
    ],
    [
      'an event to a finished instance',
      () => engine.client.raiseEvent('done', 'go'),
      'ERR_DURABLE_INSTANCE_FINISHED',
      409,
      /"done"/,
    ],
    [
      'an event without a name',
      () => engine.client.raiseEvent('open', ''),
      'ERR_DURABLE_IDENTIFIER',
      400,
      /event name/,
    ],
    [
      'an event with a payload over the limit',
      () => engine.client.raiseEvent('open', 'go', 'x'.repeat(2_000)),
      'ERR_DURABLE_PAYLOAD_TOO_LARGE',
      413,
      /event go/,
    ],
    [
      'a cancel of an unknown instance',
      () => engine.client.cancelInstance('nobody'),
      'ERR_DURABLE_INSTANCE_NOT_FOUND',
      404,
      /"nobody"/,
    ],
    [
      'a termination of a finished instance',
      () => engine.client.terminateInstance('done'),
      'ERR_DURABLE_INSTANCE_FINISHED',
      409,
      /"done"/,
    ],
    [
      'a suspension of an unknown instance',
      () => engine.client.suspendInstance('nobody'),
      'ERR_DURABLE_INSTANCE_NOT_FOUND',
      404,
      /"nobody"/,
    ],
    [
      'a resumption of a finished instance',
      () => engine.client.resumeInstance('done'),
      'ERR_DURABLE_INSTANCE_FINISHED',
      409,
      /"done"/,
    ],
    [
      'the status of an unknown instance',
      () => engine.client.getOrchestrationStatus('nobody'),
      'ERR_DURABLE_INSTANCE_NOT_FOUND',
      404,
      /"nobody"/,
    ],
    [
      'the result of an unknown instance',
      () => engine.client.getResult('nobody', '1s'),
      'ERR_DURABLE_INSTANCE_NOT_FOUND',
      404,
      /"nobody"/,
    ],
    ['a bad time limit', () => engine.client.getResult('open', 'soon'), 'ERR_DURABLE_OPTION', 400, /timeout is "soon"/],
    [
      'a result that does not come in time',
      () => engine.client.getResult('open', 20),
      'ERR_DURABLE_WAIT_TIMEOUT',
      504,
      /runs on/,
    ],
    [
      'KV of an unknown instance',
      () => engine.client.getKvValue('nobody', 'k'),
      'ERR_DURABLE_INSTANCE_NOT_FOUND',
      404,
      /"nobody"/,
    ],
    [
      'a page of no size',
      () => engine.client.management.listInstances({}, { limit: 0 }),
      'ERR_DURABLE_OPTION',
      400,
      /limit is 0/,
    ],
    [
      'a made-up cursor',
      () => engine.client.management.listInstances({}, { cursor: 'zzz' }),
      'ERR_DURABLE_OPTION',
      400,
      /cursor/,
    ],
    [
      'the history of an unknown instance',
      () => engine.client.management.readExecutionHistory('nobody'),
      'ERR_DURABLE_INSTANCE_NOT_FOUND',
      404,
      /"nobody"/,
    ],
  ])('answers %s at once, with code, value and what to do', async (_, call, code, status, message) => {
    const error = await call().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code, statusCode: status, status, expose: true });
    expect((error as Error).message).toMatch(message);
  });

  it('leaves the instance of a duplicate start untouched', async () => {
    const before = await engine.client.getOrchestrationStatus('open');
    await expect(engine.client.startOrchestration('Echo', 2, { instanceId: 'open' })).rejects.toMatchObject({
      code: 'ERR_DURABLE_INSTANCE_EXISTS',
    });
    expect(await engine.client.getOrchestrationStatus('open')).toEqual(before);
    await engine.client.startOrchestration('Echo', 2, { instanceId: 'open', idReuse: 'return-existing' });
    expect((await engine.client.getOrchestrationStatus('open')).orchestrationName).toBe('Wait');
  });

  it('restarts a finished instance with nothing of its old life', async () => {
    await (await engine.client.startOrchestration('Echo', 'one', { instanceId: 'again' })).result();
    const handle = await engine.client.startOrchestration('Echo', 'two', {
      instanceId: 'again',
      idReuse: 'restart-if-finished',
    });
    expect(await handle.result({ timeout: '10s' })).toBe('two');
    expect((await engine.client.management.readExecutionHistory('again')).items.map(({ kind }) => kind)).toEqual([
      'OrchestrationStarted',
      'OrchestrationCompleted',
    ]);
  });

  it('ignores an event to a finished instance where that is asked for', async () => {
    await expect(engine.client.raiseEvent('done', 'go', 1, { ifFinished: 'ignore' })).resolves.toBeUndefined();
    await eventually(async () => (await engine.client.management.findStuck()).length === 0);
  });
});
