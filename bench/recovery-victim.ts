import { inParallel, startBenchEngine } from './engine.js';

const [file, instances] = [process.argv[2]!, Number(process.argv[3])];
// The sixth step of each chain takes a slot and keeps it.
const engine = await startBenchEngine(file, { activityConcurrency: instances + 200 });
await inParallel(instances, 1_000, (index) =>
  engine.client.startOrchestration('gated-chain', 20, { instanceId: `chain-${index}` }),
);
// Each chain stands after its fifth step, at an activity that does not return in this process.
while (engine.runtime.counters.activitiesRun < 5 * instances) await new Promise((resolve) => setTimeout(resolve, 10));
process.send!('under way');
