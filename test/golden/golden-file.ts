import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HistoryEvent } from '../../lib/core/history-event.js';

/** What one run of a golden program left in the store. */
export interface GoldenFile {
  /** `ENGINE_FORMAT` of the version that wrote it. */
  readonly format: number;
  readonly program: string;
  readonly recordedWith: { readonly version: string; readonly node: string };
  /** The program's own instance and whatever it started, by id. */
  readonly instances: readonly GoldenInstance[];
}

export interface GoldenInstance {
  readonly instanceId: string;
  readonly generation: string;
  /** The histories of its executions, from the first. */
  readonly executions: readonly (readonly HistoryEvent[])[];
}

export const fileName = (program: string, format: number): string => `${program}.format-${format}.json`;

/** The files of all formats, by name. */
export function goldenFiles(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /\.format-\d+\.json$/.test(name))
    .sort();
}

export function readGolden(directory: string, name: string): GoldenFile {
  const golden = JSON.parse(readFileSync(join(directory, name), 'utf8')) as GoldenFile;
  if (fileName(golden.program, golden.format) !== name)
    throw new Error(`${name} says of itself that it is ${fileName(golden.program, golden.format)}`);
  return golden;
}

/** One event a line, so that a difference is read at a glance. */
export function writeGolden(directory: string, { instances, ...head }: GoldenFile): void {
  const text = [
    `{`,
    ...Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},`),
    `  "instances": [`,
    instances.map(instanceText).join(',\n'),
    `  ]`,
    `}`,
  ];
  writeFileSync(join(directory, fileName(head.program, head.format)), `${text.join('\n')}\n`);
}

function instanceText({ executions, ...head }: GoldenInstance): string {
  const texts = executions.map(
    (events) => `        [\n${events.map((event) => `          ${JSON.stringify(event)}`).join(',\n')}\n        ]`,
  );
  const fields = Object.entries(head).map(([key, value]) => `      ${JSON.stringify(key)}: ${JSON.stringify(value)},`);
  return `    {\n${fields.join('\n')}\n      "executions": [\n${texts.join(',\n')}\n      ]\n    }`;
}
