import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { commonFlags, localHelp, parseFlags } from '../flags.ts';
import { createProgress, type Progress } from '../progress.ts';
import { type BackupFile, copyFile, type Manifest, readManifest } from './manifest.ts';
import { fillNewFolder } from './new-folder.ts';

const help = `npm run restore -- --from <folder> [--to <folder>]

Makes a data folder of a backup, after comparing the checksum of every file. It replaces nothing: move an old data folder away first.

  --from <folder>    a folder that \`npm run backup\` has written
  --to <folder>      the data folder; must not exist, or be empty; default: data_dir of the configuration
${localHelp}`;

/** Runs `npm run restore`. */
export async function restore(context: CommandContext): Promise<number> {
  const { values } = parseFlags({
    args: context.args,
    options: { from: { type: 'string' }, to: { type: 'string' }, ...commonFlags },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (values.from === undefined) throw new CommandError(`--from is needed\n\n${help}`);
  const to = values.to ?? (await context.readConfig(values.config)).dataDir;
  const manifest = await restoreFolder(values.from, to, createProgress());
  if (values.json) printJson({ folder: to, created_at: manifest.createdAt, files: manifest.files.length });
  else
    process.stdout.write(
      `${to} has the state of ${manifest.createdAt}: ${manifest.files.length} files, each compared\n`,
    );
  return 0;
}

/**
 * Makes a data folder of a backup. The folder appears with all of its content or not at all. Throws CommandError if the target has content
 * or a file of the backup is missing or damaged.
 */
export async function restoreFolder(from: string, to: string, progress: Progress): Promise<Manifest> {
  const manifest = readManifest(from);
  return fillNewFolder(to, '--to', async (partial) => {
    try {
      for (const [index, file] of manifest.files.entries()) {
        progress.update(index, manifest.files.length, file.path);
        await restoreFile(from, partial, file);
      }
      return manifest;
    } finally {
      progress.end();
    }
  });
}

async function restoreFile(from: string, to: string, { path, sha256 }: BackupFile): Promise<void> {
  const source = join(from, path);
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat === undefined) throw new CommandError(`${source} is missing: the backup is not whole, use another one`);
  const copied = await copyFile(source, join(to, path), stat.mode);
  if (copied.sha256 !== sha256) {
    throw new CommandError(`${source} is damaged: its checksum differs from ${from}'s manifest; use another backup`);
  }
}
