import { existsSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { StorageConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { moveRecords } from '#kit/host/move.ts';
import { readEncryption } from '#kit/storage/encryption/settings.ts';
import { unlockFolder } from '#kit/storage/encryption/unlock.ts';
import { openPostgres } from '#kit/storage/postgres/pool.ts';
import { readStorage } from '#kit/storage/postgres/settings.ts';
import { type CommandContext, CommandError, printJson } from './command.ts';
import { commonFlags, localHelp, parseFlags } from './flags.ts';
import { createProgress } from './progress.ts';

const help = `npm run migrate -- --to postgres://… [--from data]

Moves an embedded installation to PostgreSQL: documents with their versions, vectors and words, jobs, sessions, audit, usage and evaluations.
Stop ragmesh first. The data folder stays as it is; an interrupted run continues when it is called again. Afterwards set
storage.database in the configuration. Cached answers stay behind, and so do keys: set identity.private_key and edge.api_keys.

  --to <url>         an empty database: postgres://user:password@host:5432/database; storage.* of the configuration has its TLS
  --from <folder>    the data folder; default: data_dir of the configuration
${localHelp}`;

/** Runs `npm run migrate`. */
export async function migrate(context: CommandContext, services: readonly ServiceDefinition[]): Promise<number> {
  const { values } = parseFlags({
    args: context.args,
    options: { from: { type: 'string' }, to: { type: 'string' }, ...commonFlags },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const config = await context.readConfig(values.config);
  const from = values.from ?? config.dataDir;
  if (!existsSync(from)) throw new CommandError(`there is no data folder ${from}: name it with --from`);
  // The configured folder is open already; another one may have a key of its own.
  await unlockFolder(from, readEncryption(config.storage?.encryption), false);
  config.storage ??= create(StorageConfigSchema);
  if (values.to !== undefined) config.storage.database = values.to;
  const settings = readStorage(config.storage);
  if (settings === undefined) throw new CommandError(`--to is needed\n\n${help}`);
  const pool = await openPostgres(settings, createLogger('warn'));
  const progress = createProgress();
  try {
    const onProgress = (label: string, rowCount: number) => progress.update(0, 0, `${label} ${rowCount}`);
    const counts = await moveRecords({ services, from, config, pool, onProgress });
    progress.end();
    if (values.json) printJson({ rows: Object.fromEntries(counts) });
    else for (const [name, count] of counts) process.stdout.write(`${name}: ${count} rows, counted on both sides\n`);
    return 0;
  } finally {
    await pool.close();
  }
}
