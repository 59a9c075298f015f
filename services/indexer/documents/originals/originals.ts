import type { Database } from '#kit/storage/database.ts';
import type { PreparedDocument } from '../../prepare/prepared.ts';
import type { BlobStore } from '../../uploads/blob-store.ts';
import { createFileReader, UploadBytesError } from '../../uploads/file-reader.ts';
import type { RecordsSchema } from '../../uploads/records.ts';
import type { StagedFile, StagedUpload } from '../../uploads/uploads.ts';
import { type ContentKey, type CorpusScope, inParts } from '../document-store.ts';
import { isOriginal, nameOfOriginal } from './name.ts';

/** Files that are kept after their job, so that their pages can be shown. A content of a document names its file. */
export interface Originals {
  /** Keeps the files of documents, whose contents are stored, and names them there. Only PDFs that were uploaded as they are, without a password. */
  keep(
    scope: CorpusScope,
    upload: StagedUpload,
    documents: readonly PreparedDocument[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Names the files of earlier contents of documents in new ones, which were made without an upload: an edit, another model. */
  carry(scope: CorpusScope, documents: readonly ContentKey[]): Promise<void>;
  /** Returns the name of the file of a content; `undefined` if none is there. */
  find(scope: CorpusScope, content: ContentKey, signal: AbortSignal): Promise<string | undefined>;
  /** Yields the bytes of a file. Throws UploadBytesError if it is gone. */
  read(name: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Removes the files of every content of documents, before their contents. Returns their number. */
  remove(scope: CorpusScope, documentIds: readonly string[]): Promise<number>;
  /** Removes files that no content names and that were written more than `graceMs` ago. Returns their number. */
  sweep(graceMs: number, nowMs: number, signal: AbortSignal): Promise<number>;
}

const windowBytes = 4 << 20;

/** Creates the originals, in the store of uploads. */
export function createOriginals(db: Database<RecordsSchema>, blobs: BlobStore): Originals {
  const name = async ({ tenant, corpus }: CorpusScope, { documentId, contentHash }: ContentKey, original: string) => {
    await db
      .updateTable('documents')
      .set({ original })
      .where('tenant', '=', tenant)
      .where('corpus', '=', corpus)
      .where('document_id', '=', documentId)
      .where('content_hash', '=', contentHash)
      .where('original', 'is', null)
      .execute();
  };
  const namedOf = async ({ tenant, corpus }: CorpusScope, documentIds: readonly string[]) =>
    db
      .selectFrom('documents')
      .select(['document_id', 'original'])
      .where('tenant', '=', tenant)
      .where('corpus', '=', corpus)
      .where('document_id', 'in', [...documentIds])
      .where('original', 'is not', null)
      .orderBy('indexed_at')
      .execute();
  return {
    async keep(scope, upload, documents, signal) {
      const readFile = createFileReader(async (offset, sizeBytes) => {
        const bytes = await upload.read(offset, sizeBytes, signal);
        if (bytes === undefined) throw new UploadBytesError('the files of the upload are gone');
        return bytes;
      });
      for (const document of documents) {
        const file = upload.files[document.origin.fileIndex];
        if (file?.sha256 === undefined || !hasPages(file, document)) continue;
        const original = nameOfOriginal(scope, file.path, file.sha256);
        // Named first: what is named is not swept, and a file that is not there is written by the next attempt.
        await name(scope, document, original);
        if ((await blobs.read(original, 0, 1, signal)) === undefined)
          await blobs.write(original, readFile(file), signal);
      }
    },
    async carry(scope, documents) {
      for (const part of inParts(documents)) {
        const ids = part.map(({ documentId }) => documentId);
        // The latest one is the last.
        const latest = new Map((await namedOf(scope, ids)).map((row) => [row.document_id, row.original]));
        for (const content of part) {
          const original = latest.get(content.documentId);
          if (typeof original === 'string') await name(scope, content, original);
        }
      }
    },
    async find({ tenant, corpus }, { documentId, contentHash }, signal) {
      const row = await db
        .selectFrom('documents')
        .select('original')
        .where('tenant', '=', tenant)
        .where('corpus', '=', corpus)
        .where('document_id', '=', documentId)
        .where('content_hash', '=', contentHash)
        .executeTakeFirst();
      const original = row?.original ?? undefined;
      // A move to other stores leaves the files behind.
      if (original === undefined || (await blobs.read(original, 0, 1, signal)) === undefined) return undefined;
      return original;
    },
    async *read(original, signal) {
      for (let offset = 0; ; offset += windowBytes) {
        const part = await blobs.read(original, offset, windowBytes, signal);
        if (part === undefined) throw new UploadBytesError('the original is gone');
        if (part.byteLength > 0) yield part;
        if (part.byteLength < windowBytes) return;
      }
    },
    async remove(scope, documentIds) {
      const names = new Set<string>();
      for (const part of inParts(documentIds)) {
        for (const { original } of await namedOf(scope, part)) if (original !== null) names.add(original);
      }
      for (const original of names) await blobs.remove(original);
      return names.size;
    },
    async sweep(graceMs, nowMs, signal) {
      let count = 0;
      for await (const { name: original, writtenAtMs } of blobs.list(signal)) {
        if (!isOriginal(original) || writtenAtMs > nowMs - graceMs) continue;
        const row = await db
          .selectFrom('documents')
          .select('document_id')
          .where('original', '=', original)
          .limit(1)
          .executeTakeFirst();
        if (row !== undefined) continue;
        await blobs.remove(original);
        count++;
      }
      return count;
    },
  };
}

/** Reports whether the document is this file, and its pages can be shown later: what is inside of archives and mails is no file of the upload. */
function hasPages({ path, mediaType, password }: StagedFile, { origin }: PreparedDocument): boolean {
  const isPdf = /\.pdf$/i.test(path) || mediaType.startsWith('application/pdf');
  return isPdf && origin.path === path && (password ?? '') === '';
}
