import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clone, create, type MessageInitShape } from '@bufbuild/protobuf';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import {
  AdminConfigSchema,
  type Config,
  ConfigSchema,
  EdgeConfigSchema,
  GrpcConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { createLogger } from '#kit/base/log.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { loadConfig } from '#kit/host/config/config.ts';
import { watchConfig } from '#kit/host/config/watch-config.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { type Host, startHost } from '#kit/host/host.ts';
import { startTelemetry } from '#kit/host/telemetry.ts';
import { createClient } from '#kit/rpc/client.ts';
import { actAs } from '#kit/rpc/context.ts';
import { audit } from '../services/audit/index.ts';
import { cache } from '../services/cache/index.ts';
import { calibrateFile } from '../services/cache/semantic/index.ts';
import { chat } from '../services/chat/index.ts';
import { edge } from '../services/edge/index.ts';
import { embedding } from '../services/embedding/index.ts';
import { evaluation } from '../services/evaluation/index.ts';
import { indexer } from '../services/indexer/index.ts';
import { llmGateway } from '../services/llm-gateway/index.ts';
import { rerank } from '../services/rerank/index.ts';
import { retrieval } from '../services/retrieval/index.ts';
import { ask } from './cli/ask.ts';
import { calibrateCache, type Embedding } from './cli/cache-calibrate.ts';
import { warmCache } from './cli/cache-warm.ts';
import { check, print } from './cli/check.ts';
import { type CommandContext, CommandError, describeError } from './cli/connect.ts';
import { evaluate } from './cli/eval.ts';
import { ingest } from './cli/ingest.ts';
import { token } from './cli/token.ts';
import { loadSample } from './sample.ts';

// The composition root: the one place that knows every service, reads the environment, and owns the process.

/** Every service of the mesh. */
export const services: readonly ServiceDefinition[] = [
  audit,
  cache,
  chat,
  edge,
  embedding,
  evaluation,
  indexer,
  llmGateway,
  rerank,
  retrieval,
];

const commands: Record<string, (context: CommandContext) => Promise<number>> = {
  ask,
  'cache:calibrate': (context) => calibrateCache(context, { startEmbedding, calibrateFile }),
  'cache:warm': warmCache,
  eval: evaluate,
  ingest,
  token,
};

const help = `npm start -- [--services a,b] [--config ragmesh.yaml] [--check | --print-config]

Runs every service in this process, or those named, which then find the others by \`addresses\` in the configuration.

  --services <names>   ${services.map(({ name }) => name).join(', ')}
  --config <file>      the configuration; default: ragmesh.yaml if there is one
  --check              checks the configuration, prints every error, and ends
  --print-config       prints the configuration with all defaults, secrets masked, and ends
`;

const env = process.env;

if (import.meta.main) {
  main(process.argv.slice(2)).then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      const isPlain = error instanceof CommandError || error instanceof ConfigError || !(error instanceof Error);
      process.stderr.write(`${describeError(error)}\n`);
      if (!isPlain && env.RAGMESH_DEBUG) process.stderr.write(`${(error as Error).stack}\n`);
      process.exit(1);
    },
  );
}

async function main(argv: string[]): Promise<number> {
  const [first = ''] = argv;
  const command = commands[first];
  if (command !== undefined) {
    const config = readConfig(undefined);
    return command({ args: argv.slice(1), config, env, startMesh: () => startQuietMesh(config) });
  }
  const { values } = parseArgs({
    args: argv,
    options: {
      services: { type: 'string' },
      config: { type: 'string' },
      check: { type: 'boolean', default: false },
      'print-config': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const chosen = values.services === undefined ? services : chooseServices(values.services);
  const file = { path: findConfig(values.config), env, chosen, known: services };
  if (values.check) return check(file);
  if (values['print-config']) return print(file);
  await serve(chosen, readConfig(values.config), values.config);
  return 0;
}

/** The configuration file that was named, or ragmesh.yaml where there is one, or all defaults. */
function readConfig(path: string | undefined): Config {
  const config = loadConfig(findConfig(path), env);
  if (env.RAGMESH_DATA_DIR) config.dataDir = env.RAGMESH_DATA_DIR;
  return config;
}

function findConfig(path: string | undefined): string | undefined {
  return path ?? env.RAGMESH_CONFIG ?? (existsSync('ragmesh.yaml') ? 'ragmesh.yaml' : undefined);
}

function chooseServices(names: string): ServiceDefinition[] {
  return names.split(',').map((name) => {
    const found = services.find((service) => service.name === name.trim());
    if (found === undefined)
      throw new ConfigError(
        '--services',
        `no service "${name}"`,
        services.map((service) => service.name),
      );
    return found;
  });
}

async function serve(chosen: readonly ServiceDefinition[], config: Config, path: string | undefined): Promise<void> {
  const log = createLogger(config.telemetry?.logLevel || (process.stderr.isTTY ? 'warn' : 'info'));
  const isWhole = chosen.length === services.length;
  const telemetry = startTelemetry(config.telemetry, isWhole ? 'ragmesh' : chosen.map(({ name }) => name).join('+'));
  const host = await startHost({ services: chosen, known: services, config, env, log, tracing: telemetry.recording });
  const file = findConfig(path);
  const apply = (next: Config) => host.reconfigure(next);
  const unwatch = file === undefined ? () => {} : watchConfig({ path: file, load: () => readConfig(file), apply, log });
  const stop = async (signal: string) => {
    log.info({ signal }, 'draining');
    unwatch();
    await host.close();
    await telemetry.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));
  log.info({ services: chosen.map(({ name }) => name), grpcPort: host.grpcPort, adminPort: host.adminPort }, 'serving');
  if (isWhole) await greet(host, config, performance.now());
}

/** What the edge tells of itself once it runs. */
interface RunningEdge {
  port: number;
  devKeys?: { dev: string; customer: string } | undefined;
}

async function greet(host: Host, config: Config, startMs: number): Promise<void> {
  const { port, devKeys } = host.running('edge') as unknown as RunningEdge;
  const url = `http://${(config.edge ?? create(EdgeConfigSchema)).host}:${port}`;
  const lines = [
    `ragmesh is up in ${(startMs / 1000).toFixed(1)} s`,
    `  console and API  ${url}`,
    `  gRPC             127.0.0.1:${host.grpcPort}`,
    `  health, metrics  http://127.0.0.1:${host.adminPort}`,
  ];
  if (devKeys !== undefined) {
    process.stderr.write('loading the sample knowledge base …\r');
    const count = await loadSample(host);
    if (count > 0) lines.push(`  sample           ${count} documents in corpus "shop"`);
    lines.push(
      `  development key  ${devKeys.dev} (staff, may call models)`,
      `  customer key     ${devKeys.customer} (asks public documents only)`,
    );
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The whole mesh on free ports, for a command that found no server. */
async function startQuietMesh(config: Config): Promise<{ edgePort: number; close(): Promise<void> }> {
  const quiet = clone(ConfigSchema, config);
  quiet.grpc ??= create(GrpcConfigSchema);
  quiet.admin ??= create(AdminConfigSchema);
  quiet.edge ??= create(EdgeConfigSchema);
  for (const server of [quiet.grpc, quiet.admin, quiet.edge]) Object.assign(server, { host: '127.0.0.1', port: 0 });
  const telemetry = startTelemetry(config.telemetry, 'ragmesh');
  const log = createLogger('warn');
  const host = await startHost({ services, known: services, config: quiet, env, log, tracing: telemetry.recording });
  const { port, devKeys } = host.running('edge') as unknown as RunningEdge;
  if (devKeys !== undefined) await loadSample(host);
  return {
    edgePort: port,
    async close() {
      await host.close();
      await telemetry.close();
    },
  };
}

/** The embedding service alone, over a folder of its own, so that it runs beside a server. */
async function startEmbedding({ config }: CommandContext): Promise<Embedding> {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-embedding-'));
  const alone = create(ConfigSchema, {
    dataDir,
    ...(config.embedding && { embedding: config.embedding }),
    grpc: { host: '127.0.0.1', port: 0 },
    admin: { host: '127.0.0.1', port: 0 },
  } as MessageInitShape<typeof ConfigSchema>);
  const host = await startHost({
    services: [embedding],
    known: services,
    config: alone,
    env,
    log: createLogger('warn'),
  });
  const client = createClient(EmbeddingService, host.local);
  const principal = create(PrincipalSchema, { tenant: 'local', user: 'calibration', roles: [Role.READER] });
  const asReader = async (signal?: AbortSignal) =>
    actAs((await host.signer?.sign(principal)) ?? '', signal === undefined ? {} : { signal });
  const close = async () => {
    await host.close();
    rmSync(dataDir, { recursive: true, force: true });
  };
  const { models } = await client.listModels({}, await asReader());
  return {
    model: models[0]?.name ?? '',
    dimensions: models[0]?.dimensions ?? 0,
    async embed(texts, signal) {
      const vectors: Float32Array[] = [];
      const request = { inputs: [...texts], purpose: Purpose.QUERY };
      for await (const reply of client.embed(request, await asReader(signal)))
        vectors.push(...reply.vectors.map(fromVector));
      return vectors;
    },
    [Symbol.asyncDispose]: close,
  };
}
