import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import {
  type IndexAdminService,
  type IndexVersion,
  IndexVersionSchema,
} from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import type { IndexWriterService, WriteDocumentsRequest } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { callerOf } from '#kit/rpc/context.ts';
import { accessOf, stateOf, toCorpus, toPassage, toTermRecord } from './convert.ts';
import { carryOutAccessChanges } from './index/access-changes.ts';
import { createDocuments } from './index/documents.ts';
import type { TenantIndex } from './index/tenant-index.ts';
import { createTenantIndices } from './index/tenant-indices.ts';
import { type CorpusState, isVisible } from './index/tenant-state.ts';
import { corpusNotFound, corpusOf, createVersions, type IndexParts } from './index/versions.ts';
import { explain } from './search/explain/explain.ts';
import { retrieve, type SearchDeps } from './search/search.ts';

/** What the service is made of. */
export interface RetrievalDeps extends IndexParts, Omit<SearchDeps, keyof IndexParts | 'indices'> {}

/** The rpcs of all contracts of the service. */
export type RetrievalRpcs = ServiceImpl<typeof RetrievalService> &
  ServiceImpl<typeof IndexAdminService> &
  ServiceImpl<typeof IndexWriterService>;

/** The rpcs, and the end of what runs behind them. */
export interface Retrieval {
  impl: RetrievalRpcs;
  /** Resolves when every accepted change is done and nothing runs in the background. */
  close(): Promise<void>;
}

/** The rpcs of the retrieval service. */
export function createRetrieval(deps: RetrievalDeps): Retrieval {
  const { catalog, vectors, keywords, log, settings } = deps;
  const versions = createVersions(deps, settings.keptVersions);
  const documents = createDocuments(deps);
  const indices = createTenantIndices(catalog, async (index) => {
    await documents.finishPurges(index);
    await versions.recover(index);
    await carryOutAccessChanges(deps, index.tenant);
  });
  const closing = new AbortController();
  const background = new Set<Promise<void>>();

  /** Runs a change of the caller's index. */
  const change = <T>(context: HandlerContext, work: (index: TenantIndex) => Promise<T>): Promise<T> =>
    indices.use(callerOf(context).tenant, (index) => index.exclusive(context.signal, () => work(index)));
  const settle = (tenant: string, corpusId: number) => {
    const work = Promise.all([
      vectors.settle(tenant, corpusId, closing.signal),
      keywords.settle(tenant, corpusId, closing.signal),
    ])
      .then(
        () => {},
        (error) => log.warn({ tenant, err: error }, 'index not tidied up'),
      )
      .finally(() => background.delete(work));
    background.add(work);
  };

  const impl: RetrievalRpcs = {
    retrieve: (request, context) => retrieve({ ...deps, indices }, request, context),

    explain: (request, context) => explain({ ...deps, indices }, request, context),

    putTerms: ({ terms }, context) =>
      change(context, async (index) => {
        await catalog.terms.put(index.tenant, toTermRecord(terms));
        return { revision: (await index.reload()).revision };
      }),

    async getTerms(_request, context) {
      const held = await indices.acquire(callerOf(context).tenant);
      if (held === undefined) return { terms: {} };
      const { groups, protectedTerms } = held.index.state.terms.record;
      held.release();
      return { terms: { groups: groups.map((terms) => ({ terms: [...terms] })), protectedTerms: [...protectedTerms] } };
    },

    async getPassages({ chunkIds }, context) {
      const principal = callerOf(context);
      const held = await indices.acquire(principal.tenant);
      if (held === undefined) return { passages: [] };
      const { state, end } = held.index.beginRead();
      try {
        const corpora = new Map([...state.corpora.values()].map((corpus) => [corpus.corpusId, corpus]));
        const scope = {
          corpora: [...corpora.values()].map(({ corpusId, live }) => ({ corpusId, version: live })),
          aclIds: state.aclIdsOf(principal),
          filter: undefined,
        };
        const wanted = chunkIds.map((id) => id.toWellFormed());
        const records = await catalog.documents.livePassages(principal.tenant, wanted, scope, context.signal);
        // The first of each id: a second one would break the order that the caller counts on.
        const first = records.filter(({ chunkId }, position) => records[position - 1]?.chunkId !== chunkId);
        return { passages: first.map((record) => toPassage(record, corpora.get(record.corpusId) as CorpusState)) };
      } finally {
        end();
        held.release();
      }
    },

    async listCorpora(_request, context) {
      const principal = callerOf(context);
      const held = await indices.acquire(principal.tenant);
      if (held === undefined) return { corpora: [] };
      const { state } = held.index;
      held.release();
      const visible = [...state.corpora.values()].filter((corpus) => isVisible(state, corpus, principal));
      return { corpora: visible.map((corpus) => toCorpus(state, corpus, state.visibleCounts(corpus, principal))) };
    },

    beginVersion: ({ corpus, buildId, embeddingModel, dimensions }, context) =>
      change(context, async (index) => {
        const begun = await versions.begin(index, corpus, buildId, { model: embeddingModel, dimensions });
        return { ...begun, version: BigInt(begun.version) };
      }),

    writeDocuments: (requests, context) =>
      indices.use(callerOf(context).tenant, (index) => writeAll(index, requests, context)),

    removeDocuments: ({ corpus, version, documentIds }, context) =>
      change(context, async (index) => ({
        documentCount: BigInt(await documents.remove(index, corpus, Number(version), documentIds)),
      })),

    publishVersion: ({ corpus, version, expectedDocumentCount }, context) =>
      change(context, async (index) => {
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
      change(context, async (index) => {
        await versions.abandon(index, corpus, Number(version));
        return {};
      }),

    rollbackVersion: ({ corpus, version }, context) =>
      change(context, async (index) => ({ revision: await versions.rollback(index, corpus, Number(version)) })),

    async listVersions({ corpus: name }, context) {
      const { tenant } = callerOf(context);
      const held = await indices.acquire(tenant);
      if (held === undefined) throw corpusNotFound(name);
      try {
        const corpus = corpusOf(held.index.state.corpora, name);
        const listed = corpus.versions.map(async (version): Promise<IndexVersion> => {
          const counts = await catalog.documents.count(tenant, corpus.corpusId, version.version, version);
          return create(IndexVersionSchema, {
            version: BigInt(version.version),
            state: stateOf(version, corpus.live),
            documentCount: BigInt(counts.documentCount),
            chunkCount: BigInt(counts.chunkCount),
            embeddingModel: version.model,
            dimensions: version.dimensions,
            begunAt: timestampFromMs(version.begunMs),
            ...(version.publishedMs !== undefined && { publishedAt: timestampFromMs(version.publishedMs) }),
          });
        });
        return { versions: (await Promise.all(listed)).reverse() };
      } finally {
        held.release();
      }
    },

    purgeDocuments: ({ corpus, documentIds }, context) =>
      change(context, async (index) => {
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

  /** Writes batches in order; the next one is asked for while one is being written. */
  async function writeAll(
    index: TenantIndex,
    requests: AsyncIterable<WriteDocumentsRequest>,
    context: HandlerContext,
  ): Promise<{ documentCount: bigint; chunkCount: bigint }> {
    let documentCount = 0;
    let chunkCount = 0;
    let writing: Promise<void> = Promise.resolve();
    const write = async ({ corpus, version, documents: batch }: WriteDocumentsRequest) => {
      const written = await index.exclusive(context.signal, () =>
        documents.write(index, corpus, Number(version), batch),
      );
      documentCount += written.documentCount;
      chunkCount += written.chunkCount;
    };
    try {
      for await (const request of requests) {
        await writing;
        writing = write(request);
        // It is awaited below; until then its failure is not forgotten, only not yet looked at.
        writing.catch(() => {});
      }
    } finally {
      await writing;
    }
    return { documentCount: BigInt(documentCount), chunkCount: BigInt(chunkCount) };
  }

  return {
    impl,
    async close() {
      closing.abort();
      await indices.settled();
      await Promise.all(background);
    },
  };
}
