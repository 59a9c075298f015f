import type { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Database } from '#kit/storage/database.ts';
import { createContentHistory } from './documents/content-history.ts';
import { createDeleteDocuments } from './documents/delete-documents.ts';
import { createDeletionStore } from './documents/deletion-store.ts';
import { createDocumentRpcs } from './documents/document-rpcs.ts';
import { createDocumentStore } from './documents/document-store.ts';
import { createFailureStore } from './jobs/failure-store.ts';
import { createJobChanges } from './jobs/job-changes.ts';
import { createJobRpcs } from './jobs/job-rpcs.ts';
import { type JobWorker, type Owner, startJobWorker } from './jobs/job-worker.ts';
import { abandonIndexJob, type IndexJobDeps, runIndexJob } from './jobs/run/index-job.ts';
import type { IndexerMetrics } from './metrics.ts';
import { createPrepareThreads } from './prepare/prepare-threads.ts';
import type { BlobStore } from './uploads/blob-store.ts';
import { sweepUploads } from './uploads/housekeeping.ts';
import { ingest } from './uploads/ingest.ts';
import type { RecordsSchema } from './uploads/records.ts';
import { createUploads } from './uploads/uploads.ts';

/** Dependencies of the indexer. */
export interface IndexerDeps
  extends Omit<IndexJobDeps, 'threads' | 'documents' | 'history' | 'deletions' | 'failures' | 'uploads'> {
  blobs: BlobStore;
  records: Database<RecordsSchema>;
  owner: Owner;
  random: () => number;
  metrics: IndexerMetrics;
}

/** A running indexer. */
export interface Indexer {
  impl: ServiceHandlers<typeof IndexerService>;
  drain(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Starts the indexer: removes files that a kill left behind, resumes interrupted jobs, and returns the handlers. */
export async function createIndexer(deps: IndexerDeps): Promise<Indexer> {
  const { queue, blobs, records, settings, clock, random, log } = deps;
  const uploads = createUploads(blobs);
  const documents = createDocumentStore(records);
  const failures = createFailureStore(records);
  const deletions = createDeletionStore(records);
  const history = createContentHistory(records);
  const changes = createJobChanges();
  const closing = new AbortController();
  const threads = createPrepareThreads();
  const newId = () => createId(clock(), random);
  const deleteDocuments = createDeleteDocuments({ ...deps, deletions, documents, newId, closing: closing.signal });
  const jobDeps: IndexJobDeps = { ...deps, uploads, threads, documents, history, deletions, failures };

  const countBacklog = async () => deps.metrics.indexJobBacklog.set({ topic: 'ingest' }, await queue.countOpen());
  const sweptCount = await sweepUploads(uploads, queue, clock(), closing.signal);
  if (sweptCount > 0) log.info({ event: 'uploads_swept', swept_count: sweptCount }, 'uploads without a job removed');
  await countBacklog();

  const worker: JobWorker = startJobWorker({
    queue,
    owner: deps.owner,
    maxRunningJobs: settings.maxRunningJobs,
    maxAttempts: settings.maxAttempts,
    leaseMs: settings.leaseMs,
    clock,
    random,
    log,
    work: (run) => runIndexJob(run, jobDeps),
    abandon: (job, checkpoint, signal) => abandonIndexJob(job, checkpoint, signal, jobDeps),
    changed: changes.announce,
    async ended(job, { kind }) {
      if (kind === 'succeeded' || kind === 'cancelled') {
        await uploads.remove(job.jobId);
        await deleteDocuments.forget(job);
      }
      await countBacklog();
    },
  });
  const completing = deleteDocuments.completeOpen(closing.signal);

  return {
    impl: {
      async ingestDocuments(requests, context) {
        const taken = await ingest(requests, context, { queue, uploads, settings, newJobId: newId });
        await countBacklog();
        worker.wake();
        return taken;
      },
      ...createJobRpcs({
        queue,
        failures,
        worker,
        changes,
        async dropped(job) {
          await uploads.remove(job.jobId);
          await countBacklog();
        },
        requeued: countBacklog,
      }),
      ...createDocumentRpcs({ ...deps, documents, deleteDocuments }),
    },
    drain: (signal) => worker.drain(signal),
    async close() {
      closing.abort();
      await worker.close();
      await completing;
      await threads.close();
      await blobs.close();
    },
  };
}

/** Returns an id that sorts by time: 9 characters of time, then 16 random ones. */
function createId(nowMs: number, random: () => number): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz234567';
  const chance = Array.from({ length: 16 }, () => letters[Math.floor(random() * letters.length)]).join('');
  return `${nowMs.toString(36).padStart(9, '0')}${chance}`;
}
