import { describe, expect, it } from '@jest/globals';
import { StoreClock } from '../../lib/runtime/store-clock.js';

/** A host whose clock is ten minutes behind its store's. */
function skewed() {
  const host = { time: 1_000_000, now: () => host.time, mono: () => host.time - 900_000 };
  const clock = new StoreClock(host);
  return { host, clock, store: () => host.time + 600_000 };
}

describe('the clock of a node in a fleet', () => {
  it('shows the time of the host before it has asked, and the time of the store afterwards', async () => {
    const { host, clock, store } = skewed();
    expect(clock.now()).toBe(1_000_000);
    await clock.follow(async () => store());
    expect(clock.now()).toBe(1_600_000);
    host.time += 5;
    expect(clock.now()).toBe(1_600_005);
  });

  it('takes half of the way to the store for the age of its answer', async () => {
    const { host, clock, store } = skewed();
    await clock.follow(async () => {
      host.time += 40;
      const answer = store();
      host.time += 40;
      return answer;
    });
    expect(clock.now()).toBe(store());
  });

  it('leaves an answer aside that took too long to say when it was given', async () => {
    const { host, clock, store } = skewed();
    await clock.follow(async () => {
      host.time += 5_000;
      return store();
    });
    expect(clock.now()).toBe(host.time);
  });

  it('waits where it was ahead, and never goes back', async () => {
    const { host, clock } = skewed();
    await clock.follow(async () => host.time + 1_000);
    const shown = clock.now();
    await clock.follow(async () => host.time);
    expect(clock.now()).toBe(shown);
    host.time += 1_500;
    expect(clock.now()).toBe(host.time);
  });
});
