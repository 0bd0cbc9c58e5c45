import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fsyncRate } from './fsync.js';

/**
 * `npm run bench [-- --db postgres] [name ...]`: each figure is the median of 5 runs on fresh SQLite files (`synchronous=FULL`), all in one
 * session, beside the rate at which this disk syncs. With `--db postgres` on fresh schemas of a server with its defaults
 * (BENCH_POSTGRES_URL, or one that is started for it). Every workload runs in a process of its own.
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
    const child = spawn(process.execPath, ['--expose-gc', script, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: server === undefined ? process.env : { ...process.env, BENCH_POSTGRES_URL: server },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output.trim().split('\n').at(-1)!) as Measured);
      else reject(new Error(`${name} ended with code ${code}`));
    });
  });
}

/** What another database is held to; absent: it is not measured there. */
const ON_POSTGRES: Readonly<Record<string, Pick<Row, 'target' | 'reached'>>> = {
  hello: atLeast(8_000),
  chain: atLeast(30_000),
  'fan-out': atLeast(50_000),
  'chain-ratio': atLeast(0.9),
  'round-trip': below(3),
  'waiting-memory': below(50),
  'waiting-cpu': below(1),
  recovery: below(3),
};

const { values, positionals: wanted } = parseArgs({
  options: { db: { type: 'string', default: 'sqlite' } },
  allowPositionals: true,
});
const onPostgres = values.db === 'postgres';
if (!onPostgres && values.db !== 'sqlite') throw new Error(`--db ${values.db}: sqlite or postgres`);
const server = onPostgres ? await postgresServer() : undefined;

/** Ends with this process. */
async function postgresServer(): Promise<string> {
  const given = process.env['BENCH_POSTGRES_URL'];
  if (given !== undefined) return given;
  const script = fileURLToPath(new URL('../../scripts/postgres-server.mjs', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.unref();
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('the server did not start');
}

console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`);
console.log(`fdatasync of 4 KiB: ${Math.round(fsyncRate()).toLocaleString('en')}/s\n`);
let missed = 0;
const rows = onPostgres
  ? ROWS.filter(({ name }) => name in ON_POSTGRES).map((row) => ({ ...row, ...ON_POSTGRES[row.name]! }))
  : ROWS;
for (const row of rows) {
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
process.exit(0);
