import { type CallOptions, type Client, Code, ConnectError } from '@connectrpc/connect';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { IndexWriterService, PurgeDocumentsResponse } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { JobStore } from '../jobs/job-store.ts';
import { findHidden } from '../jobs/rights.ts';
import type { Caller } from '../jobs/run/caller.ts';
import { createIndexClient, type IndexWriter } from '../jobs/run/index-client.ts';
import type { OverlayStore } from '../overlays/overlay-store.ts';
import { timeOfId } from '../uploads/ids.ts';
import type { Deletion, DeletionStore } from './deletion-store.ts';
import { type CorpusScope, type DocumentStore, inParts } from './document-store.ts';
import type { Originals } from './originals/originals.ts';

/** Deletes documents from every version of the index, from the store, and from the input of queued and running jobs. */
export interface DeleteDocuments {
  /** Deletes those that the caller may see, and returns the counts. If it rejects after the deletion was recorded, the deletion is completed later. */
  run(corpus: string, documentIds: readonly string[], context: CallContext): Promise<Deleted>;
  /** Deletes documents of any access list, as {@link run}: an erasure must reach what the operator may not read. */
  erase(corpus: string, documentIds: readonly string[], context: CallContext): Promise<Deleted>;
  /**
   * Completes deletions that were interrupted: those that began at least `minAgeMs` ago, because a younger one may be running in another
   * replica. Retries until none is open or the signal aborts.
   */
  completeOpen(minAgeMs: number, signal: AbortSignal): Promise<void>;
  /** Removes records of deletions that no job needs any more. */
  forget(scope: CorpusScope): Promise<void>;
}

/** Counts of a deletion. */
export interface Deleted {
  documentCount: bigint;
  chunkCount: bigint;
  revision: string;
}

/** Dependencies of deletions. */
export interface DeleteDeps {
  deletions: DeletionStore;
  documents: DocumentStore;
  overlays: Pick<OverlayStore, 'remove'>;
  originals: Pick<Originals, 'remove'>;
  jobs: JobStore;
  indexWriter: IndexWriter;
  caller: Caller;
  newId(): string;
  clock: () => number;
  /** Aborts when the indexer closes. */
  closing: AbortSignal;
  log: Logger;
}

const idsMax = 1000;
const jobsMax = 1000;
const waitMs = { first: 500, longest: 30_000 };

/** Creates the deletion of documents. */
export function createDeleteDocuments(deps: DeleteDeps): DeleteDocuments {
  const { deletions, documents, jobs, indexWriter, caller, log } = deps;
  let isCompleting = false;

  const complete = async (deletion: Deletion, call: () => Promise<CallOptions>): Promise<Deleted> => {
    const deleted: Deleted = { documentCount: 0n, chunkCount: 0n, revision: '' };
    for (const part of inParts(deletion.documentIds, idsMax)) {
      const { documentCount, chunkCount, revision } = await purge(indexWriter, deletion.corpus, part, await call());
      deleted.documentCount += documentCount;
      deleted.chunkCount += chunkCount;
      deleted.revision = revision;
    }
    // While their contents still name them.
    await deps.originals.remove(deletion, deletion.documentIds);
    await documents.remove(deletion, deletion.documentIds);
    await deps.overlays.remove(deletion, deletion.documentIds);
    await deletions.finish(deletion.deletion);
    await forget(deletion);
    return deleted;
  };
  const forget = async ({ tenant, corpus }: CorpusScope) => {
    // A failed job can be tried again, so it counts as one that may still run.
    const states = [JobState.QUEUED, JobState.RUNNING, JobState.HELD, JobState.FAILED];
    const found = await jobs.list({ tenant, corpus, states, limit: jobsMax });
    if (found.length === jobsMax) return;
    const oldest = found.at(-1)?.sequence ?? Number.MAX_SAFE_INTEGER;
    await deletions.prune({ tenant, corpus }, oldest);
  };
  const completeOpen = async (minAgeMs: number, signal: AbortSignal) => {
    if (isCompleting) return;
    isCompleting = true;
    try {
      for (let delayMs = waitMs.first; !signal.aborted; delayMs = Math.min(delayMs * 2, waitMs.longest)) {
        try {
          const isDue = ({ deletion }: Deletion) => minAgeMs === 0 || timeOfId(deletion) <= deps.clock() - minAgeMs;
          const open = (await deletions.listOpen()).filter(isDue);
          for (const deletion of open) await complete(deletion, () => caller.asService(deletion, signal));
          return;
        } catch (error) {
          if (signal.aborted) return;
          log.warn({ event: 'deletion_retry', err: error }, 'deletion incomplete, retrying');
        }
        await sleep(delayMs, signal).catch(() => {});
      }
    } finally {
      isCompleting = false;
    }
  };

  /** `groups`: those that decide which documents of jobs it applies to; `undefined`: to all. */
  const remove = async (
    corpus: string,
    documentIds: readonly string[],
    groups: readonly string[] | undefined,
    context: CallContext,
  ) => {
    const { tenant, user } = context.principal;
    const [latest] = await jobs.list({ tenant, corpus, limit: 1 });
    const scope = { tenant, user, groups, corpus, afterSequence: latest?.sequence ?? 0 };
    const deletion = { ...scope, deletion: deps.newId(), documentIds: [...documentIds] };
    // Recorded first: after this, no job adds these documents again, and a kill cannot leave them half deleted.
    await deletions.begin(deletion);
    try {
      return await complete(deletion, () => asService(context));
    } catch (error) {
      void completeOpen(0, deps.closing);
      throw error;
    }
  };
  const asService = async (context: CallContext) => ({
    ...context.forward(),
    ...(await caller.asService(context.principal)),
  });
  const named = (documentIds: readonly string[]) => [...new Set(documentIds.map((id) => id.toWellFormed()))];

  return {
    async run(corpus, documentIds, context) {
      const asked = named(documentIds);
      // Documents that the caller may not see are neither deleted nor counted. A version that is not live counts as well,
      // because it can become live again.
      const index = createIndexClient(indexWriter, corpus, () => asService(context));
      const hidden = await findHidden(index, context.principal, asked);
      const allowed = asked.filter((documentId) => !hidden.has(documentId));
      return remove(corpus, allowed, context.principal.groups, context);
    },
    erase: (corpus, documentIds, context) => remove(corpus, named(documentIds), undefined, context),
    completeOpen,
    forget,
  };
}

/** Purges documents and returns the counts; zero if the index has no such corpus. */
async function purge(
  indexWriter: Pick<Client<typeof IndexWriterService>, 'purgeDocuments'>,
  corpus: string,
  documentIds: string[],
  options: CallOptions,
): Promise<Pick<PurgeDocumentsResponse, 'documentCount' | 'chunkCount' | 'revision'>> {
  try {
    return await indexWriter.purgeDocuments({ corpus, documentIds }, options);
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.NotFound) throw error;
    return { documentCount: 0n, chunkCount: 0n, revision: '' };
  }
}
