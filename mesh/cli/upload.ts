import { createReadStream, type Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, relative, resolve, sep } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { type IngestDocumentsRequest, IngestDocumentsRequestSchema } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { CommandError } from './connect.ts';

/** A file to upload: where it is, and the path that it gets in the corpus. */
export interface UploadFile {
  file: string;
  path: string;
  sizeBytes: number;
}

/** Endings of files that the indexer reads; others in a folder are left out. */
const readable = new Set(['.md', '.markdown', '.html', '.htm', '.csv', '.jsonl', '.ndjson', '.txt', '.text']);

/** Bytes a message carries. */
const messageBytes = 256 * 1024;

/** Files that one upload may hold. */
const maxFiles = 1_000_000;

/**
 * The files under `paths`: a file as it is, a folder with all below it that can be read, save hidden ones and README.md.
 * In a folder's corpus path, folders are parted by "/". Throws CommandError for a path that is not there.
 */
export async function findFiles(paths: readonly string[]): Promise<{ files: UploadFile[]; skippedCount: number }> {
  const files: UploadFile[] = [];
  let skippedCount = 0;
  for (const path of paths) {
    const found = await statOf(path);
    if (found.isFile()) {
      files.push({ file: path, path: basename(path), sizeBytes: found.size });
      continue;
    }
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of names.sort()) {
      const name = relative(path, file).split(sep).join('/');
      const isHidden = name.split('/').some((part) => part.startsWith('.'));
      if (isHidden || basename(file) === 'README.md' || !readable.has(extname(file).toLowerCase())) {
        skippedCount++;
      } else {
        files.push({ file, path: name, sizeBytes: (await stat(file)).size });
      }
    }
  }
  if (files.length > maxFiles)
    throw new CommandError(`${files.length} files are more than ${maxFiles}: upload them in parts`);
  if (files.length === 0)
    throw new CommandError(`nothing to read in ${paths.join(', ')}: ${[...readable].join(' ')} are taken`);
  return { files: withDistinctPaths(files), skippedCount };
}

// Two paths may hold files of one name: as many folders above as it takes tell them apart.
function withDistinctPaths(files: UploadFile[]): UploadFile[] {
  let distinct = files;
  for (let depth = 1; ; depth++) {
    const counts = new Map<string, number>();
    for (const { path } of distinct) counts.set(path, (counts.get(path) ?? 0) + 1);
    const isTwice = (path: string) => (counts.get(path) ?? 0) > 1;
    if (!distinct.some(({ path }) => isTwice(path))) return distinct;
    const parents = distinct.map(({ file }) => resolve(file).split(sep));
    if (parents.every((parts) => parts.length <= depth + 1))
      throw new CommandError('a file is named twice: name it once');
    distinct = distinct.map((file, index) =>
      isTwice(file.path) ? { ...file, path: (parents[index] ?? []).slice(-depth - 1).join('/') } : file,
    );
  }
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch {
    throw new CommandError(`${resolve(path)} does not exist`);
  }
}

/** The messages of an upload. */
export async function* uploadMessages(
  corpus: string,
  files: readonly UploadFile[],
  options: { deleteMissing?: boolean } = {},
): AsyncIterable<IngestDocumentsRequest> {
  const message = (part: IngestDocumentsRequest['part']) => create(IngestDocumentsRequestSchema, { part });
  yield create(IngestDocumentsRequestSchema, {
    part: { case: 'start', value: { corpus, deleteMissing: options.deleteMissing ?? false } },
  });
  for (const { file, path, sizeBytes } of files) {
    yield create(IngestDocumentsRequestSchema, {
      part: { case: 'file', value: { path, sizeBytes: BigInt(sizeBytes) } },
    });
    for await (const data of createReadStream(file, { highWaterMark: messageBytes })) {
      yield message({ case: 'data', value: data as Uint8Array });
    }
  }
}
