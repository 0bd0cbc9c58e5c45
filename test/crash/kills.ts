import { Random } from './random.js';
import { pause } from './shapes.js';
import { percent, storeFigures, type Report, type Stage } from './stage.js';
import { stateAt, type VictimProcess } from './victim-process.js';

/** Kills that hit something: a turn, a commit, an activity. */
const LEAST_SHARE_IN_FLIGHT = 0.3;
const KILLS_OF_THE_OTHER = 0.08;

interface Kill {
  readonly life: number;
  readonly when: 'boot' | 'work' | 'drain';
  readonly afterMs: number;
  readonly state: string;
}

/**
 * Ends the engine at random instants, while it starts, works, or drains, beside a process that starts and sends all the
 * time and is killed now and then, too.
 */
export class KillCampaign {
  private readonly random: Random;
  private readonly landed: Kill[] = [];
  private bootMs = 400;
  private drained = 0;
  private killsBeside = 0;

  constructor(private readonly stage: Stage) {
    this.random = new Random(stage.seed);
  }

  async run(kills: number): Promise<Report> {
    const { stage } = this;
    let beside = await this.besideReady();
    for (let kill = 1; kill <= kills; kill++) {
      await this.live();
      const both = this.random.next() < KILLS_OF_THE_OTHER;
      if (both) await beside.kill('SIGKILL');
      await stage.look(both ? [] : [beside], kill % 10 === 0);
      if (!both) continue;
      this.killsBeside++;
      beside = stage.beside();
    }
    const finishMs = await stage.finish(beside);
    return this.report(kills, await stage.check(), finishMs);
  }

  /** It makes the file, where it is first. */
  private async besideReady(): Promise<VictimProcess> {
    const beside = this.stage.beside();
    await this.stage.ready(beside);
    return beside;
  }

  private async live(): Promise<void> {
    const { stage, random } = this;
    const begunAt = performance.now();
    const engine = stage.engine();
    const chance = random.next();
    const when = chance < 0.15 ? 'boot' : chance < 0.3 ? 'drain' : 'work';
    let afterMs = random.between(5, 400);
    const drainMs = random.between(0, 60);
    if (when === 'boot') afterMs = Math.round(this.bootMs * (0.3 + 0.8 * random.next()));
    else if (await stage.ready(engine)) this.bootMs = performance.now() - begunAt;
    await Promise.race([pause(afterMs), engine.exit]);
    if (when === 'drain') {
      void engine.kill('SIGTERM');
      await Promise.race([pause(drainMs), engine.exit]);
    }
    const exit = await engine.kill('SIGKILL');
    if (when === 'drain' && exit.code === 0) this.drained++;
    else if (exit.signal !== 'SIGKILL')
      stage.violations.push(`life ${stage.lives} ended by itself: ${JSON.stringify(exit)}`);
    if (exit.signal === 'SIGKILL')
      this.landed.push({ life: stage.lives, when, afterMs, state: stateAt(stage.paths.state) });
  }

  private report(kills: number, figures: Record<string, number>, finishMs: number): Report {
    const { stage, landed } = this;
    const inActivity = stage.livesInActivities();
    const count = (holds: (kill: Kill) => boolean): number => landed.filter(holds).length;
    const inFlight = count((kill) => kill.state !== '-' || inActivity.has(kill.life));
    if (inFlight < LEAST_SHARE_IN_FLIGHT * landed.length)
      stage.violations.push(`only ${inFlight} of ${landed.length} kills hit something in flight`);
    if (figures['starts']! < kills) stage.violations.push(`only ${figures['starts']} starts were acknowledged`);
    return {
      violations: stage.violations,
      figures: {
        kills: landed.length,
        'kills while booting': count(({ when }) => when === 'boot'),
        'kills while draining': count(({ when }) => when === 'drain'),
        'drained before the kill came': this.drained,
        'kills in a commit': count(({ state }) => state === 'c'),
        'kills in a turn': count(({ state }) => state === 't'),
        'kills with activities running': count(({ life }) => inActivity.has(life)),
        'kills in flight': percent(inFlight, landed.length),
        'kills of the process beside it': this.killsBeside,
        ...storeFigures(figures),
        'most crashes counted, instance': stage.most.instanceCrashes,
        'most crashes counted, activity': stage.most.activityCrashes,
        'last life, s': (finishMs / 1_000).toFixed(1),
      },
    };
  }
}
