import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { freePort, isReady, startTestServer, type TestServer } from '#kit/testing/server.ts';
import { ingestFiles } from '../../cli/ingest.ts';
import { createProgress } from '../../cli/progress.ts';
import { findFiles } from '../../cli/upload/upload.ts';

/** The product as it is started by its users, with two tenants and no setting but their keys. */
export interface Target extends AsyncDisposable {
  edgePort: number;
  pid: number;
  /** Keys of users of one tenant. */
  innocentKeys: string[];
  /** Keys of users of another one, who may upload. */
  hostileKeys: string[];
  output(): string;
}

/** Users of each tenant: as many as stay within the rates of a user and of a tenant. */
const innocentCount = 10;
const hostileCount = 40;

/** Starts it over the sample knowledge base. */
export async function startTarget(): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-hostile-'));
  const [edgePort, adminPort] = [await freePort(), await freePort()];
  const keysOf = (count: number) => Array.from({ length: count }, () => randomBytes(24).toString('base64url'));
  const [innocentKeys, hostileKeys] = [keysOf(innocentCount), keysOf(hostileCount)];
  const entry = (tenant: string, groups: string[]) => (key: string, index: number) => ({
    id: `${tenant}-${index}`,
    sha256: createHash('sha256').update(key).digest('hex'),
    tenant,
    groups,
    roles: ['ROLE_READER', 'ROLE_EDITOR'],
  });
  const config = join(folder, 'ragmesh.json');
  const apiKeys = [
    ...innocentKeys.map(entry('innocent', ['staff', 'merchant'])),
    ...hostileKeys.map(entry('hostile', [])),
  ];
  const ports = { edge: { port: edgePort, api_keys: apiKeys }, grpc: { port: 0 }, admin: { port: adminPort } };
  writeFileSync(config, JSON.stringify({ data_dir: join(folder, 'data'), ...ports }));
  const run = fileURLToPath(new URL('../../run.ts', import.meta.url));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  let server: TestServer | undefined;
  try {
    server = await startTestServer({
      command: process.execPath,
      args: () => [run, '--config', config],
      port: edgePort,
      isReady: () => isReady(adminPort),
      startTimeoutMs: 120_000,
    });
    await ingestSample(edgePort, innocentKeys[0] as string);
  } catch (error) {
    await server?.[Symbol.asyncDispose]();
    removeFolder();
    throw error;
  }
  const { pid, output } = server;
  return {
    edgePort,
    pid,
    innocentKeys,
    hostileKeys,
    output,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      removeFolder();
    },
  };
}

async function ingestSample(edgePort: number, key: string): Promise<void> {
  const { files } = await findFiles([fileURLToPath(new URL('../../../deployments/sample', import.meta.url))]);
  const transport = createConnectTransport({
    baseUrl: `http://127.0.0.1:${edgePort}`,
    httpVersion: '2',
    interceptors: [
      (next) => (request) => {
        request.header.set('authorization', `Bearer ${key}`);
        return next(request);
      },
    ],
  });
  const job = await ingestFiles(createClient(IndexerService, transport), 'help', files, createProgress());
  if (job.state !== JobState.SUCCEEDED) throw new Error(`the sample could not be taken in: ${job.error}`);
}
