import { type ChildProcess, fork } from 'node:child_process';

/** What a process of the mesh is started with. */
export interface CostProcessInit {
  services: string[];
  dataDir: string;
  addresses: Record<string, string>;
  key: string;
  providerUrl: string;
  /** Whether personal data is masked, and guardrails check questions and evidence. */
  isPrivate: boolean;
}

/** What it reports when it is ready. */
export interface CostProcessReady {
  grpcPort: number;
  edgePort: number;
  questions: string[];
}

/** Creates what starts the processes of a benchmark, and ends them. */
export function createChildren() {
  const started: ChildProcess[] = [];
  return {
    /** Starts a file of this folder. Resolves to the process and its first message; rejects if it ends before. */
    async start<T>(file: string, ...args: string[]): Promise<{ child: ChildProcess; ready: T }> {
      const child = fork(new URL(file, import.meta.url), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      started.push(child);
      return { child, ready: await messageOf<T>(child) };
    },
    /** Ends all, the last one first. */
    async end(): Promise<void> {
      const ended = started.map((child) => child.exitCode ?? new Promise((resolve) => child.once('exit', resolve)));
      for (const child of started.reverse()) if (child.connected) child.disconnect();
      await Promise.all(ended);
    },
  };
}

/** Returns the CPU time that a process of the mesh has used so far, in microseconds. */
export async function cpuUsOfProcess(child: ChildProcess): Promise<number> {
  const { cpuUs } = await messageOf<{ cpuUs: number }>(child, 'cpu');
  return cpuUs;
}

function messageOf<T>(child: ChildProcess, question?: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a server ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as T);
    });
    if (question !== undefined) child.send(question);
  });
}
