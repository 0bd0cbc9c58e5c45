import { setTimeout as systemTimer, clearTimeout } from 'node:timers';
import { ModelProvider, ModelStore, type ConformanceFixture, type ModelPorts } from '../../lib/testing/index.js';
import { SeededSchedule } from './seeded-schedule.js';

/** A model whose transactions take turns in an order drawn from the seed. */
export const modelFixture = (seed: number) => (): Promise<ConformanceFixture> => {
  const store = new ModelStore();
  const schedule = new SeededSchedule(seed);
  const opened: ModelProvider[] = [];
  return Promise.resolve({
    async provider() {
      const provider = new ModelProvider(store, portsOf(schedule), { name: `p${opened.length + 1}` });
      opened.push(provider);
      await provider.open();
      return provider;
    },
    damage: (what, instanceId) => Promise.resolve(store.damage(what, instanceId)),
    async close() {
      await Promise.all(opened.map((provider) => provider.close()));
    },
  });
};

export const portsOf = (schedule: SeededSchedule, more: Partial<ModelPorts> = {}): ModelPorts => ({
  schedule,
  chance: schedule.chance,
  setTimer: (callback, ms) => {
    const timer = systemTimer(callback, ms);
    return () => clearTimeout(timer);
  },
  ...more,
});
