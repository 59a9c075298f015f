import { createReadStream, type Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, relative, resolve, sep } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { type IngestDocumentsRequest, IngestDocumentsRequestSchema } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { CommandError } from '../command.ts';

/** A file to upload, and the path that it gets in the corpus. */
export interface UploadFile {
  file: string;
  path: string;
  sizeBytes: number;
}

/** What the caller says about all files. */
export interface UploadOptions {
  deleteMissing?: boolean;
  /** Meaning of columns of tables, by name or by number from 1. */
  columns?: Readonly<Record<string, string>>;
  /** Encoding of text files, such as "gbk". */
  charset?: string;
  /** Password of encrypted files. */
  password?: string;
}

/** A file that is not uploaded. */
export interface LeftOut {
  file: string;
  /** Why, for a person. */
  reason: string;
  /** Whether the caller named this file, and not only a folder above it. */
  isNamed: boolean;
}

/** Endings of files that the indexer reads; others are left out. A test compares them with the parsers. */
export const readable: ReadonlySet<string> = new Set(
  [
    '.md .markdown .mdown .mdx .html .htm .xhtml .txt .text .srt .vtt',
    '.csv .tsv .tab .json .jsonl .ndjson .xml',
    '.pdf .docx .docm .dotx .pptx .pptm .ppsx .potx .xlsx .xlsm .xlsb .xls',
    '.odt .ods .odp .ott .ots .otp .rtf .epub .eml .msg .zip',
  ].flatMap((line) => line.split(' ')),
);

/** Endings of images, which are read only with OCR: those that the caller names, not those that lie in folders. */
export const images: ReadonlySet<string> = new Set('.png .jpg .jpeg .tif .tiff .webp'.split(' '));

const unreadable = `not one of ${[...readable].join(' ')}`;

/** Bytes in one message. */
const messageBytes = 256 * 1024;

/** Largest number of files in one upload. */
const maxFiles = 1_000_000;

/**
 * Returns the files under `paths`, and those that are left out: files of other kinds, and below a folder hidden ones and README.md
 * too. The corpus path of a file in a folder has "/" between folders. Throws CommandError for a path that does not exist, and if no
 * file remains.
 */
export async function findFiles(paths: readonly string[]): Promise<{ files: UploadFile[]; leftOut: LeftOut[] }> {
  const files: UploadFile[] = [];
  const leftOut: LeftOut[] = [];
  for (const path of paths) {
    const found = await statOf(path);
    if (found.isFile()) {
      if (isReadable(path) || images.has(extname(path).toLowerCase()))
        files.push({ file: path, path: basename(path), sizeBytes: found.size });
      else leftOut.push({ file: path, reason: unreadable, isNamed: true });
      continue;
    }
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of names.sort()) {
      const name = relative(path, file).split(sep).join('/');
      const isHidden = name.split('/').some((part) => part.startsWith('.'));
      const reason = isHidden ? 'hidden' : basename(file) === 'README.md' ? 'README.md of a folder' : unreadable;
      if (isHidden || basename(file) === 'README.md' || !isReadable(file)) {
        leftOut.push({ file, reason, isNamed: false });
      } else {
        files.push({ file, path: name, sizeBytes: (await stat(file)).size });
      }
    }
  }
  if (files.length > maxFiles)
    throw new CommandError(`${files.length} files are more than ${maxFiles}: upload them in parts`);
  if (files.length === 0)
    throw new CommandError(`no file to index in ${paths.join(', ')}: the kinds are ${[...readable].join(' ')}`);
  return { files: withDistinctPaths(files), leftOut };
}

const isReadable = (file: string) => readable.has(extname(file).toLowerCase());

// Two paths may have files of the same name: as many parent folders as needed make the paths distinct.
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

/** Returns the messages of an upload, in order. */
export async function* uploadMessages(
  corpus: string,
  files: readonly UploadFile[],
  options: UploadOptions = {},
): AsyncIterable<IngestDocumentsRequest> {
  const message = (part: IngestDocumentsRequest['part']) => create(IngestDocumentsRequestSchema, { part });
  yield create(IngestDocumentsRequestSchema, {
    part: { case: 'start', value: { corpus, deleteMissing: options.deleteMissing ?? false } },
  });
  for (const { file, path, sizeBytes } of files) {
    yield create(IngestDocumentsRequestSchema, {
      part: { case: 'file', value: { path, sizeBytes: BigInt(sizeBytes), ...describe(path, options) } },
    });
    for await (const data of createReadStream(file, { highWaterMark: messageBytes })) {
      yield message({ case: 'data', value: data as Uint8Array });
    }
  }
}

const tables = /\.(?:csv|tsv|tab|xlsx|xlsm|xlsb|xls|ods)$/i;
const packed = /\.(?:pdf|do[ct]\w|xls\w?|pp[ts]\w|pot\w|od\w|zip)$/i;
const texts = /\.(?:md|markdown|mdown|mdx|html?|xhtml|txt|text|srt|vtt|csv|tsv|tab|json|jsonl|ndjson)$/i;

function describe(path: string, { columns, charset, password }: UploadOptions) {
  return {
    ...(columns !== undefined && tables.test(path) && { columns: { ...columns } }),
    ...(charset !== undefined && texts.test(path) && { mediaType: `text/plain; charset=${charset}` }),
    ...(password !== undefined && packed.test(path) && { password }),
  };
}
