import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, openSync, readFileSync } from 'node:fs';

/** A process of the lab, whose output is in a file. */
export interface Child {
  readonly name: string;
  readonly logPath: string;
  readonly process: ChildProcess;
  isRunning(): boolean;
  /** Sends a signal and waits for the end. Does nothing if it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Returns the last lines of its output. */
  tail(): string;
}

/** How a process is started. */
export interface ChildOptions {
  readonly name: string;
  readonly command: readonly string[];
  readonly logPath: string;
  /** Owner of the file of the output. Envoy opens it again by its name. */
  readonly user: number;
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a process. */
export function startChild({ name, command, logPath, user, cwd, env = {} }: ChildOptions): Child {
  const log = openSync(logPath, 'a', 0o644);
  chownSync(logPath, user, user);
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd, stdio: ['ignore', log, log], env: { PATH: systemPath, ...env } });
  closeSync(log);
  const ended = once(child, 'exit').catch(() => {});
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    name,
    logPath,
    process: child,
    isRunning,
    async end(signal) {
      if (isRunning()) child.kill(signal);
      await ended;
    },
    tail: () => readFileSync(logPath, 'utf8').split('\n').slice(-12).join('\n'),
  };
}

/** Folders of the machine's programs: processes of the lab inherit nothing else of its environment. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
