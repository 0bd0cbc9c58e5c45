import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { DurableClient } from '../../lib/client/index.js';
import { DurableRuntime, type EngineOptions } from '../../lib/runtime/index.js';
import { memberRegistry, type Order, type Report } from '../postgres/member.js';
import { buildInto } from '../replay/built-lib.js';
import { eventually, temporaryDirectory } from '../support/engine.js';
import type { MemberSettings } from './member.js';
import { Database, describeOnMariadb } from './server.js';

// Real processes on one database, killed and stopped.

let built: ReturnType<typeof temporaryDirectory>;
let database: Database;
let members: Member[];
let client: DurableClient;
let clients: DurableRuntime;

class Member {
  readonly reports: Report[] = [];
  private readonly child: ChildProcess;

  constructor(options: EngineOptions) {
    const settings: MemberSettings = { provider: database.options(), options };
    this.child = fork(join(built.path, 'test/mariadb/member.js'), ['mariadb-member', JSON.stringify(settings)], {
      execArgv: ['--enable-source-maps'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    this.child.on('message', (report: Report) => this.reports.push(report));
  }

  order(order: Order): void {
    this.child.send(order);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  says(kind: Report['kind']): Promise<unknown> {
    return eventually(() => this.reports.find((report) => report.kind === kind), Boolean, 15_000);
  }

  get steps(): number {
    return this.reports.filter((report) => report.kind === 'step').length;
  }

  logged(pattern: RegExp): boolean {
    return this.reports.some((report) => report.kind === 'log' && pattern.test(report.message));
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
const STEPS = 20;
const SUM = (STEPS * (STEPS + 1)) / 2;
const NEVER_LOOKS = { pollBusy: '10m', pollIdle: '10m' } as const;

const resultsOf = (instances: readonly string[]): Promise<unknown[]> =>
  Promise.all(instances.map((id) => client.getResult(id, '15s')));

describeOnMariadb('a fleet', () => {
  beforeAll(() => {
    built = temporaryDirectory();
    buildInto(built.path, ['lib', 'test/mariadb', 'test/postgres']);
  });
  afterAll(() => built.remove());

  beforeEach(async () => {
    database = new Database();
    members = [];
    clients = new DurableRuntime({
      provider: database.providerWith(),
      registry: memberRegistry(() => undefined),
      runsInstances: false,
      nodeName: 'client',
    });
    await clients.start();
    client = new DurableClient(clients);
  });
  afterEach(async () => {
    for (const one of members) one.kill();
    await clients.stop();
    await database.close();
  });

  it('goes on within five seconds with what a killed process ran, and loses and repeats no recorded step', async () => {
    const a = await member('a');
    const b = await member('b');
    const chains = ids(50);
    a.order({ kind: 'start', name: 'chain', ids: chains, input: STEPS });
    await eventually(() => a.steps > 200);
    const killedAt = performance.now();
    a.kill();
    const stepsOfB = b.steps;
    await eventually(() => b.steps > stepsOfB);
    expect(performance.now() - killedAt).toBeLessThan(5_000);
    expect(await resultsOf(chains)).toEqual(chains.map(() => SUM));
    // Only what was on its way when the process died may have run twice.
    expect(a.steps + b.steps).toBeLessThanOrEqual(50 * STEPS + 2 * 50);
    expect(await clients.store.findStuck()).toEqual([]);
  });

  it('wakes the owner of an instance when another process raises an event, without the engine looking around', async () => {
    const a = await member('a', NEVER_LOOKS);
    await member('b', NEVER_LOOKS);
    const waiting = ids(5, 'wait');
    a.order({ kind: 'start', name: 'wait', ids: waiting, input: null });
    await a.says('started');
    for (const id of waiting) await client.raiseEvent(id, 'go', id);
    expect(await resultsOf(waiting)).toEqual(waiting);
  });

  it('starts what a client that runs nothing asks for, without the engine looking around', async () => {
    await member('a', NEVER_LOOKS);
    const handle = await client.startOrchestration('chain', 3, { instanceId: 'asked' });
    expect(await handle.result({ timeout: '10s' })).toBe(6);
  });

  it('keeps its members alive and awake when all their connections are cut', async () => {
    const a = await member('a', NEVER_LOOKS);
    const b = await member('b', NEVER_LOOKS);
    const chains = ids(20);
    a.order({ kind: 'start', name: 'chain', ids: chains, input: STEPS });
    for (let cut = 0; cut < 3; cut++) {
      const steps = a.steps + b.steps;
      await eventually(() => a.steps + b.steps > steps + 50);
      await database.cutConnections();
    }
    expect(await resultsOf(chains)).toEqual(chains.map(() => SUM));
    expect(a.logged(/declared dead/) || b.logged(/declared dead|took over/)).toBe(false);
    const handle = await client.startOrchestration('wait', null, { instanceId: 'afterwards' });
    await handle.raiseEvent('go', 'heard');
    expect(await handle.result({ timeout: '10s' })).toBe('heard');
  });

  it('hands its work on when a process is asked to end', async () => {
    const a = await member('a', NEVER_LOOKS);
    const b = await member('b', NEVER_LOOKS);
    const chains = ids(20);
    a.order({ kind: 'start', name: 'chain', ids: chains, input: STEPS });
    await eventually(() => a.steps > 60);
    a.order({ kind: 'stop' });
    expect(await resultsOf(chains)).toEqual(chains.map(() => SUM));
    expect(b.steps).toBeGreaterThan(0);
  });
});
