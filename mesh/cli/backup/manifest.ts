import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { CommandError } from '../command.ts';

/** The name of the file that makes a folder a backup. It is written last: a folder without it is not a backup. */
export const manifestName = 'backup.json';

const fileSchema = z.strictObject({
  /** Relative to the folder, with `/`. */
  path: z.string().refine((path) => !isAbsolute(path) && !normalize(path).startsWith('..'), 'leaves the folder'),
  sizeBytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const manifestSchema = z.strictObject({
  format: z.literal(1),
  /** Time of the state that the backup holds, RFC 3339. */
  createdAt: z.string(),
  files: z.array(fileSchema),
});

/** A file of a backup. */
export type BackupFile = z.infer<typeof fileSchema>;

/** What a backup holds. */
export type Manifest = z.infer<typeof manifestSchema>;

/** Reads the manifest of a backup. Throws CommandError if the folder is not one. */
export function readManifest(folder: string): Manifest {
  const path = join(folder, manifestName);
  if (!existsSync(path)) {
    throw new CommandError(
      `${folder} is not a backup: it has no ${manifestName}. Name a folder that \`npm run backup\` has written`,
    );
  }
  const parsed = manifestSchema.safeParse(parseJson(path));
  if (!parsed.success) throw new CommandError(`${path} is damaged: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CommandError(`${path} is damaged: it is not JSON`, { cause: error });
  }
}

/** Copies a file, or its first `maxBytes`, durably, and returns the size and checksum of the copy. `mode`: its permissions. */
export async function copyFile(
  from: string,
  to: string,
  mode: number,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<Omit<BackupFile, 'path'>> {
  mkdirSync(dirname(to), { recursive: true });
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const measure = new Transform({
    transform(part: Buffer, _encoding, done) {
      hash.update(part);
      sizeBytes += part.byteLength;
      done(null, part);
    },
  });
  // A stream of no bytes cannot be asked for by its last one.
  const source = maxBytes === 0 ? Readable.from([]) : createReadStream(from, { end: maxBytes - 1 });
  await pipeline(source, measure, createWriteStream(to, { flags: 'wx', mode }));
  await syncFile(to);
  return { sizeBytes, sha256: hash.digest('hex') };
}

/** Returns the size and checksum of a file. */
export async function measureFile(path: string): Promise<Omit<BackupFile, 'path'>> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const part of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(part);
    sizeBytes += part.byteLength;
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

/** Makes a file durable. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
