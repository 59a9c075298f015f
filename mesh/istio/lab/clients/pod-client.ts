import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { JsonValue } from '@bufbuild/protobuf';
import { systemPath } from '../run/child.ts';
import { commandOn } from '../run/network.ts';
import type {
  CallsCommand,
  CollectCommand,
  Command,
  ConnectCommand,
  Ends,
  GetCommand,
  HoldCommand,
  LoadCommand,
  NumberedCommand,
  Page,
  Reach,
} from './probe.ts';
import type { Reply } from './wire.ts';

/** A caller on the host of a pod, see probe.ts. */
export interface PodClient {
  calls(command: Omit<CallsCommand, 'kind'>): Promise<readonly Reply[]>;
  load(command: Omit<LoadCommand, 'kind'>): Promise<Ends>;
  numbered(command: Omit<NumberedCommand, 'kind'>): Promise<readonly number[]>;
  collect(command: Omit<CollectCommand, 'kind'>): Promise<readonly JsonValue[]>;
  get(command: Omit<GetCommand, 'kind'>): Promise<Page>;
  hold(command: Omit<HoldCommand, 'kind'>): Promise<readonly Reply[]>;
  release(): Promise<readonly Reply[]>;
  connect(command: Omit<ConnectCommand, 'kind'>): Promise<readonly Reach[]>;
  close(): void;
}

const probe = fileURLToPath(new URL('probe.ts', import.meta.url));

/** Starts a caller on a host, as the user of services. */
export function startPodClient(host: string, user: number): PodClient {
  const [program = '', ...args] = commandOn(host, user, [process.execPath, probe]);
  const child: ChildProcess = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: systemPath } });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  const failAll = (error: Error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  child.on('exit', () => failAll(new Error(`the caller on ${host} has ended`)));
  child.stdin?.on('error', (error) => failAll(error));
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { id, result, failure } = JSON.parse(line) as { id: number; result?: never; failure?: string };
      const { resolve, reject } = waiting.get(id) ?? {};
      waiting.delete(id);
      if (failure === undefined) resolve?.(result as never);
      else reject?.(new Error(`${host}: ${failure}`));
    });
  }
  const send = <T>(command: Command): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      child.stdin?.write(`${JSON.stringify({ id, command })}\n`);
    });
  return {
    calls: (command) => send({ kind: 'calls', ...command }),
    load: (command) => send({ kind: 'load', ...command }),
    numbered: (command) => send({ kind: 'numbered', ...command }),
    collect: (command) => send({ kind: 'collect', ...command }),
    get: (command) => send({ kind: 'get', ...command }),
    hold: (command) => send({ kind: 'hold', ...command }),
    release: () => send({ kind: 'release' }),
    connect: (command) => send({ kind: 'connect', ...command }),
    close: () => void child.kill('SIGKILL'),
  };
}
