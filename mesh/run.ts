import '#kit/host/compiled-code.mjs';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { type Command, type CommandContext, CommandError } from './cli/command.ts';
import { environmentHelp, parseFlags } from './cli/flags.ts';

// The composition root: the one place that knows every service and reads the environment. It loads a service or a command only
// when it runs, so that a command starts quickly.

/** Loads every service of the mesh. */
async function loadServices(): Promise<readonly ServiceDefinition[]> {
  return Promise.all([
    import('../services/accounts/index.ts').then(({ accounts }) => accounts),
    import('../services/audit/index.ts').then(({ audit }) => audit),
    import('../services/cache/index.ts').then(({ cache }) => cache),
    import('../services/chat/index.ts').then(({ chat }) => chat),
    import('../services/edge/index.ts').then(({ edge }) => edge),
    import('../services/embedding/index.ts').then(({ embedding }) => embedding),
    import('../services/evaluation/index.ts').then(({ evaluation }) => evaluation),
    import('../services/indexer/index.ts').then(({ indexer }) => indexer),
    import('../services/llm-gateway/index.ts').then(({ llmGateway }) => llmGateway),
    import('../services/rerank/index.ts').then(({ rerank }) => rerank),
    import('../services/retrieval/index.ts').then(({ retrieval }) => retrieval),
    import('../services/privacy/index.ts').then(({ privacy }) => privacy),
  ]);
}

/** Every service of the mesh, for a program that imports this file. The program itself loads them when they run. */
export const services: readonly ServiceDefinition[] = import.meta.main ? [] : await loadServices();

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  admin: async () => (await import('./cli/admin/admin.ts')).admin,
  ask: async () => (await import('./cli/ask.ts')).ask,
  audit: loadAudit,
  backup: async () => (await import('./cli/backup/backup.ts')).backup,
  'cache:calibrate': loadCalibrate,
  'cache:warm': async () => (await import('./cli/cache/warm.ts')).warmCache,
  curated: async () => (await import('./cli/operators/curated.ts')).curated,
  doctor: async () => (await import('./cli/doctor.ts')).doctor,
  erase: async () => (await import('./cli/operators/erase.ts')).erase,
  eval: loadEvaluate,
  ingest: async () => (await import('./cli/ingest.ts')).ingest,
  reindex: async () => (await import('./cli/ingest.ts')).reindex,
  migrate: loadMigrate,
  plan: async () => (await import('./cli/plan/plan.ts')).plan,
  restore: async () => (await import('./cli/backup/restore.ts')).restore,
  token: async () => (await import('./cli/admin/token.ts')).token,
};

const help = `npm start -- [--services a,b] [--workers n] [--config ragmesh.yaml] [--check | --print-config]

Runs every service in this process, or only the named ones. These find the others by \`addresses\` in the configuration.

  --services <names>   a list with commas; default: every service
  --workers <n>        processes that face the clients, beside one that has the records; "auto": one for each core; default: 1,
                       everything in this process
  --config <file>      configuration file; default: RAGMESH_CONFIG, else ragmesh.yaml if it exists
  --check              check the configuration, print every error, and exit
  --print-config       print the configuration with all defaults, secrets masked, and exit
  -h, --help           print this help

Commands, each with its own --help: ${Object.keys(commands).join(', ')} (npm run <command>).

Environment variables:

${environmentHelp}  OTEL_…             OpenTelemetry's variables for traces, if the configuration does not set the same (README)
`;

/** What a member of a group of workers is started with, instead of a command. */
const memberCommand = 'member';

/** Most workers. */
const maxWorkers = 256;

const env = process.env;

if (import.meta.main) {
  // What this program and its children write (databases, keys, copies of them) is for its own account.
  process.umask(0o077);
  main(process.argv.slice(2)).then(
    (code) => {
      process.exitCode = code;
    },
    async (error: unknown) => {
      const { describeError } = await import('./cli/describe-error.ts');
      process.stderr.write(`${describeError(error)}\n`);
      const isPlain = error instanceof CommandError || error instanceof ConfigError;
      if (!isPlain && env.RAGMESH_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
      process.exit(1);
    },
  );
}

async function main(argv: string[]): Promise<number> {
  const [first = '', ...args] = argv;
  if (first === memberCommand) {
    const { runMember } = await import('./group/member.ts');
    await runMember(await loadServices(), env);
    return 0;
  }
  const loadCommand = Object.hasOwn(commands, first) ? commands[first] : undefined;
  if (loadCommand !== undefined) {
    // "| head" closes the pipe early: the rest of the output has no reader.
    process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));
    return (await loadCommand())({ args, env, readConfig, startMesh });
  }
  const { values } = parseFlags({
    args: argv,
    options: {
      services: { type: 'string' },
      workers: { type: 'string' },
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
  const { chooseServices, serve, serveGroup } = await import('./start/serve.ts');
  const known = await loadServices();
  const chosen = chooseServices(values.services, known);
  const path = findConfig(values.config);
  if (values.check || values['print-config']) {
    const { check, print } = await import('./cli/check/check.ts');
    return (values.check ? check : print)({ path, env, chosen, known });
  }
  const read = await loadConfigReader();
  const workerCount = parseWorkers(values.workers);
  const options = { known, chosen, env, path, config: read(path), readConfig: () => read(path) };
  if (workerCount === 1) await serve(options);
  else await serveGroup({ ...options, workerCount, program: import.meta.filename, command: memberCommand });
  return 0;
}

function parseWorkers(text: string | undefined): number {
  if (text === undefined) return 1;
  const count = text === 'auto' ? Math.min(availableParallelism(), maxWorkers) : Number(text);
  if (!Number.isInteger(count) || count < 1 || count > maxWorkers) {
    throw new CommandError(`--workers is "${text}": allowed are 1 to ${maxWorkers}, and auto`);
  }
  return count;
}

/** `eval` measures a mesh through its edge; `eval router`, `eval rewrite` and `eval verifier` measure what is inside of chat, without one. */
async function loadEvaluate(): Promise<Command> {
  const parts = {
    router: async (args: string[]) => (await import('../services/chat/acts/training/measure.ts')).measureRouter(args),
    rewrite: async (args: string[]) =>
      (await import('../services/chat/understand/measure/measure.ts')).measureRewrite(args),
    verifier: async (args: string[]) => {
      const { createEvaluateVerifier } = await import('./cli/eval/verifier/command.ts');
      const { verifyClaim } = await import('../services/chat/verify/index.ts');
      return createEvaluateVerifier(verifyClaim)({ args });
    },
  };
  return async (context) => {
    const [name = '', ...args] = context.args;
    switch (name) {
      case 'router':
      case 'rewrite':
      case 'verifier':
        return parts[name](args);
      case 'answers':
        return (await import('./cli/eval/answers/command.ts')).createEvaluateAnswers(parts)({ ...context, args });
      case 'promote':
        return (await import('./cli/eval/promote.ts')).promote({ ...context, args });
      case 'suite':
        return (await import('./cli/eval/suite.ts')).evaluateSuite({ ...context, args });
      case 'personal-data':
        return (await import('./cli/eval/personal-data/command.ts')).evaluatePersonalData({ args });
      default:
        return (await import('./cli/eval/evaluate.ts')).evaluate(context);
    }
  };
}

/** Returns the path of the configuration: the given one, else that of the environment, else ragmesh.yaml if it exists. */
function findConfig(path: string | undefined): string | undefined {
  return path ?? env.RAGMESH_CONFIG ?? (existsSync('ragmesh.yaml') ? 'ragmesh.yaml' : undefined);
}

/** Returns a function that reads the configuration of {@link findConfig}; without a file, all defaults. */
async function loadConfigReader(): Promise<(path: string | undefined) => Config> {
  const { loadConfig } = await import('#kit/host/config/config.ts');
  const { originOf, setOrigin } = await import('#kit/host/config/config-origin.ts');
  return (path) => {
    const config = loadConfig(findConfig(path), env);
    if (env.RAGMESH_DATA_DIR) {
      config.dataDir = env.RAGMESH_DATA_DIR;
      const { file, environmentPaths } = originOf(config);
      setOrigin(config, { file, environmentPaths: [...environmentPaths, 'data_dir'] });
    }
    return config;
  };
}

const readConfig: CommandContext['readConfig'] = async (path) => {
  const config = (await loadConfigReader())(path);
  const { readEncryption } = await import('#kit/storage/encryption/settings.ts');
  const { unlockFolder } = await import('#kit/storage/encryption/unlock.ts');
  await unlockFolder(config.dataDir, readEncryption(config.storage?.encryption), false);
  return config;
};

const startMesh: CommandContext['startMesh'] = async (config) => {
  const { startQuietMesh } = await import('./start/serve.ts');
  return startQuietMesh({ known: await loadServices(), config, env });
};

async function loadAudit(): Promise<Command> {
  const { createAuditCommand } = await import('./cli/audit/command.ts');
  return createAuditCommand(async ({ endpoint, ...place }) => {
    const { createFromAdapter } = await import('#kit/host/config/adapters.ts');
    const folder = new URL('../services/indexer/adapters/blob-store/', import.meta.url);
    const settings = { ...place, endpoint, path_style: endpoint !== '' };
    return createFromAdapter(folder, 's3', settings, { path: '--to' }, '--to');
  });
}

async function loadMigrate(): Promise<Command> {
  const { migrate } = await import('./cli/migrate.ts');
  return async (context) => migrate(context, await loadServices());
}

async function loadCalibrate(): Promise<Command> {
  const { calibrateCache } = await import('./cli/cache/calibrate.ts');
  return (context) =>
    calibrateCache(context, {
      startEmbedding: async (config) => {
        const { startEmbedding } = await import('./cli/embedding.ts');
        return startEmbedding({ known: await loadServices(), config, env });
      },
      calibrateFile: async (...args) => (await import('../services/cache/semantic/index.ts')).calibrateFile(...args),
    });
}
