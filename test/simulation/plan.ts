import { randomOf } from './chance.js';
import { drawFaults, type CallFaults } from './faults.js';
import { drawProgram, type Features } from './draw-program.js';
import { isEndless, type Program } from './program.js';
import type { Random } from './chance.js';

export type StoreKind = 'sqlite' | 'model';
/** `alone`: SQLite with one engine and nobody beside it, whose commits would make it look around. */
export type Setting = StoreKind | 'alone';

/** Everything that is asked of a run, from a seed; what is taken out of it does not change how the rest is drawn. */
export interface Plan {
  readonly seed: number;
  readonly store: StoreKind;
  /** Several engines at once: always on the model; on a file as if its lock held nobody off. */
  readonly fleet: boolean;
  readonly nodes: readonly NodePlan[];
  readonly instances: readonly InstancePlan[];
  readonly faults: CallFaults;
  readonly incidents: readonly Incident[];
  /** When everything heals. */
  readonly healAt: number;
  readonly settings: {
    readonly cacheSize: number;
    readonly activityConcurrency: number;
    readonly activityBacklog: number;
  };
  /** Of the model; SQLite has one. */
  readonly lanes: number;
}

export interface NodePlan {
  readonly name: string;
  readonly engine: boolean;
  readonly startAt: number;
  readonly skewMs: number;
}

export interface InstancePlan {
  readonly id: string;
  readonly program: Program;
  readonly at: number;
  /** Started under the same id by somebody else at about the same time. */
  readonly rival?: Program;
  /** Started again under its id when it has finished. */
  readonly again?: Program;
  readonly end?: { readonly by: 'cancel' | 'terminate'; readonly at: number };
  readonly suspend?: { readonly at: number; readonly forMs: number };
}

export type Incident =
  | { readonly kind: 'crash' | 'stop' | 'pause'; readonly node: string; readonly at: number; readonly forMs: number }
  /** Its clock goes forward, or its lock on the file vanishes while it works on. */
  | { readonly kind: 'jump' | 'lose-lock'; readonly node: string; readonly at: number; readonly forMs: number };

export function drawPlan(seed: number, setting: Setting): Plan {
  const store = setting === 'alone' ? 'sqlite' : setting;
  const random = randomOf(seed, 'plan');
  const calm = random.next() < 0.1;
  const healAt = random.between(500, 6_000);
  const drawn = drawNodes(random, healAt);
  const nodes = setting === 'alone' ? drawn.slice(0, 1) : drawn;
  return {
    seed,
    store,
    fleet: store === 'model' || random.next() < 0.5,
    nodes,
    instances: drawInstances(seed, random, healAt),
    faults: drawFaults(random, calm),
    incidents: calm ? [] : drawIncidents(random, nodes, healAt),
    healAt,
    settings: {
      cacheSize: random.of([1, 1, 2, 100]),
      activityConcurrency: random.of([1, 2, 50]),
      activityBacklog: random.of([0, 4, 100]),
    },
    lanes: random.between(1, 3),
  };
}

function drawNodes(random: Random, healAt: number): NodePlan[] {
  const engines = random.between(1, 3);
  const clients = random.between(0, 2);
  return [
    ...Array.from({ length: engines }, (_, index) => ({
      name: `engine${index + 1}`,
      engine: true,
      startAt: index === 0 ? 0 : random.between(0, healAt),
    })),
    ...Array.from({ length: clients }, (_, index) => ({ name: `client${index + 1}`, engine: false, startAt: 0 })),
  ].map((node) => ({ ...node, skewMs: random.next() < 0.7 ? 0 : random.between(-2_000, 2_000) }));
}

function drawInstances(seed: number, random: Random, healAt: number): InstancePlan[] {
  const features: Features = {
    random,
    deep: random.next() < 0.5,
    flaky: random.next() < 0.6,
    deadly: random.next() < 0.2,
  };
  return Array.from({ length: random.between(1, random.next() < 0.7 ? 3 : 7) }, (_, index) => {
    const id = `i${index + 1}`;
    const draw = (name: string, of = name): Program =>
      drawProgram({ ...features, random: randomOf(seed, `program ${of}`) }, name);
    const program = draw(id);
    const rival = random.next() < 0.1 ? draw(`${id}r`) : undefined;
    // Often the same once more: what belongs to the first life would fit the second.
    const again = random.next() < 0.25 ? draw(`${id}b`, random.next() < 0.6 ? id : `${id}b`) : undefined;
    const endless = [program, rival, again].some((one) => one !== undefined && isEndless(one));
    const at = random.between(0, Math.floor(healAt / 2));
    return {
      id,
      program,
      at,
      ...(rival !== undefined && { rival }),
      ...(again !== undefined && { again }),
      ...((endless || random.next() < 0.2) && {
        end: { by: random.next() < 0.7 ? 'cancel' : 'terminate', at: at + random.between(0, healAt) } as const,
      }),
      ...(random.next() < 0.35 && {
        suspend: { at: at + random.between(0, 1_000), forMs: random.between(1, 2_000) },
      }),
    };
  });
}

function drawIncidents(random: Random, nodes: readonly NodePlan[], healAt: number): Incident[] {
  const kinds = (['crash', 'stop', 'pause', 'jump', 'lose-lock'] as const).filter(() => random.next() < 0.5);
  if (kinds.length === 0) return [];
  return Array.from({ length: random.between(0, 8) }, () => ({
    kind: random.of(kinds),
    node: random.of(nodes).name,
    at: random.between(1, healAt),
    forMs: random.next() < 0.7 ? random.between(0, 200) : random.between(200, 8_000),
  }));
}
