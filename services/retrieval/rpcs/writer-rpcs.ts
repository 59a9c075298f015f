import type { IndexWriterService, WriteDocumentsRequest } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { ListedDocument } from '../catalog/documents.ts';
import { accessOf, toVersionTrial } from '../convert.ts';
import { type DocumentDeps, purgeDocuments, removeDocuments, writeDocuments } from '../index/documents.ts';
import type { IndexRegistry } from '../index/index-registry.ts';
import { countIndex, listDocuments } from '../index/list-documents.ts';
import { type PublishDeps, publishVersion } from '../index/publish.ts';
import { readIndex } from '../index/read-index.ts';
import { corpusNotFound, requireCorpus } from '../index/require.ts';
import type { TenantIndex } from '../index/tenant-index.ts';
import { abandonVersion, beginVersion } from '../index/versions.ts';
import type { Shadows } from '../trials/shadows.ts';
import { putTrial, trialOf } from '../trials/trial.ts';
import { changeIndex } from './change-index.ts';

/** What the rpcs need. */
export interface WriterRpcDeps extends PublishDeps, DocumentDeps {
  indices: IndexRegistry;
  shadows: Pick<Shadows, 'flush'>;
  /** Starts the stores' maintenance of a corpus in the background. */
  startMaintenance(tenant: string, corpusId: number): void;
}

/** Returns the rpcs for the indexer: IndexWriterService. */
export function createWriterRpcs(deps: WriterRpcDeps): ServiceHandlers<typeof IndexWriterService> {
  const { catalog, indices } = deps;
  return {
    beginVersion: ({ corpus, buildId, embeddingModel, dimensions }, context) =>
      changeIndex(indices, context, async (index) => {
        const space = { model: embeddingModel, dimensions };
        const { version, created } = await beginVersion(deps, index, corpus, buildId, space);
        return { version: BigInt(version), created };
      }),

    writeDocuments: (requests, context) =>
      indices.use(context.principal.tenant, (index) => writeBatches(deps, index, requests, context)),

    removeDocuments: ({ corpus, version, documentIds }, context) =>
      changeIndex(indices, context, async (index) => ({
        documentCount: BigInt(await removeDocuments(deps, index, corpus, Number(version), documentIds)),
      })),

    publishVersion: ({ corpus, version, expectedDocumentCount }, context) =>
      changeIndex(indices, context, async (index) => {
        const expected = expectedDocumentCount === undefined ? undefined : Number(expectedDocumentCount);
        const request = { corpus, version: Number(version), expectedDocumentCount: expected };
        const { revision, documentCount, chunkCount } = await publishVersion(deps, index, request);
        deps.startMaintenance(index.tenant, requireCorpus(index.view, corpus).corpusId);
        return { revision, documentCount: BigInt(documentCount), chunkCount: BigInt(chunkCount) };
      }),

    abandonVersion: ({ corpus, version }, context) =>
      changeIndex(indices, context, async (index) => {
        await abandonVersion(deps, index, corpus, Number(version));
        return {};
      }),

    purgeDocuments: ({ corpus, documentIds }, context) =>
      changeIndex(indices, context, async (index) => {
        const { revision, documentCount, chunkCount } = await purgeDocuments(deps, index, corpus, documentIds);
        return { revision, documentCount: BigInt(documentCount), chunkCount: BigInt(chunkCount) };
      }),

    async scrubIndex(_, { principal: { tenant } }) {
      await deps.keywords.scrub?.(tenant);
      await deps.vectors.scrub?.(tenant);
      await catalog.scrub(tenant);
      return {};
    },

    async *listIndexedDocuments({ corpus, version, anyVersion, documentIds }, context) {
      const principal = context.principal;
      const held = await indices.acquire(principal.tenant, context.signal);
      if (held === undefined) throw corpusNotFound(corpus);
      try {
        const selection = { corpus, version: Number(version), anyVersion, documentIds };
        for await (const page of listDocuments(catalog, held.index, principal, selection, context.signal)) {
          yield { documents: page.map(toIndexedDocument) };
        }
      } finally {
        held.release();
      }
    },

    putTrial: ({ corpus, version, canaryPercent, shadowPercent }, context) =>
      changeIndex(indices, context, async (index) => ({
        revision: await putTrial(deps, index, corpus, Number(version), { canaryPercent, shadowPercent }),
      })),

    async getTrial({ corpus: name }, context) {
      const { tenant } = context.principal;
      await deps.shadows.flush(tenant);
      return readIndex(indices, context, async (view) => {
        const corpus = requireCorpus(view, name);
        const trial = trialOf(corpus);
        const sums = trial && (await catalog.trials.sums(tenant, corpus.corpusId, trial.version, context.signal));
        return trial === undefined || sums === undefined ? {} : { trial: toVersionTrial(corpus, trial, sums) };
      });
    },

    async countIndex({ corpus, version }, context) {
      const held = await indices.acquire(context.principal.tenant, context.signal);
      if (held === undefined) throw corpusNotFound(corpus);
      try {
        return await countIndex(deps, held.index, corpus, Number(version), context.signal);
      } finally {
        held.release();
      }
    },
  };
}

// Writes batches in order. The next batch is received while one is being written.
async function writeBatches(
  deps: DocumentDeps,
  index: TenantIndex,
  requests: AsyncIterable<WriteDocumentsRequest>,
  context: CallContext,
): Promise<{ documentCount: bigint; chunkCount: bigint }> {
  let documentCount = 0;
  let chunkCount = 0;
  let writing: Promise<void> = Promise.resolve();
  const write = async ({ corpus, version, documents }: WriteDocumentsRequest) => {
    const written = await index.exclusive(context.signal, () =>
      writeDocuments(deps, index, corpus, Number(version), documents),
    );
    documentCount += written.documentCount;
    chunkCount += written.chunkCount;
  };
  try {
    for await (const request of requests) {
      await writing;
      writing = write(request);
      // The failure is handled by the next `await`; this only prevents an unhandled rejection until then.
      writing.catch(() => {});
    }
  } finally {
    await writing;
  }
  return { documentCount: BigInt(documentCount), chunkCount: BigInt(chunkCount) };
}

function toIndexedDocument({ documentId, contentHash, chunkCount, isComplete, groups }: ListedDocument) {
  return {
    documentId,
    // A document without a hash counts as changed, so the next build writes it again.
    contentHash: isComplete ? contentHash : new Uint8Array(),
    chunkCount,
    access: accessOf(groups),
  };
}
