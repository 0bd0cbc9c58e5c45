import { chain, fanOut, hello, oneChain, roundTrips } from './workloads.js';

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
async function medianOf(runs: number, work: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let run = 0; run < runs; run++) values.push(await work());
  return median(values);
}
const runs = 3;
console.log('hello', Math.round(await medianOf(runs, hello)));
console.log('chain', Math.round(await medianOf(runs, chain)));
console.log('fan-out', Math.round(await medianOf(runs, fanOut)));
for (const n of [100, 1000, 10000]) console.log('one chain', n, Math.round(await medianOf(runs, () => oneChain(n))));
const t = await roundTrips(300);
console.log('round trip p50', t[150], 'p99', t[297]);
