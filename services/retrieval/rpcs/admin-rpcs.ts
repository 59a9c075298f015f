import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ServiceImpl } from '@connectrpc/connect';
import {
  type IndexAdminService,
  type IndexVersion,
  IndexVersionSchema,
} from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { callerOf } from '#kit/rpc/context.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { stateOf, toTermRecord } from '../convert.ts';
import type { TenantIndices } from '../index/tenant-indices.ts';
import { corpusNotFound, corpusOf, type Versions } from '../index/versions.ts';
import { changeIndex } from './change-index.ts';

/** Parts of the service that the rpcs for operators use. */
export interface AdminRpcDeps {
  catalog: Catalog;
  indices: TenantIndices;
  versions: Versions;
}

/** Returns the rpcs for operators: terms and versions. */
export function createAdminRpcs({ catalog, indices, versions }: AdminRpcDeps): ServiceImpl<typeof IndexAdminService> {
  return {
    putTerms: ({ terms }, context) =>
      changeIndex(indices, context, async (index) => {
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

    rollbackVersion: ({ corpus, version }, context) =>
      changeIndex(indices, context, async (index) => ({
        revision: await versions.rollback(index, corpus, Number(version)),
      })),
  };
}
