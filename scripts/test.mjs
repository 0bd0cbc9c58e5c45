// The whole truth about this checkout, in one command: `npm test`.
// Runs the stages below in order, prints one line for each, and ends with the line `N passed, N failed`: the numbers of
// Jest and one for every other stage. A failed stage before Jest ends the run; what comes after Jest is always run.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const jestReport = `${root}.tmp/jest.json`;

// When a gate fails, the rest has nothing to say and is not run.
const stages = [
  { script: 'format:check', limitSeconds: 60, gate: true },
  { script: 'lint', limitSeconds: 60, gate: true },
  { script: 'typecheck', limitSeconds: 120, gate: true },
  { script: 'check:floors', limitSeconds: 60, gate: true },
  { script: 'test:types', limitSeconds: 120, gate: true },
  { script: 'build', limitSeconds: 180, gate: true },
  {
    script: 'test:unit',
    args: ['--ci', '--json', `--outputFile=${jestReport}`],
    limitSeconds: 840,
    live: true,
    count: countJest,
  },
  { script: 'check:package', limitSeconds: 60 },
  { script: 'test:pack', args: ['--built'], limitSeconds: 180 },
];

const total = { passed: 0, failed: 0, skipped: 0 };
let running;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupt(signal));

rmSync(jestReport, { force: true });
mkdirSync(`${root}.tmp`, { recursive: true });
const startedAt = Date.now();
let stopped = false;
for (const stage of stages) {
  if (stopped) {
    total.skipped++;
    console.log(`-       ${stage.script.padEnd(14)} not run`);
    continue;
  }
  const outcome = await run(stage);
  const counted = stage.count?.(outcome.ok) ?? { passed: Number(outcome.ok), failed: Number(!outcome.ok), skipped: 0 };
  for (const key of Object.keys(total)) total[key] += counted[key];
  if (counted.failed === 0) {
    console.log(`ok      ${stage.script.padEnd(14)} ${outcome.seconds} s`);
    continue;
  }
  if (outcome.output) console.log(outcome.output.trimEnd());
  console.log(
    `FAILED  ${stage.script.padEnd(14)} ${outcome.seconds} s (${outcome.reason ?? 'see above'}; again: npm run ${stage.script})`,
  );
  stopped = stage.gate === true;
}

console.log(`${stages.length} stages in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
const skipped = total.skipped === 0 ? '' : `, ${total.skipped} skipped`;
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed === 0 ? 0 : 1;

/** Runs `npm run <script>` in a process group of its own, so that nothing survives its time limit. Jest's output is shown live. */
function run({ script, args = [], limitSeconds, live = false }) {
  const begun = Date.now();
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const command = [...npm, 'run', '--silent', script, '--', ...args];
  const child = spawn(command[0], command.slice(1), {
    cwd: root,
    detached: true,
    stdio: ['ignore', live ? 'inherit' : 'pipe', live ? 'inherit' : 'pipe'],
  });
  running = child;
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  return new Promise((resolve) => {
    let reason;
    const limit = setTimeout(() => {
      reason = `stopped after ${limitSeconds} s`;
      killGroup(child, 'SIGKILL');
    }, limitSeconds * 1000);
    const end = (ok) => {
      clearTimeout(limit);
      running = undefined;
      killGroup(child, 'SIGKILL'); // whatever a stage has left behind
      resolve({ ok, output, reason, seconds: ((Date.now() - begun) / 1000).toFixed(1) });
    };
    child.on('error', (error) => {
      reason = error.message;
      end(false);
    });
    child.on('exit', (code) => (live ? end(code === 0) : undefined));
    child.on('close', (code) => (live ? undefined : end(code === 0)));
  });
}

function countJest(ok) {
  let report;
  try {
    report = JSON.parse(readFileSync(jestReport, 'utf8'));
  } catch {
    console.log('Jest has left no report.');
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  if (report.numPassedTests === 0) console.log('Jest has run no test.');
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && (!ok || report.numPassedTests === 0) ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // the group has ended
  }
}

function interrupt(signal) {
  if (running) killGroup(running, 'SIGKILL');
  console.log(`\nInterrupted by ${signal}.`);
  console.log(`${total.passed} passed, ${total.failed + 1} failed`);
  process.exit(130);
}
