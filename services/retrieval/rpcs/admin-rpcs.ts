import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  type IndexAdminService,
  type IndexVersion,
  IndexVersionSchema,
} from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { AccessChangeDeps } from '../access/apply-changes.ts';
import type { TermRecord } from '../catalog/terms.ts';
import type { VersionCounts } from '../catalog/version-contents.ts';
import type { VersionRecord } from '../catalog/versions.ts';
import { toTermRecord, versionStateOf } from '../convert.ts';
import type { IndexRegistry } from '../index/index-registry.ts';
import { corpusNotFound, requireCorpus } from '../index/require.ts';
import { rollbackVersion } from '../index/versions.ts';
import { changeIndex } from './change-index.ts';

/** What the rpcs need. */
export interface AdminRpcDeps extends AccessChangeDeps {
  indices: IndexRegistry;
}

/** Returns the rpcs for operators: IndexAdminService. */
export function createAdminRpcs(deps: AdminRpcDeps): ServiceHandlers<typeof IndexAdminService> {
  const { catalog, indices } = deps;
  return {
    putTerms: ({ terms, expectedEtag }, context) =>
      changeIndex(indices, context, async (index) => {
        if (expectedEtag !== '' && expectedEtag !== termsEtag(index.view.terms.record)) {
          const message = 'the terms have changed since they were read: read them again, and make the change again';
          throw rpcError(Code.Aborted, ErrorReason.CHANGED_MEANWHILE, message);
        }
        const record = toTermRecord(terms);
        await catalog.terms.put(index.tenant, record);
        return { revision: (await index.reload()).revision, etag: termsEtag(record) };
      }),

    async getTerms(_request, context) {
      const held = await indices.acquire(context.principal.tenant, context.signal);
      if (held === undefined) return { terms: {}, etag: termsEtag({ groups: [], protectedTerms: [] }) };
      const { record } = held.index.view.terms;
      held.release();
      const groups = record.groups.map((terms) => ({ terms: [...terms] }));
      return { terms: { groups, protectedTerms: [...record.protectedTerms] }, etag: termsEtag(record) };
    },

    async listVersions({ corpus: name }, context) {
      const { tenant } = context.principal;
      const held = await indices.acquire(tenant, context.signal);
      if (held === undefined) throw corpusNotFound(name);
      try {
        const { corpusId, live, versions } = requireCorpus(held.index.view, name);
        const listed = versions.map(async (version) =>
          toIndexVersion(version, live, await catalog.contents.count(tenant, corpusId, version.version, version)),
        );
        return { versions: (await Promise.all(listed)).reverse() };
      } finally {
        held.release();
      }
    },

    rollbackVersion: ({ corpus, version }, context) =>
      changeIndex(indices, context, async (index) => ({
        revision: await rollbackVersion(deps, index, corpus, Number(version)),
      })),
  };
}

/** Returns a name of the terms that changes with each of their words. */
function termsEtag({ groups, protectedTerms }: TermRecord): string {
  return createHash('sha256')
    .update(JSON.stringify([groups, protectedTerms]))
    .digest('base64url');
}

function toIndexVersion(version: VersionRecord, live: number, counts: VersionCounts): IndexVersion {
  return create(IndexVersionSchema, {
    version: BigInt(version.version),
    state: versionStateOf(version, live),
    documentCount: BigInt(counts.documentCount),
    chunkCount: BigInt(counts.chunkCount),
    embeddingModel: version.model,
    dimensions: version.dimensions,
    begunAt: timestampFromMs(version.begunMs),
    ...(version.publishedMs !== undefined && { publishedAt: timestampFromMs(version.publishedMs) }),
  });
}
