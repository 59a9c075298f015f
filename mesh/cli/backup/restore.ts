import { statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { KeyWrapper } from '#kit/storage/encryption/key-wrapper.ts';
import { readEncryption } from '#kit/storage/encryption/settings.ts';
import { createFolderKey, keyFileName } from '#kit/storage/encryption/unlock.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { commonFlags, localHelp, parseFlags } from '../flags.ts';
import { createProgress, type Progress } from '../progress.ts';
import { encryptFile } from './encrypt-file.ts';
import { type BackupFile, copyFile, type Manifest, readManifest } from './manifest.ts';
import { fillNewFolder } from './new-folder.ts';

const help = `npm run restore -- --from <folder> [--to <folder>]

Makes a data folder of a backup, after comparing the checksum of every file. It replaces nothing: move an old data folder away first.
With storage.encryption in the configuration, a backup that is not encrypted becomes an encrypted data folder.

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
  const config = await context.readConfig(values.config);
  const to = values.to ?? config.dataDir;
  const wrapper = readEncryption(config.storage?.encryption);
  const plain = config.audit?.headsFile ? [relative(to, config.audit.headsFile).split(sep).join('/')] : [];
  const manifest = await restoreFolder(values.from, to, createProgress(), wrapper, plain);
  if (values.json) printJson({ folder: to, created_at: manifest.createdAt, files: manifest.files.length });
  else
    process.stdout.write(
      `${to} has the state of ${manifest.createdAt}: ${manifest.files.length} files, each compared\n`,
    );
  return 0;
}

/**
 * Makes a data folder of a backup. The folder appears with all of its content or not at all. Throws CommandError if the target has content
 * or a file of the backup is missing or damaged. `wrapper`: encrypts what is not encrypted yet, but for the files `plain`, relative to the folder.
 */
export async function restoreFolder(
  from: string,
  to: string,
  progress: Progress,
  wrapper?: KeyWrapper,
  plain: readonly string[] = [],
): Promise<Manifest> {
  const manifest = readManifest(from);
  const encrypts = wrapper !== undefined && !manifest.files.some(({ path }) => path === keyFileName);
  return fillNewFolder(to, '--to', async (partial) => {
    try {
      if (encrypts) await createFolderKey(partial, wrapper);
      for (const [index, file] of manifest.files.entries()) {
        progress.update(index, manifest.files.length, file.path);
        await restoreFile(from, partial, file);
        if (encrypts && !plain.includes(file.path)) await encryptFile(partial, file.path);
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
