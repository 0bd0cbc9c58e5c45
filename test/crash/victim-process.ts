import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Files } from './files.js';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Life {
  readonly epoch: number;
  readonly scenario: string;
  readonly seed: number;
  readonly lease?: string;
  /** A command that runs the process under its eyes, and stays its process. */
  readonly under?: readonly string[];
}

/** One life of the victim: a process on the files of a directory. */
export class VictimProcess {
  readonly exit: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly said = new Set<string>();
  private readonly listeners = new Map<string, () => void>();

  constructor(
    program: string,
    directory: string,
    paths: Files,
    { epoch, scenario, seed, lease = '15s', under = [] }: Life,
  ) {
    const args = ['--directory', directory, '--epoch', String(epoch), '--scenario', scenario, '--seed', String(seed)];
    const [command, ...more] = [...under, process.execPath, '--enable-source-maps', program, ...args, '--lease', lease];
    // Options of the caller's Node (Jest's) are not the victim's.
    const env = { ...process.env, NODE_OPTIONS: '' };
    const output = openSync(paths.output, 'a');
    this.child = spawn(command!, more, {
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

  /** Resolves when none of its threads runs any more. */
  async stop(): Promise<void> {
    this.child.kill('SIGSTOP');
    while (this.isRunning()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  resume(): void {
    this.child.kill('SIGCONT');
  }

  private isRunning(): boolean {
    const { pid, exitCode, signalCode } = this.child;
    if (exitCode !== null || signalCode !== null) return false;
    try {
      return readdirSync(`/proc/${pid}/task`).some((task) => {
        const status = readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1');
        return !'TtZX'.includes(status.slice(status.lastIndexOf(')') + 2)[0]!);
      });
    } catch {
      return false; // it has just ended
    }
  }

  kill(signal: NodeJS.Signals): Promise<Exit> {
    this.child.kill(signal);
    return this.exit;
  }
}

/** What the victim was doing when it was killed. */
export const stateAt = (path: string): string => {
  try {
    return readFileSync(path, 'latin1') || '-';
  } catch {
    return '-';
  }
};
