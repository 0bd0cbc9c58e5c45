import { httpP99 } from './http.js';
import { recovery } from './recovery.js';
import { waitingCpu, waitingMemory } from './waiting.js';
import { chain, fanOut, hello, oneChain, roundTrips } from './workloads.js';

const RUNS = 5;
const WARM_UP_RUNS = 4;

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1]!;

async function medianOf(work: () => Promise<number>): Promise<{ value: number; note: string }> {
  for (let run = 0; run < WARM_UP_RUNS; run++) await work(); // the compiler settles after about a second
  const values: number[] = [];
  for (let run = 0; run < RUNS; run++) values.push(await work());
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return { value: median(values), note: `${least.toPrecision(4)} to ${most.toPrecision(4)}` };
}

async function chainRatio(): Promise<{ value: number; note: string }> {
  const short = (await medianOf(() => oneChain(100))).value;
  const middle = (await medianOf(() => oneChain(1_000))).value;
  const long = (await medianOf(() => oneChain(10_000))).value;
  return {
    value: long / short,
    note: `${Math.round(short)}, ${Math.round(middle)}, ${Math.round(long)} steps/s at 100, 1,000, 10,000`,
  };
}

async function roundTrip(): Promise<{ value: number; note: string }> {
  const times = await roundTrips(500);
  return { value: median(times), note: `p99 ${times[Math.floor(times.length * 0.99)]!.toFixed(2)}` };
}

const WORKLOADS: Readonly<Record<string, () => Promise<{ value: number; note: string }>>> = {
  hello: () => medianOf(hello),
  chain: () => medianOf(chain),
  'fan-out': () => medianOf(fanOut),
  'chain-ratio': chainRatio,
  'round-trip': roundTrip,
  'waiting-memory': waitingMemory,
  'waiting-cpu': waitingCpu,
  recovery,
  'http-p99': httpP99,
};

const name = process.argv[2] ?? '';
const workload = WORKLOADS[name];
if (workload === undefined)
  throw new Error(`no workload ${JSON.stringify(name)}: ${Object.keys(WORKLOADS).join(', ')}`);
console.log(JSON.stringify(await workload()));
process.exit(0);
