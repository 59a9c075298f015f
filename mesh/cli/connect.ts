import { join } from 'node:path';
import { create, type DescService } from '@bufbuild/protobuf';
import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { EdgeConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { readSealed } from '#kit/storage/encryption/sealed-file.ts';
import { type CommandContext, CommandError } from './command.ts';

/** A connection to a mesh, through its edge. */
export interface MeshConnection extends AsyncDisposable {
  url: string;
  client<Desc extends DescService>(contract: Desc): Client<Desc>;
}

/** The flags that say which server to call, and as whom. */
export interface ConnectionFlags {
  url?: string | undefined;
  key?: string | undefined;
  config?: string | undefined;
}

/**
 * Connects to the server that the flags or the environment name, else to the one at the configured port. If none runs there,
 * starts one for this command over the same data folder. Throws CommandError if a named server does not answer, or without a key.
 */
export async function connectMesh(context: CommandContext, flags: ConnectionFlags): Promise<MeshConnection> {
  const { env } = context;
  const config = await context.readConfig(flags.config);
  const named = flags.url ?? env.RAGMESH_URL;
  let url =
    named === undefined ? `http://127.0.0.1:${(config.edge ?? create(EdgeConfigSchema)).port}` : parseUrl(named);
  let close = async () => {};
  if (!(await answers(url))) {
    if (named !== undefined) throw new CommandError(`no ragmesh answers at ${url}: check --url or RAGMESH_URL`);
    process.stderr.write(`No server at ${url}: starting one for this command (npm start keeps one running).\n`);
    const mesh = await context.startMesh(config);
    url = `http://127.0.0.1:${mesh.edgePort}`;
    close = mesh.close;
  }
  const key = flags.key ?? env.RAGMESH_API_KEY ?? developmentKey(config.dataDir);
  if (key === undefined) {
    await close();
    throw new CommandError('no key: pass one of the keys of edge.api_keys with --key or RAGMESH_API_KEY');
  }
  const authorize: Interceptor = (next) => (request) => {
    request.header.set('authorization', `Bearer ${key}`);
    return next(request);
  };
  const transport = createConnectTransport({ baseUrl: url, httpVersion: '2', interceptors: [authorize] });
  return { url, client: (contract) => createClient(contract, transport), [Symbol.asyncDispose]: close };
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text.replace(/\/+$/, '');
  throw new CommandError(`"${text}" is not the URL of a server: write it as http://127.0.0.1:8080`);
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
    const keys = JSON.parse(readSealed(join(dataDir, 'edge', 'dev-keys.json'))) as { dev?: string };
    return keys.dev;
  } catch {
    return undefined;
  }
}
