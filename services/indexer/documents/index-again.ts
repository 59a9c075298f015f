import type { Client } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { JobSource, JobStore } from '../jobs/job-store.ts';
import { requireRoom } from '../uploads/ingest.ts';

/** What starting a job over documents of the index needs. */
export interface IndexAgainDeps {
  jobs: JobStore;
  retrieval: Pick<Client<typeof RetrievalService>, 'listCorpora'>;
  newId(): string;
  /** Called when a job was added. */
  added(): Promise<void>;
}

/** Starts jobs over documents that the index holds already. */
export interface IndexAgain extends Pick<ServiceHandlers<typeof IndexerService>, 'reindexCorpus'> {
  /** Starts the job that publishes a document with its overlays, and returns the job's id. */
  startEdit(corpus: string, documentId: string, context: CallContext): Promise<string>;
}

/** Creates the starts of such jobs. */
export function createIndexAgain({ jobs, retrieval, newId, added }: IndexAgainDeps): IndexAgain {
  const start = async (corpus: string, source: JobSource, { principal }: CallContext): Promise<string> => {
    const { tenant, user, groups } = principal;
    await requireRoom(jobs, tenant);
    const jobId = newId();
    const isUrgent = source.kind === 'edit';
    await jobs.add({ jobId, tenant, user, groups, corpus, deleteMissing: false, totalBytes: 0, source, isUrgent });
    await added();
    return jobId;
  };
  return {
    startEdit: (corpus, documentId, context) => start(corpus, { kind: 'edit', documentIds: [documentId] }, context),
    async reindexCorpus({ corpus }, context) {
      const { corpora } = await retrieval.listCorpora({}, context.forward());
      if (!corpora.some(({ name, liveVersion }) => name === corpus && liveVersion > 0n)) {
        throw notFound('corpus', corpus, ErrorReason.CORPUS_NOT_FOUND);
      }
      return { jobId: await start(corpus, { kind: 'reindex' }, context) };
    },
  };
}
