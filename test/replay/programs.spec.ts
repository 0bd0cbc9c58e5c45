import { describe, expect, it } from '@jest/globals';
import { EXAMPLES } from './programs.js';
import { brief, perform, plain, whyNotReplayable, whyNotSound } from './support.js';

describe.each(EXAMPLES)('$name', ({ run, script, records }) => {
  it('is what the history tells', async () => {
    const { history, fault } = await perform(run, script);
    expect(fault).toBeUndefined();
    if (records.length > 0) expect(brief(history)).toEqual(records);
  });

  it('leaves sound histories', async () => {
    const { executions } = await perform(run, script);
    for (const { history } of executions) expect(whyNotSound(history)).toBeUndefined();
  });

  it('decides the same again from every prefix of its history', async () => {
    const { executions } = await perform(run, script);
    for (const recording of executions) expect(await whyNotReplayable(run, recording)).toBeUndefined();
  });

  it('records the same when every turn begins with a replay', async () => {
    const warm = await perform(run, script);
    const cold = await perform(run, { ...script, cold: true });
    expect(cold.fault).toBeUndefined();
    expect(cold.executions.map(({ history }) => plain(history))).toEqual(
      warm.executions.map(({ history }) => plain(history)),
    );
    expect(cold.kvAfter).toEqual(warm.kvAfter);
    expect(cold.discarded).toEqual(warm.discarded);
    expect(cold.logs).toEqual(warm.logs);
  });
});
