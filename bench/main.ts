import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { fsyncRate } from './fsync.js';

/**
 * `npm run bench [-- name ...]`: each figure is the median of 5 runs on fresh SQLite files (`synchronous=FULL`), all in one
 * session, beside the rate at which this disk syncs. Every workload runs in a process of its own.
 */
interface Row {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly target: string;
  readonly reached: (value: number) => boolean;
}

const atLeast = (minimum: number): Pick<Row, 'target' | 'reached'> => ({
  target: `>= ${minimum.toLocaleString('en')}`,
  reached: (value) => value >= minimum,
});
const below = (maximum: number): Pick<Row, 'target' | 'reached'> => ({
  target: `< ${maximum.toLocaleString('en')}`,
  reached: (value) => value < maximum,
});

const ROWS: readonly Row[] = [
  { name: 'hello', what: '2,000 instances of one activity, 50 at a time', unit: 'instances/s', ...atLeast(12_000) },
  { name: 'chain', what: '200 instances of 20 sequential activities', unit: 'steps/s', ...atLeast(50_000) },
  { name: 'fan-out', what: '50 instances of 100 parallel activities', unit: 'activities/s', ...atLeast(90_000) },
  {
    name: 'chain-ratio',
    what: 'one chain: steps/s at 10,000 steps over steps/s at 100',
    unit: 'ratio',
    ...atLeast(0.9),
  },
  { name: 'round-trip', what: 'start to result of one hello, idle engine, p50', unit: 'ms', ...below(1.5) },
  {
    name: 'waiting-memory',
    what: '100,000 instances that wait, evicted: growth of the process',
    unit: 'MB',
    ...below(50),
  },
  { name: 'waiting-cpu', what: '100,000 instances that wait: CPU while idle', unit: '%', ...below(1) },
  {
    name: 'recovery',
    what: '10,000 instances mid-chain, SIGKILL: until the first resumed step',
    unit: 's',
    ...below(2),
  },
  { name: 'http-p99', what: 'sample application under full load: p99 of a status request', unit: 'ms', ...below(20) },
];

interface Measured {
  readonly value: number;
  readonly note: string;
}

function measure(name: string): Promise<Measured> {
  const script = fileURLToPath(new URL('./run-one.js', import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--expose-gc', script, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output.trim().split('\n').at(-1)!) as Measured);
      else reject(new Error(`${name} ended with code ${code}`));
    });
  });
}

const wanted = process.argv.slice(2);
console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`);
console.log(`fdatasync of 4 KiB: ${Math.round(fsyncRate()).toLocaleString('en')}/s\n`);
let missed = 0;
for (const row of ROWS) {
  if (wanted.length > 0 && !wanted.includes(row.name)) continue;
  const { value, note } = await measure(row.name);
  if (!row.reached(value)) missed++;
  const shown = value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
  console.log(
    `${row.name.padEnd(15)} ${shown.padStart(9)} ${row.unit.padEnd(13)} target ${row.target.padEnd(10)} ${row.reached(value) ? 'reached' : 'MISSED '}  ${row.what}${note === '' ? '' : ` (${note})`}`,
  );
}
console.log(`fdatasync of 4 KiB: ${Math.round(fsyncRate()).toLocaleString('en')}/s at the end`);
if (missed > 0) console.log(`${missed} target(s) missed on this machine at this load`);
