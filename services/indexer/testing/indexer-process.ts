import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { createClient } from '#kit/rpc/client.ts';
import { createGrpcTransport } from '#kit/rpc/grpc/client.ts';

/** An indexer process that can be killed at any time. */
export interface IndexerProcess {
  /** Resolves to a client when the process serves. Rejects if it ends before. */
  client(): Promise<Client<typeof IndexerService>>;
  /** Resolves to a client of another contract. */
  clientOf<Desc extends DescService>(contract: Desc): Promise<Client<Desc>>;
  kill(): void;
  /** Resolves when the process has ended. */
  gone(): Promise<void>;
}

const childPath = fileURLToPath(new URL('./kill-child.ts', import.meta.url));

/** Starts an indexer in a process of its own. */
export function startIndexerProcess(configPath: string): IndexerProcess {
  const child: ChildProcess = spawn(process.execPath, [childPath, configPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const closes: (() => void)[] = [];
  const port = new Promise<number>((resolve, reject) => {
    child.stdout?.once('data', (line: Buffer) => resolve(Number(line)));
    void ended.then(() => reject(new Error('the process ended before it served')));
  });
  port.catch(() => {});
  const clientOf = async <Desc extends DescService>(contract: Desc): Promise<Client<Desc>> => {
    const transport = createGrpcTransport({ address: `127.0.0.1:${await port}`, methods: contract.methods });
    closes.push(() => transport.close());
    return createClient(contract, transport);
  };
  return {
    client: () => clientOf(IndexerService),
    clientOf,
    kill: () => child.kill('SIGKILL'),
    async gone() {
      await ended;
      for (const close of closes) close();
    },
  };
}
