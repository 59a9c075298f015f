import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { createClient } from '../rpc/client.ts';
import type { Invocable } from '../rpc/invoke.ts';
import { createPipeTransport } from '../rpc/pipe/client.ts';
import { connectPipe, type PipeConnection } from '../rpc/pipe/connection.ts';
import { mountPipe } from '../rpc/pipe/mount.ts';
import { startPipeServer } from '../rpc/pipe/server.ts';

/** A server of the pipe mount with one connection to it. */
export interface TestPipe extends AsyncDisposable {
  path: string;
  connection: PipeConnection;
  client<Desc extends DescService>(contract: Desc): Client<Desc>;
  /** Ends the server and its connections. */
  stopServer(): Promise<void>;
  /** Starts it again. */
  startServer(): Promise<void>;
}

const maxMessageBytes = 4 << 20;

/** Serves methods by the pipe mount. */
export async function startTestPipe(methods: Iterable<Invocable>): Promise<TestPipe> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-pipe-'));
  const path = join(folder, 'socket');
  const accept = mountPipe(methods, maxMessageBytes);
  let server = await startPipeServer({ path, maxMessageBytes, accept });
  const connection = connectPipe(path, maxMessageBytes);
  await connection.connected(AbortSignal.timeout(10_000));
  const transport = createPipeTransport(connection);
  return {
    path,
    connection,
    client: (contract) => createClient(contract, transport),
    stopServer: () => server.close(),
    async startServer() {
      server = await startPipeServer({ path, maxMessageBytes, accept });
    },
    async [Symbol.asyncDispose]() {
      connection.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
