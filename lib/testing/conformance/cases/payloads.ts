import { strict as assert } from 'node:assert';
import { has, same } from '../check.js';
import * as is from '../items.js';
import { table, theme } from '../world.js';

const deep = (levels: number): string => `${'['.repeat(levels)}1${']'.repeat(levels)}`;

/** Texts of payloads on which databases, drivers and bulk formats break. */
const PAYLOADS: readonly (readonly [what: string, payload: string])[] = [
  ['an empty text', ''],
  ['the text null', 'null'],
  ['the text true', 'true'],
  ['a number beyond 2^53', '9007199254740993'],
  ['a number with an exponent', '1e400'],
  ['an escaped NUL', '"a\\u0000b"'],
  ['an escaped lone surrogate', '"\\ud800"'],
  ['emoji and astral letters', '"😀𐍈👨‍👩‍👧"'],
  ['combining and right-to-left letters', '"e\u0301 שלום \u202e"'],
  ['line separators', '"\u2028\u2029\u0085"'],
  ['quotes, backslashes and placeholders', `"it's \\\\ \\" ? ?1 $1 :x @y %s"`],
  ['SQL', `"'; DROP TABLE durable_instance; --"`],
  ['blanks at both ends', '  {"a": 1}\n\t '],
  ['a byte order mark', '\ufeff{}'],
  ['no JSON at all', 'not {json'],
  ['5,000 levels', deep(5_000)],
  ['1 MiB', JSON.stringify('x'.repeat(1024 * 1024))],
  ['1 MiB of letters of three bytes', JSON.stringify('€'.repeat(350_000))],
];

export const payloadCases = [
  ...theme(
    'a payload',
    table(
      PAYLOADS,
      ([what]) => `of ${what} comes back as it went in, wherever it is stored`,
      async (world, [, payload]) => {
        const a = await world.node('a');
        await a.accepted(is.start('i', { input: payload }), is.start('j'));
        await a.commit(is.send('i', is.event('e', payload)), is.send('i', is.queued('q', payload)));
        const recorded = is.events(1, 1, { kind: 'KvSet', key: 'k', value: payload });
        await a.accepted(
          is.firstTurn('j', {
            history: recorded,
            kv: [{ key: 'k', value: payload }],
            customStatus: payload,
            activities: [is.activity(1, { args: payload, options: JSON.stringify({ data: payload }) })],
            children: [is.child('c', { input: payload })],
          }),
        );
        const [start, event, message] = await a.messages('i');
        has(start as { input: string }, { input: payload });
        same([event, message], [is.event('e', payload), is.queued('q', payload)]);
        same((await a.load('j')).history, [{ id: 1, kind: 'KvSet', key: 'k', value: payload }]);
        assert.equal(await a.provider.kv('j', 'k'), payload);
        assert.equal((await a.status('j')).customStatus, payload);
        has((await a.messages('c'))[0] as { input: string }, { input: payload });
        const [held] = await a.claim();
        same([held!.args, held!.options], [payload, JSON.stringify({ data: payload })]);
        await a.accepted(is.complete(held!, payload));
        has((await a.messages('j'))[0] as { result: string }, { result: payload });
        await a.accepted(is.ending('j', 1, { ending: { status: 'Completed', output: payload } }));
        assert.equal((await a.status('j')).output, payload);
      },
    ),
  ),
  ...theme('texts of errors', {
    'with NUL, lone surrogates and all else come back as they are': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'), is.start('j'));
      const failure = {
        ...is.failure('a\u0000b \ud800 😀'),
        stack: '\u0000',
        cause: is.failure('\udfff'),
        data: '"\\u0000"',
      };
      await a.accepted(is.firstTurn('i', { activities: [is.activity(1, { lastFailure: failure })] }));
      const [held] = await a.claim();
      await a.accepted(is.retry(held!, 1_000, failure));
      const [again] = await a.claim();
      const message = { kind: 'activity-completion', ...is.schedule(1), attempts: 2, failure } as const;
      await a.accepted({ ...is.complete(again!), message });
      same(await a.messages('i'), [message]);
      await a.accepted(is.ending('j', 0, { ending: { status: 'Failed', failure } }));
      same((await a.status('j')).failure, failure);
    },
    'of a hundred nested causes are kept': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      let failure = is.failure('bottom');
      for (let n = 0; n < 100; n++) failure = { ...is.failure(`cause ${n}`), cause: failure };
      await a.accepted(is.ending('i', 0, { ending: { status: 'Failed', failure } }));
      same((await a.status('i')).failure, failure);
    },
  }),
  ...theme('large batches', {
    'of 4 MiB are taken': async (world) => {
      const a = await world.node('a');
      await a.accepted(is.start('i'));
      const data = JSON.stringify('y'.repeat(64 * 1024));
      await a.commit(...Array.from({ length: 64 }, () => is.send('i', is.event('big', data))));
      const stored = await a.provider.bufferedMessages(is.keyOf('i'), 'external-event', 'big', 100);
      assert.equal(stored.filter(({ message }) => 'data' in message && message.data === data).length, 64);
    },
    'of 1,000 items of all kinds are taken': async (world) => {
      const a = await world.node('a');
      const ids = Array.from({ length: 250 }, (_, n) => `i${n}`);
      await a.accepted(...ids.map((id) => is.start(id)));
      const items = ids.flatMap((id) => [
        is.firstTurn(id, {
          history: is.history('OrchestrationStarted'),
          timers: [is.timer(1, 9)],
          activities: [is.activity(2)],
        }),
        is.send(id),
        is.start(`${id}b`),
        is.send('nobody'),
      ]);
      const kinds = await a.kinds(...items);
      same(kinds.filter((kind) => kind === 'accepted').length, 750);
      assert.equal((await a.provider.timers(null, 10, 1_000)).length, 250);
      assert.equal((await a.claim(1_000)).length, 250);
    },
  }),
  ...theme(
    'a name of 256 characters',
    table(
      [
        ['plain letters', 'n'.repeat(256)],
        ['letters of three bytes', '€'.repeat(256)],
        ['emoji', '😀'.repeat(128)],
      ] as const,
      ([what]) => `of ${what} is kept everywhere a name is`,
      async (world, [, name]) => {
        const a = await world.node('a');
        await a.accepted(is.start(name, { name }));
        const tagged = is.activity(1, { name, tag: name });
        await a.accepted(is.firstTurn(name, { activities: [tagged], kv: [{ key: name, value: '1' }] }));
        await a.commit(is.send(name, is.event(name)));
        has(await a.status(name), { instanceId: name, name, generation: is.generationOf(name) });
        has((await a.claim(1, [name], [name]))[0], { name, tag: name, instanceId: name });
        assert.equal(await a.provider.kv(name, name), '1');
        assert.equal((await a.provider.bufferedMessages(is.keyOf(name), 'external-event', name, 9)).length, 1);
        same((await a.provider.list({ idPrefix: name, name }, { limit: 9 })).items.length, 1);
      },
    ),
  ),
];
