import type { DocumentErasureService } from '#gen/ragmesh/indexer/v1/document_erasure_pb.ts';
import type { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { KnowledgeHealthService } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import type { OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import type { SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import type { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import type { AnswerDeps } from './documents/answers.ts';
import { createContentHistory } from './documents/content-history.ts';
import { createDeleteDocuments } from './documents/delete-documents.ts';
import { createDeletionStore } from './documents/deletion-store.ts';
import { createDocumentRpcs } from './documents/document-rpcs.ts';
import { createDocumentStore } from './documents/document-store.ts';
import { createErasureRpcs } from './documents/erasure-rpcs.ts';
import { createCheckCorpus } from './documents/health/check-corpus.ts';
import { createHealthRpcs } from './documents/health/health-rpcs.ts';
import { createIndexAgain } from './documents/index-again.ts';
import { createLiveContents } from './documents/live-contents.ts';
import { createOriginals } from './documents/originals/originals.ts';
import { createPageRpcs } from './documents/originals/page-rpcs.ts';
import { createPublishedContacts } from './documents/published-contacts.ts';
import { createGateRpcs } from './gate/gate-rpcs.ts';
import { createFailureStore } from './jobs/failure-store.ts';
import { startHousekeeping } from './jobs/housekeeping.ts';
import { createJobChanges } from './jobs/job-changes.ts';
import type { JobQueue } from './jobs/job-queue.ts';
import { createJobRpcs } from './jobs/job-rpcs.ts';
import type { JobsSchema } from './jobs/job-table.ts';
import { type JobWorker, type Owner, startJobWorker } from './jobs/job-worker.ts';
import { createNoteStore } from './jobs/note-store.ts';
import { abandonIndexJob, type IndexJobDeps, runIndexJob } from './jobs/run/index-job.ts';
import { type IndexerMetrics, watchQueueAge } from './metrics.ts';
import { createOverlayRpcs } from './overlays/overlay-rpcs.ts';
import { createOverlayStore } from './overlays/overlay-store.ts';
import { createIsolation } from './prepare/child/isolate.ts';
import { parserFolder } from './prepare/parsers.ts';
import { createPrepareThreads } from './prepare/prepare-threads.ts';
import type { SourcesSchema } from './sources/records/source-table.ts';
import { type Sources, startSources } from './sources/start-sources.ts';
import type { BlobStore } from './uploads/blob-store.ts';
import { createId } from './uploads/ids.ts';
import { ingest } from './uploads/ingest.ts';
import type { RecordsSchema } from './uploads/records.ts';
import { createUploads } from './uploads/uploads.ts';

/** Dependencies of the indexer. */
export interface IndexerDeps
  extends Omit<
      IndexJobDeps,
      | 'threads'
      | 'documents'
      | 'originals'
      | 'history'
      | 'deletions'
      | 'failures'
      | 'notes'
      | 'overlays'
      | 'uploads'
      | 'publishedContacts'
    >,
    AnswerDeps {
  queue: JobQueue;
  blobs: BlobStore;
  records: Database<RecordsSchema>;
  jobRecords: Database<JobsSchema>;
  sourceRecords: Database<SourcesSchema>;
  /** Folder for copies of sources. */
  scratchDir: string;
  owner: Owner;
  random: () => number;
  metrics: IndexerMetrics;
}

/** A running indexer. */
export interface Indexer {
  impl: ServiceHandlers<typeof IndexerService> &
    ServiceHandlers<typeof KnowledgeHealthService> &
    ServiceHandlers<typeof OverlayService> &
    ServiceHandlers<typeof VersionGateService> &
    ServiceHandlers<typeof SourceService> &
    ServiceHandlers<typeof DocumentErasureService>;
  drain(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Creates the stores of the records beside jobs. */
function createStores(records: Database<RecordsSchema>, clock: () => number) {
  return {
    documents: createDocumentStore(records),
    failures: createFailureStore(records),
    notes: createNoteStore(records),
    deletions: createDeletionStore(records),
    history: createContentHistory(records),
    overlays: createOverlayStore(records, clock),
    publishedContacts: createPublishedContacts(records),
  };
}

/** Longest time of making an image of a page, and time for which its process waits for another one, in milliseconds. */
const renderMs = 20_000;
const idleMs = 10_000;
/** Most memory of such a process: two of them may run beside one that parses. */
const renderBytes = 512 << 20;

/** Starts the indexer: removes files that a kill left behind, resumes interrupted jobs, and returns the handlers. */
export async function createIndexer(deps: IndexerDeps): Promise<Indexer> {
  const { jobs, queue, blobs, records, settings, clock, random, log } = deps;
  const uploads = createUploads(blobs);
  const stores = createStores(records, clock);
  const { documents, failures, notes, overlays } = stores;
  const originals = createOriginals(records, blobs);
  const memoryBytes = Math.min(settings.parseLimits.memoryBytes, renderBytes);
  const renderLimits = { memoryBytes, stallMs: renderMs, totalMs: renderMs };
  const isolation = createIsolation(renderLimits, parserFolder, idleMs);
  const liveContents = createLiveContents(deps.indexWriter, deps.caller);
  const changes = createJobChanges();
  const closing = new AbortController();
  const threads = createPrepareThreads(settings.parseLimits);
  const newId = () => createId(clock(), random);
  const deleteDocuments = createDeleteDocuments({ ...deps, ...stores, originals, newId, closing: closing.signal });
  const jobDeps: IndexJobDeps = { ...deps, ...stores, originals, uploads, threads };

  let waitingSinceMs: number | undefined;
  watchQueueAge(deps.metrics, () => waitingSinceMs, clock);
  // A count that fails is not a failure of the call that changed it: the next one is right again.
  const countBacklog = async () => {
    try {
      deps.metrics.indexJobBacklog.set({ topic: 'ingest' }, await jobs.countOpen());
      waitingSinceMs = await jobs.waitingSinceMs();
      deps.metrics.heldVersions.set(await jobs.countHeld());
    } catch (error) {
      log.debug({ event: 'backlog_unknown', err: error }, 'job backlog unknown');
    }
  };
  let sources: Sources | undefined;
  const housekeeping = await startHousekeeping({
    uploads,
    originals,
    jobs,
    isShared: engineOf(records) === 'postgres',
    completeDeletions: deleteDocuments.completeOpen,
    async countBacklog() {
      await countBacklog();
      await sources?.countWaiting();
      // The server of a queue may be away, so its messages are not counted during a call.
      const messages = await queue.backlog(closing.signal);
      for (const [topic, count] of messages) deps.metrics.indexJobBacklog.set({ topic }, count);
    },
    clock,
    log,
  });

  const worker: JobWorker = startJobWorker({
    jobs,
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
      if (kind === 'succeeded' || kind === 'failed' || kind === 'cancelled') {
        deps.metrics.indexJobTotal.inc({ result: kind });
      }
      if (kind === 'succeeded' || kind === 'cancelled') {
        await uploads.remove(job.jobId);
        await deleteDocuments.forget(job);
      }
      await countBacklog();
    },
  });

  const jobAdded = async () => {
    await countBacklog();
    worker.wake();
  };
  sources = await startSources({ ...deps, uploads, owner: deps.owner.name, newId, jobAdded });
  const indexAgain = createIndexAgain({ jobs, newId, retrieval: deps.retrieval, added: jobAdded });

  return {
    impl: {
      ...sources.impl,
      async ingestDocuments(requests, context) {
        const taken = await ingest(requests, context, { jobs, uploads, settings, newJobId: newId });
        await jobAdded();
        return taken;
      },
      ...createJobRpcs({
        jobs,
        failures,
        notes,
        worker,
        changes,
        async dropped(job) {
          await uploads.remove(job.jobId);
          await countBacklog();
        },
        requeued: countBacklog,
      }),
      ...createGateRpcs({ ...deps, defaultMode: settings.gate, worker, changes, decided: countBacklog }),
      ...createDocumentRpcs({ ...deps, documents, liveContents, originals, deleteDocuments }),
      ...createPageRpcs({ liveContents, originals, isolation, settings }),
      ...createOverlayRpcs({
        ...{ overlays, documents, liveContents, startEdit: indexAgain.startEdit },
        personalDataOf: (tenant, corpus) => settings.personalData.ofCorpus(tenant, corpus),
      }),
      ...createErasureRpcs({ ...deps, deleteDocuments }),
      reindexCorpus: indexAgain.reindexCorpus,
      ...createHealthRpcs(createCheckCorpus({ ...deps, documents })),
    },
    async drain(signal) {
      await sources.close();
      await worker.drain(signal);
    },
    async close() {
      closing.abort();
      await sources.close();
      await worker.close();
      await queue.close();
      await housekeeping.close();
      await threads.close();
      await isolation.close();
      await blobs.close();
    },
  };
}
