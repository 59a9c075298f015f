import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type CallOptions, type Client, Code, ConnectError } from '@connectrpc/connect';
import { type AccessList, Language, type Vector } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  type IndexDocument,
  IndexDocumentSchema,
  type IndexWriterService,
  type WriteDocumentsRequest,
  WriteDocumentsRequestSchema,
} from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { errorInfoOf, hasReason } from '#kit/base/errors.ts';
import { inParts } from '../../documents/document-store.ts';
import { chunkIdOf } from '../../prepare/content-hash.ts';
import type { PreparedDocument } from '../../prepare/prepared.ts';
import { StaleBuildError } from './job-run.ts';

/** The rpcs of the index that the indexer calls. */
export type IndexWriter = Omit<Client<typeof IndexWriterService>, 'countIndex'>;

/** A document with the vectors of its chunks, in their order. */
export interface EmbeddedDocument {
  document: PreparedDocument;
  vectors: readonly Vector[];
}

/** A version that another build has begun and not finished. */
export interface UnfinishedVersion {
  version: bigint;
  buildId: string;
}

/** A version to write into, or the unfinished version that blocks it. */
export type Begun = { kind: 'begun'; version: bigint; created: boolean } | { kind: 'blocked'; by: UnfinishedVersion };

/** A document as the index holds it. */
export interface IndexEntry {
  /** SHA-256 in hex; empty for a document that must be written again. */
  contentHash: string;
  /** Its current access list. */
  access: AccessList | undefined;
  chunkCount: number;
}

/** The index of one corpus of one tenant. */
export interface IndexClient {
  /** Returns content hashes in hex, by id, of those documents that the version holds; version 0 is the live one. */
  hashes(version: bigint, documentIds: readonly string[]): Promise<Map<string, string>>;
  /** Returns hashes and access lists, by id, of those documents that the version holds; version 0 is the live one. */
  entries(version: bigint, documentIds: readonly string[]): Promise<Map<string, IndexEntry>>;
  /** Returns those documents that any published version holds, as in the newest version that holds each. */
  entriesOfAnyVersion(documentIds: readonly string[]): Promise<Map<string, IndexEntry>>;
  /** Returns content hashes like `hashes`, and none if the version no longer exists. */
  hashesIfKept(version: bigint, documentIds: readonly string[]): Promise<Map<string, string>>;
  /** Yields all documents of the live version. */
  liveEntries(): AsyncIterable<{ documentId: string; access?: AccessList | undefined }>;
  begin(buildId: string, model: string, dimensions: number): Promise<Begun>;
  write(version: bigint, documents: readonly EmbeddedDocument[]): Promise<void>;
  remove(version: bigint, documentIds: readonly string[]): Promise<void>;
  publish(version: bigint, expectedDocumentCount: bigint): Promise<string>;
  /** Puts a version that is not published on trial, or ends its trial if both shares are 0. Each share is of 100. */
  putTrial(version: bigint, shares: { canaryPercent: number; shadowPercent: number }): Promise<void>;
  /** Drops a version. Returns `false` if it was already published. */
  abandon(version: bigint): Promise<boolean>;
}

/** Ids in a request. With 512 characters each, they are far below the message limit. */
const idsMax = 1000;
const messageBytesMax = 2 << 20;

/** Creates a client; `call` returns new call options for each call. */
export function createIndexClient(writer: IndexWriter, corpus: string, call: () => Promise<CallOptions>): IndexClient {
  const list = async (of: { version: bigint } | { anyVersion: true }, documentIds: readonly string[]) => {
    const entries = new Map<string, IndexEntry>();
    for (const part of inParts(documentIds, idsMax)) {
      const pages = writer.listIndexedDocuments({ corpus, ...of, documentIds: part }, await call());
      for await (const { documents } of pages) {
        for (const { documentId, contentHash, access, chunkCount } of documents)
          entries.set(documentId, { contentHash: Buffer.from(contentHash).toString('hex'), access, chunkCount });
      }
    }
    return entries;
  };
  const entriesOf = (version: bigint, documentIds: readonly string[]): Promise<Map<string, IndexEntry>> =>
    version === 0n
      ? unless([Code.NotFound], () => list({ version }, documentIds), new Map())
      : building(() => list({ version }, documentIds));
  return {
    // A corpus that does not exist yet holds nothing; a version that is being built must exist.
    entries: entriesOf,

    hashes: async (version, documentIds) => hashesOf(await entriesOf(version, documentIds)),

    entriesOfAnyVersion: (documentIds) =>
      unless([Code.NotFound], () => list({ anyVersion: true }, documentIds), new Map()),

    hashesIfKept: (version, documentIds) =>
      unless(
        [Code.NotFound, Code.FailedPrecondition],
        async () => hashesOf(await list({ version }, documentIds)),
        new Map(),
      ),

    async *liveEntries() {
      const pages = writer.listIndexedDocuments({ corpus }, await call());
      try {
        for await (const { documents } of pages) yield* documents;
      } catch (error) {
        if (!isCode(error, Code.NotFound)) throw error;
      }
    },

    async begin(buildId, embeddingModel, dimensions) {
      try {
        const begun = await writer.beginVersion({ corpus, buildId, embeddingModel, dimensions }, await call());
        return { kind: 'begun', version: begun.version, created: begun.created };
      } catch (error) {
        const { version, build_id: other } = errorInfoOf(error)?.metadata ?? {};
        if (!hasReason(error, ErrorReason.VERSION_STATE) || !version || !other || other === buildId) throw error;
        return { kind: 'blocked', by: { version: BigInt(version), buildId: other } };
      }
    },

    write: (version, documents) =>
      building(async () => void (await writer.writeDocuments(messagesOf(corpus, version, documents), await call()))),

    remove: (version, documentIds) =>
      building(async () => {
        for (const part of inParts(documentIds, idsMax)) {
          await writer.removeDocuments({ corpus, version, documentIds: part }, await call());
        }
      }),

    publish: (version, expectedDocumentCount) =>
      building(async () => {
        const { revision } = await writer.publishVersion({ corpus, version, expectedDocumentCount }, await call());
        return revision;
      }),

    putTrial: (version, shares) =>
      building(async () => void (await writer.putTrial({ corpus, version, ...shares }, await call()))),

    async abandon(version) {
      try {
        await writer.abandonVersion({ corpus, version }, await call());
        return true;
      } catch (error) {
        if (isCode(error, Code.NotFound)) return true;
        if (isCode(error, Code.FailedPrecondition)) return false;
        throw error;
      }
    },
  };
}

const hashesOf = (entries: ReadonlyMap<string, IndexEntry>) =>
  new Map([...entries].map(([documentId, { contentHash }]) => [documentId, contentHash]));

/** Returns the revision of a corpus; empty if the caller sees no such corpus. */
export async function revisionOf(
  retrieval: Pick<Client<typeof RetrievalService>, 'listCorpora'>,
  corpus: string,
  options: CallOptions,
): Promise<string> {
  const { corpora } = await retrieval.listCorpora({}, options);
  return corpora.find(({ name }) => name === corpus)?.revision ?? '';
}

/** Runs a call on a version that is being built. Throws StaleBuildError if the version is gone or in another state. */
async function building<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isCode(error, Code.FailedPrecondition) && !isCode(error, Code.NotFound)) throw error;
    throw new StaleBuildError(`the version must be built again: ${(error as ConnectError).rawMessage}`, {
      cause: error,
    });
  }
}

/** Returns the result of `work`, or `otherwise` if it fails with one of the codes. */
async function unless<T>(codes: readonly Code[], work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (codes.some((code) => isCode(error, code))) return otherwise;
    throw error;
  }
}

function isCode(error: unknown, code: Code): boolean {
  return error instanceof ConnectError && error.code === code;
}

async function* messagesOf(
  corpus: string,
  version: bigint,
  documents: readonly EmbeddedDocument[],
): AsyncIterable<WriteDocumentsRequest> {
  let open: IndexDocument[] = [];
  let openBytes = 0;
  const take = () => {
    const message = create(WriteDocumentsRequestSchema, { corpus, version, documents: open });
    open = [];
    openBytes = 0;
    return message;
  };
  for (const embedded of documents) {
    const sizeBytes = sizeOf(embedded);
    if (open.length > 0 && (openBytes + sizeBytes > messageBytesMax || open.length >= 1000)) yield take();
    open.push(toIndexDocument(corpus, embedded));
    openBytes += sizeBytes;
  }
  if (open.length > 0) yield take();
}

function sizeOf({ document, vectors }: EmbeddedDocument): number {
  const vectorBytes = vectors.reduce((sum, { kind }) => sum + (kind.value?.values.byteLength ?? 0), 0);
  const textLength = document.chunks.reduce((sum, { start, end }) => sum + end - start, 0);
  return 4096 + textLength * 3 + vectorBytes + document.chunks.length * 512;
}

function toIndexDocument(corpus: string, { document, vectors }: EmbeddedDocument): IndexDocument {
  const { documentId, title, url, groups, attributes, updatedAtMs, contentHash, text, chunks } = document;
  return create(IndexDocumentSchema, {
    documentId,
    title,
    url,
    access: { groups: [...groups] },
    attributes: { ...attributes },
    ...(updatedAtMs !== undefined && { updatedAt: timestampFromMs(updatedAtMs) }),
    contentHash: Buffer.from(contentHash, 'hex'),
    chunks: chunks.map(({ start, end, headingPath, language, regions = [], boost = 0, context }, ordinal) => ({
      chunkId: chunkIdOf(corpus, documentId, ordinal, contentHash),
      ordinal,
      text: text.slice(start, end),
      headingPath,
      regions: [...regions],
      boost,
      context: context?.text ?? '',
      language: toLanguage(language === 'und' ? document.language : language),
      startOffset: start,
      endOffset: end,
      vector: vectors[ordinal] as Vector,
    })),
  });
}

/** Returns the language of the contract for a language tag. */
export function toLanguage(language: string): Language {
  return language === 'zh' ? Language.ZH : language === 'en' ? Language.EN : Language.UNSPECIFIED;
}
