import { createHash } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { isOriginal } from '../documents/originals/name.ts';
import type { BlobStore } from './blob-store.ts';

/** What a source that stays in step says of a file. */
export interface FromSource {
  /** Address at which a person reads its documents, in place of what they say themselves; empty if the source knows none. */
  url: string;
  /** Whether the groups of the file also apply to documents that name groups of their own. */
  hasFixedGroups: boolean;
  /** Whether the file is gone at its source, so that its documents are removed. It has no bytes. */
  isRemoved: boolean;
}

/** A file of a staged upload. */
export interface StagedFile {
  path: string;
  /** Media type from the upload, in lower case; empty if there is none. */
  mediaType: string;
  /** Position of its first byte in the upload. */
  offset: number;
  sizeBytes: number;
  /** Of its bytes, in hex; `undefined` if an earlier release stored the upload. */
  sha256?: string | undefined;
  /** Groups that may see its documents, unless a document says otherwise; empty: everyone in the tenant. */
  groups: readonly string[];
  attributes: Readonly<Record<string, string>>;
  /** Of a table: what its columns mean; uploads of an earlier release have none. */
  columns?: Readonly<Record<string, string>>;
  /** Password of an encrypted file. */
  password?: string;
  /** Set if a source gave the file. */
  fromSource?: FromSource;
}

/** An upload whose bytes are durable. */
export interface StagedUpload {
  files: readonly StagedFile[];
  /** Returns at most `sizeBytes` of the bytes of all files, one after another; `undefined` if they are gone. */
  read(offset: number, sizeBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

/** Stores the bytes of uploads until their jobs are done. */
export interface Uploads {
  /**
   * Stores an upload: its bytes, then what `filesOf` returns after their end. Once it resolves, the upload survives a kill; if it
   * rejects, nothing is left, or what is left is removed later. An error that `bytes` throws comes back unchanged.
   */
  store(
    jobId: string,
    bytes: AsyncIterable<Uint8Array>,
    filesOf: () => readonly StagedFile[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Returns a finished upload; `undefined` if it is gone. */
  find(jobId: string, signal: AbortSignal): Promise<StagedUpload | undefined>;
  /** Removes an upload, if it exists. */
  remove(jobId: string): Promise<void>;
  /** Returns the ids of jobs with stored bytes, finished or not, each with the time of its last write. */
  list(signal: AbortSignal): Promise<Map<string, number>>;
}

/** Bytes of one read of an index. */
const windowBytes = 8 << 20;

/**
 * Creates the uploads in a store. An upload is two blobs: `<job>.bytes`, then `<job>.json` with the position of each file. One blob for
 * all bytes needs one fsync or one request, for any number of files.
 */
export function createUploads(store: BlobStore): Uploads {
  const bytesOf = (jobId: string) => `${jobId}.bytes`;
  const indexOf = (jobId: string) => `${jobId}.json`;
  const remove = async (jobId: string) => {
    // The index first: without it, the upload does not exist.
    await store.remove(indexOf(jobId));
    await store.remove(bytesOf(jobId));
  };
  return {
    async store(jobId, bytes, filesOf, signal) {
      await store.write(bytesOf(jobId), bytes, signal);
      try {
        await store.write(indexOf(jobId), indexBytes(filesOf()), signal);
      } catch (error) {
        await remove(jobId).catch(() => {});
        throw error;
      }
    },

    async find(jobId, signal) {
      const text = await readText(store, indexOf(jobId), signal);
      if (text === undefined) return undefined;
      return {
        files: filesOfText(jobId, text),
        read: (offset, sizeBytes, reading) => store.read(bytesOf(jobId), offset, sizeBytes, reading),
      };
    },

    remove,

    async list(signal) {
      const found = new Map<string, number>();
      for await (const { name, writtenAtMs } of store.list(signal)) {
        if (isOriginal(name)) continue;
        const jobId = name.replace(/\.(?:bytes|json)$/, '');
        found.set(jobId, Math.max(writtenAtMs, found.get(jobId) ?? 0));
      }
      return found;
    },
  };
}

async function* indexBytes(files: readonly StagedFile[]): AsyncIterable<Uint8Array> {
  const text = JSON.stringify(files);
  yield Buffer.from(`${text}\n${sha256Of(text)}`);
}

/** Reads an index. Its second line is the SHA-256 of the first; indexes of earlier releases have one line. */
function filesOfText(jobId: string, text: string): StagedFile[] {
  const [index = '', sha256] = text.split('\n');
  if (sha256 !== undefined && sha256 !== sha256Of(index))
    throw damaged(`the stored index of the upload ${jobId} is damaged`);
  return JSON.parse(index) as StagedFile[];
}

async function readText(store: BlobStore, name: string, signal: AbortSignal): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  for (let offset = 0; ; offset += windowBytes) {
    const part = await store.read(name, offset, windowBytes, signal);
    if (part === undefined) return undefined;
    parts.push(part);
    if (part.byteLength < windowBytes) return Buffer.concat(parts).toString('utf8');
  }
}

const sha256Of = (text: string) => createHash('sha256').update(text).digest('hex');

/** Returns the error for stored bytes that are not those which were uploaded. */
export function damaged(what: string): Error {
  return rpcError(Code.DataLoss, ErrorReason.DOCUMENT_CORRUPT, `${what}: upload it again`);
}
