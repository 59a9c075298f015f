import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, type DescService } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { type Config, EdgeConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Env } from '#kit/host/config/config.ts';

/** What a command gets. */
export interface CommandContext {
  args: string[];
  config: Config;
  env: Env;
  /** Starts every service in this process on free ports, quietly; for when no server runs. */
  startMesh(): Promise<{ edgePort: number; close(): Promise<void> }>;
}

/** A mesh to talk to, through its edge. */
export interface MeshConnection extends AsyncDisposable {
  url: string;
  client<Desc extends DescService>(contract: Desc): Client<Desc>;
}

/** A problem of the command line: printed without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/**
 * Connects to the server at the configured port, or, where none runs, to one that is started for this command over the same
 * data folder. The key is RAGMESH_API_KEY, or else the development key of the data folder.
 */
export async function connectMesh(context: CommandContext): Promise<MeshConnection> {
  const { config, env } = context;
  const configured = env.RAGMESH_URL ?? `http://127.0.0.1:${(config.edge ?? create(EdgeConfigSchema)).port}`;
  let url = configured;
  let close = async () => {};
  if (!(await answers(url))) {
    if (env.RAGMESH_URL !== undefined) throw new CommandError(`no ragmesh answers at ${url} (RAGMESH_URL)`);
    process.stderr.write(`No server at ${url}: starting one for this command (npm start keeps one running).\n`);
    const mesh = await context.startMesh();
    url = `http://127.0.0.1:${mesh.edgePort}`;
    close = mesh.close;
  }
  const key = env.RAGMESH_API_KEY ?? developmentKey(config.dataDir);
  if (key === undefined) {
    await close();
    throw new CommandError('no key: set RAGMESH_API_KEY to one of the keys of edge.api_keys');
  }
  const authorize: Interceptor = (next) => (request) => {
    request.header.set('authorization', `Bearer ${key}`);
    return next(request);
  };
  const transport = createConnectTransport({ baseUrl: url, httpVersion: '2', interceptors: [authorize] });
  return { url, client: (contract) => createClient(contract, transport), [Symbol.asyncDispose]: close };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2000) });
    return response.ok;
  } catch {
    return false;
  }
}

function developmentKey(dataDir: string): string | undefined {
  try {
    const keys = JSON.parse(readFileSync(join(dataDir, 'edge', 'dev-keys.json'), 'utf8')) as { dev?: string };
    return keys.dev;
  } catch {
    return undefined;
  }
}

/** An error as one line for a person. */
export function describeError(error: unknown): string {
  if (error instanceof ConnectError) return `${Code[error.code]}: ${error.rawMessage}`;
  return error instanceof Error ? error.message : String(error);
}
