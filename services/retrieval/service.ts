import type { ServiceImpl } from '@connectrpc/connect';
import type { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import type { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { carryOutAccessChanges } from './index/access-changes.ts';
import { createDocuments } from './index/documents.ts';
import { createTenantIndices } from './index/tenant-indices.ts';
import { createVersions, type IndexParts } from './index/versions.ts';
import { createAdminRpcs } from './rpcs/admin-rpcs.ts';
import { createReaderRpcs } from './rpcs/reader-rpcs.ts';
import { createWriterRpcs } from './rpcs/writer-rpcs.ts';
import type { SearchDeps } from './search/search.ts';

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

  return {
    impl: {
      ...createReaderRpcs({ ...deps, indices }),
      ...createAdminRpcs({ catalog, indices, versions }),
      ...createWriterRpcs({ indices, versions, documents, settle }),
    },
    async close() {
      closing.abort();
      await indices.settled();
      await Promise.all(background);
    },
  };
}
