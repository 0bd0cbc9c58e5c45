import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { DurableClient } from '../../lib/client/index.js';
import { DurableRuntime, type EngineOptions } from '../../lib/runtime/index.js';
import { buildInto } from '../replay/built-lib.js';
import { eventually, temporaryDirectory } from '../support/engine.js';
import { memberRegistry, type MemberSettings, type Order, type Report } from './member.js';
import { describeOnPostgres, postgresUrl, Schema } from './server.js';

// Real processes on one database, killed and stopped.

let built: ReturnType<typeof temporaryDirectory>;
let schema: Schema;
let members: Member[];
let client: DurableClient;
let clients: DurableRuntime;

class Member {
  readonly reports: (Report & { readonly at: number })[] = [];
  private readonly child: ChildProcess;

  constructor(options: EngineOptions) {
    const settings: MemberSettings = { url: postgresUrl(), schema: schema.name, options };
    this.child = fork(join(built.path, 'test/postgres/member.js'), ['member', JSON.stringify(settings)], {
      execArgv: ['--enable-source-maps'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    this.child.on('message', (report: Report) => this.reports.push({ ...report, at: performance.now() }));
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  order(order: Order): void {
    this.child.send(order);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** The first report of this kind from then on. */
  says<K extends Report['kind']>(kind: K, after = -Infinity): Promise<Extract<Report, { kind: K }> & { at: number }> {
    return eventually(
      () => this.reports.find((report) => report.kind === kind && report.at > after),
      Boolean,
      15_000,
    ) as Promise<Extract<Report, { kind: K }> & { at: number }>;
  }

  steps(after = -Infinity): number {
    return this.reports.filter((report) => report.kind === 'step' && report.at > after).length;
  }

  logs(): string[] {
    return this.reports.flatMap((report) => (report.kind === 'log' ? [report.message] : []));
  }

  logged(pattern: RegExp): boolean {
    return this.logs().some((line) => pattern.test(line));
  }
}

async function member(name: string, options: EngineOptions = {}): Promise<Member> {
  const started = new Member({ nodeName: name, shutdownGrace: 0, ...options });
  members.push(started);
  await started.says('ready');
  return started;
}

const ids = (count: number, prefix = 'chain'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
const STEPS = 30;
const SUM = (STEPS * (STEPS + 1)) / 2;

const resultsOf = (instances: readonly string[]): Promise<unknown[]> =>
  Promise.all(instances.map((id) => client.getResult(id, '15s')));

describeOnPostgres('a fleet', () => {
  beforeAll(() => {
    built = temporaryDirectory();
    buildInto(built.path, ['lib', 'test/postgres']);
  });
  afterAll(() => built.remove());

  beforeEach(async () => {
    schema = new Schema();
    members = [];
    clients = new DurableRuntime({
      provider: schema.providerWith(),
      registry: memberRegistry(() => undefined),
      runsInstances: false,
      nodeName: 'client',
    });
    await clients.start();
    client = new DurableClient(clients);
  });
  afterEach(async () => {
    for (const { signal } of members.map((one) => ({ signal: one.signal.bind(one) }))) signal('SIGKILL');
    await clients.stop();
    await schema.close();
  });

  it('goes on within three seconds with what a killed process ran, and loses and repeats no recorded step', async () => {
    const a = await member('a');
    const b = await member('b');
    const chains = ids(50);
    a.order({ kind: 'start', name: 'chain', ids: chains, input: STEPS });
    await eventually(() => a.steps() > 200);
    const killedAt = performance.now();
    a.signal('SIGKILL');
    const stepsOfB = b.steps();
    await eventually(() => b.steps() > stepsOfB);
    const first = b.reports.filter((report) => report.kind === 'step')[stepsOfB]!;
    expect(first.at - killedAt).toBeLessThan(3_000);
    expect(await resultsOf(chains)).toEqual(chains.map(() => SUM));
    // Only what was on its way when the process died may have run twice.
    expect(a.steps() + b.steps()).toBeLessThanOrEqual(50 * STEPS + 2 * 50);
    expect(await clients.store.findStuck()).toEqual([]);
  });

  it('refuses all that a process writes that was stopped beyond its lease, which then works on', async () => {
    const a = await member('a', { lease: '3s' });
    const b = await member('b', { lease: '3s' });
    const chains = ids(20);
    a.order({ kind: 'start', name: 'chain', ids: chains, input: STEPS });
    await eventually(() => a.steps() > 60);
    a.signal('SIGSTOP');
    const stoppedAt = performance.now();
    expect(await resultsOf(chains)).toEqual(chains.map(() => SUM));
    expect(b.steps(stoppedAt)).toBeGreaterThan(0);
    const before = await schema.sql(`SELECT instance_id, turn, updated_at FROM $.durable_instance ORDER BY 1`);
    a.signal('SIGCONT');
    await eventually(() => a.logged(/was declared dead/));
    await eventually(
      () => a.logs(),
      (lines) => lines.filter((line) => line.startsWith('running on')).length === 2,
    );
    expect(await schema.sql(`SELECT instance_id, turn, updated_at FROM $.durable_instance ORDER BY 1`)).toEqual(before);
    const restartedAt = performance.now();
    a.order({ kind: 'start', name: 'chain', ids: ['afterwards'], input: 3 });
    await a.says('started', restartedAt);
    expect(await resultsOf(['afterwards'])).toEqual([6]);
    expect(a.reports.some((report) => report.kind === 'step' && report.instanceId === 'afterwards')).toBe(true);
  });

  it('wakes the owner of an instance when another process raises an event, without anybody polling', async () => {
    const a = await member('a', { pollBusy: '10m', pollIdle: '10m' });
    await member('b', { pollBusy: '10m', pollIdle: '10m' });
    const waiting = ids(5, 'wait');
    a.order({ kind: 'start', name: 'wait', ids: waiting, input: null });
    await a.says('started');
    for (const id of waiting) await client.raiseEvent(id, 'go', id);
    expect(await resultsOf(waiting)).toEqual(waiting);
  });

  it('starts what a client that runs nothing asks for, without anybody polling', async () => {
    await member('a', { pollBusy: '10m', pollIdle: '10m' });
    const handle = await client.startOrchestration('chain', 3, { instanceId: 'asked' });
    expect(await handle.result({ timeout: '10s' })).toBe(6);
  });

  it('keeps its members alive and awake when all their connections are cut', async () => {
    const a = await member('a', { pollBusy: '10m', pollIdle: '10m' });
    const b = await member('b', { pollBusy: '10m', pollIdle: '10m' });
    const chains = ids(20);
    a.order({ kind: 'start', name: 'chain', ids: chains, input: STEPS });
    for (let cut = 0; cut < 3; cut++) {
      const steps = a.steps() + b.steps();
      await eventually(() => a.steps() + b.steps() > steps + 100);
      await schema.sql(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`,
      );
    }
    expect(await resultsOf(chains)).toEqual(chains.map(() => SUM));
    expect(a.logged(/declared dead/) || b.logged(/declared dead|took over/)).toBe(false);
    const handle = await client.startOrchestration('wait', null, { instanceId: 'afterwards' });
    await handle.raiseEvent('go', 'heard');
    expect(await handle.result({ timeout: '10s' })).toBe('heard');
  });

  it('hands its work on at once when a process is asked to end', async () => {
    const a = await member('a', { pollBusy: '10m', pollIdle: '10m' });
    const b = await member('b', { pollBusy: '10m', pollIdle: '10m' });
    const chains = ids(20);
    a.order({ kind: 'start', name: 'chain', ids: chains, input: STEPS });
    await eventually(() => a.steps() > 60);
    a.order({ kind: 'stop' });
    expect(await resultsOf(chains)).toEqual(chains.map(() => SUM));
    expect(b.steps()).toBeGreaterThan(0);
  });

  it('suspends an instance that kills whoever runs it, and nobody beside it', async () => {
    await client.startOrchestration('poison', null, { instanceId: 'poison' });
    const neighbours = ids(3, 'wait');
    for (const id of neighbours) await client.startOrchestration('wait', null, { instanceId: id });
    const isOver = async (): Promise<boolean> => (await clients.store.status('poison'))?.status === 'Suspended';
    for (let deaths = 0; !(await isOver()); deaths++) {
      expect(deaths).toBeLessThan(8);
      const next = new Member({ nodeName: `m${deaths}`, maxCrashes: 3 });
      members.push(next);
      await eventually(async () => next.hasEnded || (await isOver()), Boolean, 20_000);
    }
    expect((await clients.store.status('poison'))!.suspension).toMatchObject({ code: 'ERR_DURABLE_POISONED' });
    for (const id of neighbours) await client.raiseEvent(id, 'go', id);
    expect(await resultsOf(neighbours)).toEqual(neighbours);
  }, 90_000);

  it('fires a timer once whose instance nobody owned, though every engine has read it', async () => {
    const a = await member('a');
    const handle = await client.startOrchestration('sleep', 6_000, { instanceId: 'sleeper' });
    await eventually(async () => (await handle.status()).status === 'Running');
    const b = await member('b');
    a.signal('SIGKILL');
    expect(await handle.result({ timeout: '15s' })).toBe(1);
    expect(b.steps()).toBe(1);
  });
});
