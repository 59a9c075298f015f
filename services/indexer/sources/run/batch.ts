import { createHash } from 'node:crypto';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import type { JobStore } from '../../jobs/job-store.ts';
import type { StagedFile, Uploads } from '../../uploads/uploads.ts';
import type { EntryStore, WrittenEntry } from '../records/entry-store.ts';
import type { SourceLease } from '../records/source-store.ts';
import { callerOf } from './access.ts';

/** What batches need of the indexer. */
export interface BatchDeps {
  jobs: Pick<JobStore, 'add' | 'list'>;
  uploads: Pick<Uploads, 'store' | 'remove'>;
  entries: EntryStore;
  newId(): string;
  /** Called when a job was added. */
  jobAdded(): Promise<void>;
}

/** An entry to write, with its bytes. */
export interface BatchFile extends WrittenEntry {
  file: Pick<StagedFile, 'path' | 'mediaType' | 'groups' | 'attributes' | 'fromSource'>;
  bytes: Uint8Array;
}

/** Collects what a run changes and makes jobs of it. */
export interface Batches {
  add(file: BatchFile): Promise<void>;
  /** Removes the documents of an entry. `entry`: what is known of it afterwards; `undefined`: nothing, the entry is gone. */
  remove(id: string, path: string, entry?: WrittenEntry): Promise<void>;
  /** Makes a job of what is there. */
  flush(): Promise<void>;
  /** Jobs so far. */
  readonly jobIds: readonly string[];
}

const max = { files: 500, sizeBytes: 32 << 20, removals: 5000 };
/** Jobs of a source that wait or run; a run waits before it adds another one. */
const openJobsMax = 2;
const pollMs = 500;
const open: readonly JobState[] = [JobState.QUEUED, JobState.RUNNING];

/** Creates the batches of a run. `signal` ends the waits for earlier jobs. */
export function createBatches(lease: SourceLease, deps: BatchDeps, signal: AbortSignal): Batches {
  const { source } = lease;
  const jobIds: string[] = [];
  let files: BatchFile[] = [];
  let removals: { id: string; path: string; entry: WrittenEntry | undefined }[] = [];
  let sizeBytes = 0;

  const openCount = async () => {
    let count = 0;
    for (const jobId of jobIds.slice(-openJobsMax)) {
      const [job] = await deps.jobs.list({ jobId, limit: 1 });
      if (job !== undefined && open.includes(job.state)) count++;
    }
    return count;
  };
  const flush = async () => {
    if (files.length === 0 && removals.length === 0) return;
    while ((await openCount()) >= openJobsMax) await sleep(pollMs, signal);
    const [added, removed] = [files, removals];
    [files, removals, sizeBytes] = [[], [], 0];
    const jobId = deps.newId();
    const staged = stage(added, removed);
    const bytes = async function* () {
      for (const file of added) yield file.bytes;
    };
    await deps.uploads.store(jobId, bytes(), () => staged, signal);
    try {
      const written = [...added, ...removed.flatMap(({ entry }) => entry ?? [])];
      const gone = removed.filter(({ entry }) => entry === undefined).map(({ id }) => id);
      // Under the lease, right before the job: a run that has lost it adds none.
      await deps.entries.write(lease, jobId, written, gone);
      const { corpus } = source.settings;
      const totalBytes = staged.reduce((sum, file) => sum + file.sizeBytes, 0);
      await deps.jobs.add({ jobId, ...callerOf(source), corpus, deleteMissing: false, totalBytes });
    } catch (error) {
      await deps.uploads.remove(jobId).catch(() => {});
      throw error;
    }
    jobIds.push(jobId);
    await deps.jobAdded();
  };
  return {
    jobIds,
    flush,
    async add(file) {
      files.push(file);
      sizeBytes += file.bytes.byteLength;
      if (files.length >= max.files || sizeBytes >= max.sizeBytes) await flush();
    },
    async remove(id, path, entry) {
      removals.push({ id, path, entry });
      if (removals.length >= max.removals) await flush();
    },
  };
}

function stage(added: readonly BatchFile[], removed: readonly { path: string }[]): StagedFile[] {
  let offset = 0;
  const files = added.map(({ file, bytes }): StagedFile => {
    const at = offset;
    offset += bytes.byteLength;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { ...file, offset: at, sizeBytes: bytes.byteLength, sha256 };
  });
  const sha256 = createHash('sha256').digest('hex');
  const fromSource = { url: '', hasFixedGroups: true, isRemoved: true };
  const gone = { mediaType: '', groups: [], attributes: {}, offset, sizeBytes: 0, sha256, fromSource };
  return [...files, ...removed.map(({ path }) => ({ ...gone, path }))];
}
