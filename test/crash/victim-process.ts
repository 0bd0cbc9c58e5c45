import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Files } from './files.js';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One life of the victim: a process on the files of a directory. */
export class VictimProcess {
  readonly exit: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly said = new Set<string>();
  private readonly listeners = new Map<string, () => void>();

  constructor(program: string, directory: string, paths: Files, epoch: number, scenario: string, seed: number) {
    const args = ['--directory', directory, '--epoch', String(epoch), '--scenario', scenario, '--seed', String(seed)];
    // Options of the caller's Node (Jest's) are not the victim's.
    const env = { ...process.env, NODE_OPTIONS: '' };
    const output = openSync(paths.output, 'a');
    this.child = spawn(process.execPath, ['--enable-source-maps', program, ...args], {
      stdio: ['pipe', 'pipe', output],
      env,
    });
    closeSync(output);
    this.child.stdin!.on('error', () => undefined); // it may be dead already
    createInterface({ input: this.child.stdout! }).on('line', (word) => {
      this.said.add(word);
      this.listeners.get(word)?.();
    });
    this.exit = new Promise((resolve) => this.child.on('exit', (code, signal) => resolve({ code, signal })));
  }

  /** Resolves with true when the victim says so, with false when it ended before. */
  says(word: string): Promise<boolean> {
    const heard = new Promise<boolean>((resolve) => {
      if (this.said.has(word)) resolve(true);
      else this.listeners.set(word, () => resolve(true));
    });
    return Promise.race([heard, this.exit.then(() => this.said.has(word))]);
  }

  tell(word: string): void {
    this.child.stdin!.write(`${word}\n`);
  }

  kill(signal: NodeJS.Signals): Promise<Exit> {
    this.child.kill(signal);
    return this.exit;
  }
}

/** What the victim was doing when it was killed. */
export const stateAt = (paths: Files): string => {
  try {
    return readFileSync(paths.state, 'latin1') || '-';
  } catch {
    return '-';
  }
};
