import { watch } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { z } from 'zod';
import { unavailable } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { parseAccessRules, rulesBytesMax } from '../../sources/run/access-rules.ts';
import type { ChangePage, Entry, EntryAccess, Source, SourceDeps } from '../../sources/source.ts';

const settings = {
  path: z.string().min(1).max(1024).describe('Folder, inside one of indexer.sources.allowed_folders'),
  endings: z
    .array(z.string().min(1).max(32))
    .max(100)
    .describe('Endings of the files that are read, such as ".md". Empty: all')
    .default([]),
  access_file: z
    .string()
    .max(1024)
    .describe('With sync_permissions: file of the folder that says who may see which files; it is not a document')
    .default(''),
};

const pageMax = 500;
const depthMax = 64;

/** Reads the files of a folder and all below, without hidden ones and without following links. The path of a file is its id. */
export const adapter = defineAdapter({
  settings,
  async create({ path, endings, access_file }, deps: SourceDeps): Promise<Source> {
    const root = await deps.allowPath(path);
    const isWanted = (name: string) =>
      endings.length === 0 || endings.some((ending) => name.toLowerCase().endsWith(ending.toLowerCase()));
    const isRules = (id: string) => access_file !== '' && id.split(sep).join('/') === access_file;

    const walk = async function* (folder: string, depth: number): AsyncIterable<Entry> {
      const found = await readdir(join(root, folder), { withFileTypes: true });
      for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        if (entry.name.startsWith('.')) continue;
        const id = folder === '' ? entry.name : `${folder}${sep}${entry.name}`;
        if (entry.isDirectory() && depth < depthMax) yield* walk(id, depth + 1);
        if (!entry.isFile() || !isWanted(entry.name) || isRules(id)) continue;
        const stat = await lstat(join(root, id)).catch(absent);
        if (stat !== undefined) yield { id: id.split(sep).join('/'), version: `${stat.mtimeMs}-${stat.size}` };
      }
    };
    const changes = async function* (signal: AbortSignal): AsyncIterable<ChangePage> {
      let entries: Entry[] = [];
      try {
        for await (const entry of walk('', 0)) {
          signal.throwIfAborted();
          entries.push(entry);
          if (entries.length < pageMax) continue;
          yield { entries };
          entries = [];
        }
      } catch (error) {
        signal.throwIfAborted();
        throw unreadable(error);
      }
      yield { entries };
    };
    const permissions = async function* (signal: AbortSignal): AsyncIterable<EntryAccess[]> {
      const file = await deps.allowPath(join(root, access_file));
      if (!file.startsWith(root + sep)) throw unavailable('folder', 'the file of access rules is not in the folder');
      const { size } = await lstat(file).catch((error: unknown) => Promise.reject(unreadable(error)));
      if (size > rulesBytesMax) throw unavailable('folder', 'the file of access rules is too large');
      const access = parseAccessRules(await readFile(file), 'folder');
      for await (const { entries } of changes(signal)) yield entries.map(({ id }) => access(id));
    };
    return {
      listsAll: true,
      ...(access_file !== '' && { permissions }),
      changes: (_, signal) => changes(signal),
      async *ids(signal) {
        for await (const { entries } of changes(signal)) yield entries.map(({ id }) => id);
      },
      async fetch(id) {
        // Checked again: a file can have become a link since it was listed.
        const file = join(root, id);
        const isInside = file.startsWith(root + sep) && (await deps.allowPath(file).catch(() => '')) === file;
        if (!isInside) return { kind: 'gone' };
        const stat = await lstat(file).catch(absent);
        if (stat === undefined || !stat.isFile() || isRules(id) || stat.size > deps.maxBytes) return { kind: 'gone' };
        const bytes = await readFile(file).catch(absent);
        return bytes === undefined ? { kind: 'gone' } : { kind: 'content', content: { bytes, mediaType: '', url: '' } };
      },
      watch(changed) {
        const watcher = watch(root, { recursive: true }, changed);
        // The schedule still reads the folder.
        watcher.on('error', () => watcher.close());
        return () => watcher.close();
      },
      close: async () => {},
    };
  },
});

/** Returns `undefined` for a file that is not there any more; throws everything else. */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw unreadable(error);
  return undefined;
}

const unreadable = (error: unknown) =>
  unavailable('folder', `the folder cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, error);
