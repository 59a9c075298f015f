import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import type { IndexWriterService, WriteDocumentsRequest } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { callerOf } from '#kit/rpc/context.ts';
import { accessOf } from '../convert.ts';
import type { Documents } from '../index/documents.ts';
import type { TenantIndex } from '../index/tenant-index.ts';
import type { TenantIndices } from '../index/tenant-indices.ts';
import { corpusNotFound, corpusOf, type Versions } from '../index/versions.ts';
import { changeIndex } from './change-index.ts';

/** Parts of the service that the rpcs for the indexer use. */
export interface WriterRpcDeps {
  indices: TenantIndices;
  versions: Versions;
  documents: Documents;
  /** Starts the stores' work after a publish, in the background. */
  settle(tenant: string, corpusId: number): void;
}

/** Returns the rpcs for the indexer. */
export function createWriterRpcs(deps: WriterRpcDeps): ServiceImpl<typeof IndexWriterService> {
  const { indices, versions, documents, settle } = deps;
  return {
    beginVersion: ({ corpus, buildId, embeddingModel, dimensions }, context) =>
      changeIndex(indices, context, async (index) => {
        const begun = await versions.begin(index, corpus, buildId, { model: embeddingModel, dimensions });
        return { ...begun, version: BigInt(begun.version) };
      }),

    writeDocuments: (requests, context) =>
      indices.use(callerOf(context).tenant, (index) => writeAll(documents, index, requests, context)),

    removeDocuments: ({ corpus, version, documentIds }, context) =>
      changeIndex(indices, context, async (index) => ({
        documentCount: BigInt(await documents.remove(index, corpus, Number(version), documentIds)),
      })),

    publishVersion: ({ corpus, version, expectedDocumentCount }, context) =>
      changeIndex(indices, context, async (index) => {
        const expected = expectedDocumentCount === undefined ? undefined : Number(expectedDocumentCount);
        const published = await versions.publish(index, corpus, Number(version), expected);
        settle(index.tenant, corpusOf(index.state.corpora, corpus).corpusId);
        return {
          revision: published.revision,
          documentCount: BigInt(published.documentCount),
          chunkCount: BigInt(published.chunkCount),
        };
      }),

    abandonVersion: ({ corpus, version }, context) =>
      changeIndex(indices, context, async (index) => {
        await versions.abandon(index, corpus, Number(version));
        return {};
      }),

    purgeDocuments: ({ corpus, documentIds }, context) =>
      changeIndex(indices, context, async (index) => {
        const purged = await documents.purge(index, corpus, documentIds);
        return {
          documentCount: BigInt(purged.documentCount),
          chunkCount: BigInt(purged.chunkCount),
          revision: purged.revision,
        };
      }),

    async *listIndexedDocuments({ corpus, version, anyVersion, documentIds }, context) {
      const principal = callerOf(context);
      const held = await indices.acquire(principal.tenant);
      if (held === undefined) throw corpusNotFound(corpus);
      try {
        const listing = { corpus, version: Number(version), anyVersion, documentIds };
        for await (const page of documents.list(held.index, principal, listing, context.signal)) {
          yield {
            documents: page.map(({ documentId, contentHash, chunkCount, isSound, groups }) => ({
              documentId,
              // Without a hash a document counts as changed, and the next build writes it again.
              contentHash: isSound ? contentHash : new Uint8Array(),
              chunkCount,
              access: accessOf(groups),
            })),
          };
        }
      } finally {
        held.release();
      }
    },

    async countIndex({ corpus, version }, context) {
      const held = await indices.acquire(callerOf(context).tenant);
      if (held === undefined) throw corpusNotFound(corpus);
      try {
        return await documents.count(held.index, corpus, Number(version), context.signal);
      } finally {
        held.release();
      }
    },
  };
}

/** Writes batches in order. Reads the next batch while one is being written. */
async function writeAll(
  documents: Documents,
  index: TenantIndex,
  requests: AsyncIterable<WriteDocumentsRequest>,
  context: HandlerContext,
): Promise<{ documentCount: bigint; chunkCount: bigint }> {
  let documentCount = 0;
  let chunkCount = 0;
  let writing: Promise<void> = Promise.resolve();
  const write = async ({ corpus, version, documents: batch }: WriteDocumentsRequest) => {
    const written = await index.exclusive(context.signal, () => documents.write(index, corpus, Number(version), batch));
    documentCount += written.documentCount;
    chunkCount += written.chunkCount;
  };
  try {
    for await (const request of requests) {
      await writing;
      writing = write(request);
      // The next round awaits it; without this, a failure before that counts as unhandled.
      writing.catch(() => {});
    }
  } finally {
    await writing;
  }
  return { documentCount: BigInt(documentCount), chunkCount: BigInt(chunkCount) };
}
