import { sql } from 'kysely';
import type { DocumentErasureService } from '#gen/ragmesh/indexer/v1/document_erasure_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Database } from '#kit/storage/database.ts';
import { scrubDatabase } from '#kit/storage/scrub.ts';
import type { JobStore } from '../jobs/job-store.ts';
import type { JobsSchema } from '../jobs/job-table.ts';
import type { Caller } from '../jobs/run/caller.ts';
import type { IndexWriter } from '../jobs/run/index-client.ts';
import type { SourcesSchema } from '../sources/records/source-table.ts';
import type { BlobStore } from '../uploads/blob-store.ts';
import type { RecordsSchema } from '../uploads/records.ts';
import type { DeleteDocuments } from './delete-documents.ts';

/** What the erasures need. */
export interface ErasureDeps {
  records: Database<RecordsSchema>;
  jobRecords: Database<JobsSchema>;
  sourceRecords: Database<SourcesSchema>;
  jobs: JobStore;
  indexWriter: Pick<IndexWriter, 'scrubIndex'>;
  caller: Caller;
  blobs: Pick<BlobStore, 'scrub'>;
  deleteDocuments: Pick<DeleteDocuments, 'erase'>;
}

/** What an erased user is called in what stays of the user's work. */
const erasedUser = 'erased-user';
/** Latest jobs of a corpus whose failures and notes are looked through. */
const jobsMax = 1000;
/** Jobs whose uploads are still there. */
const openStates = [JobState.QUEUED, JobState.RUNNING, JobState.HELD, JobState.FAILED];

/** Creates the rpcs that erase documents, and names of editors. */
export function createErasureRpcs(deps: ErasureDeps): ServiceHandlers<typeof DocumentErasureService> {
  const { records, jobRecords, sourceRecords, jobs, indexWriter, caller, deleteDocuments } = deps;

  const removeMessages = async (tenant: string, corpus: string, documentId: string): Promise<number> => {
    const ofCorpus = await jobs.list({ tenant, corpus, limit: jobsMax });
    const jobIds = ofCorpus.map(({ jobId }) => jobId);
    if (jobIds.length === 0) return 0;
    let count = 0;
    for (const table of ['failures', 'notes'] as const) {
      const removed = await records
        .deleteFrom(table)
        .where('job_id', 'in', jobIds)
        // A document may be a place in a file: "path#12".
        .where((eb) => eb.or([eb('path', '=', documentId), sql<boolean>`${documentId} LIKE path || '#%'`]))
        .executeTakeFirst();
      count += Number(removed.numDeletedRows);
    }
    return count;
  };

  const eraseDocument = async (corpus: string, documentId: string, context: CallContext) => {
    const { principal } = context;
    const { tenant } = principal;
    const count = async (table: 'documents' | 'overlays') => {
      const found = await records
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('tenant', '=', tenant)
        .where('corpus', '=', corpus)
        .where('document_id', '=', documentId)
        .executeTakeFirstOrThrow();
      return BigInt(found.count);
    };
    const [contentCount, editCount] = [await count('documents'), await count('overlays')];
    const named = await records
      .selectFrom('documents')
      .select('original')
      .distinct()
      .where('tenant', '=', tenant)
      .where('corpus', '=', corpus)
      .where('document_id', '=', documentId)
      .where('original', 'is not', null)
      .execute();
    const deleted = await deleteDocuments.erase(corpus, [documentId], context);
    const noteCount = await removeMessages(tenant, corpus, documentId);
    const open = await jobs.list({ tenant, corpus, states: openStates, limit: jobsMax });
    await scrubDatabase(records);
    await deps.blobs.scrub?.();
    await indexWriter.scrubIndex({}, await caller.asService(principal, context.signal));
    return {
      indexedCount: deleted.documentCount,
      passageCount: deleted.chunkCount,
      contentCount,
      editCount,
      originalCount: BigInt(named.length),
      noteCount: BigInt(noteCount),
      openJobCount: BigInt(open.length),
    };
  };

  const eraseEditor = async (tenant: string, user: string): Promise<number> => {
    const named = { user: erasedUser };
    const changed = { changed_by: erasedUser };
    const results = [
      await jobRecords.updateTable('jobs').set(named).where('tenant', '=', tenant).where('user', '=', user).execute(),
      await records.updateTable('deletions').set(named).where('tenant', '=', tenant).where('user', '=', user).execute(),
      await records
        .updateTable('overlays')
        .set(changed)
        .where('tenant', '=', tenant)
        .where('changed_by', '=', user)
        .execute(),
      await records
        .updateTable('gates')
        .set(changed)
        .where('tenant', '=', tenant)
        .where('changed_by', '=', user)
        .execute(),
      await sourceRecords
        .updateTable('sources')
        .set(named)
        .where('tenant', '=', tenant)
        .where('user', '=', user)
        .execute(),
    ];
    for (const database of [records, jobRecords, sourceRecords]) await scrubDatabase(database as Database<unknown>);
    return results.flat().reduce((sum, { numUpdatedRows }) => sum + Number(numUpdatedRows), 0);
  };

  return {
    eraseIndexedDocument: ({ corpus, documentId }, context) => eraseDocument(corpus, documentId, context),
    async eraseEditor({ user }, { principal: { tenant } }) {
      return { rowCount: BigInt(await eraseEditor(tenant, user)) };
    },
  };
}
