import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { AccessStore } from '../records/access-store.ts';
import type { EntryStore } from '../records/entry-store.ts';
import { type SourceLease, SourceLeaseLostError, type SourceStore } from '../records/source-store.ts';
import type { EntryRow } from '../records/source-table.ts';
import type { Entry, Source } from '../source.ts';
import { allowedRemovals } from '../sync-state.ts';
import { mapAccess } from './access.ts';
import { type BatchDeps, type Batches, createBatches } from './batch.ts';
import type { RunCounts } from './counts.ts';
import { createReadEntries, pathOf } from './read-entry.ts';

/** What a run needs. */
export interface SyncDeps extends BatchDeps {
  sources: Pick<SourceStore, 'advance'>;
  access: AccessStore;
  clock: () => number;
}

/** A run in progress. */
export interface SyncRun {
  lease: SourceLease;
  source: Source;
  /** Filled while it runs. */
  counts: RunCounts;
  jobIds: string[];
  signal: AbortSignal;
}

/** Largest share of removals without approval, and hours between listings, if the settings do not say. */
const defaults = { maxRemovalPercent: 30, listingHours: 24 };
const pageMax = 500;
const idsMax = 5000;

/**
 * Brings a corpus in step with a source. Entries that are new or changed become jobs; entries that two complete listings lacked are
 * removed, unless they are too many. What is still to do is in the records, so a run can end anywhere and the next one continues.
 */
export async function sync(run: SyncRun, deps: SyncDeps): Promise<void> {
  const { lease, source, counts, signal } = run;
  const { sourceId, settings, state } = lease.source;
  await settleJobs(lease, deps);
  const batches = createBatches(lease, deps, signal);
  try {
    if (settings.syncPermissions) counts.accessCount = await readAccess(run, deps);
    const readEntries = createReadEntries({ ...run, ...deps, batches });
    if (!source.listsAll) await readUnread(sourceId, deps.entries, readEntries);
    const isFull = source.listsAll || lease.requested === 'full' || state.cursor === '';
    await readChanges(run, deps, isFull ? '' : state.cursor, readEntries);
    const listingMs = (settings.listingHours ?? defaults.listingHours) * 3_600_000;
    const isListed = source.listsAll || lease.requested === 'full' || deps.clock() - state.listedAtMs >= listingMs;
    if (isListed && !source.isWindow) {
      if (!source.listsAll) await listIds(run, deps);
      await applyListing(run, deps, batches);
    }
    await batches.flush();
  } catch (error) {
    // What was read is kept, so that a place with a limit of rate comes to its end after some runs.
    if (!signal.aborted && !(error instanceof SourceLeaseLostError)) await batches.flush().catch(() => {});
    throw error;
  } finally {
    run.jobIds.push(...batches.jobIds);
  }
}

const undecided: readonly JobState[] = [JobState.QUEUED, JobState.RUNNING, JobState.HELD];

/** Records how the jobs of earlier runs have ended. */
async function settleJobs(lease: SourceLease, { jobs, entries }: SyncDeps): Promise<void> {
  for (const jobId of await entries.openJobs(lease.source.sourceId)) {
    const [job] = await jobs.list({ jobId, limit: 1 });
    if (job !== undefined && undecided.includes(job.state)) continue;
    await entries.settle(lease, jobId, job?.state === JobState.SUCCEEDED);
  }
}

/** Reads who may see what. Returns how many entries changed. Until it has read an entry, the entry keeps its narrower access. */
async function readAccess({ lease, source, signal }: SyncRun, { access }: SyncDeps): Promise<number> {
  const { settings } = lease.source;
  let changedCount = 0;
  for await (const page of source.permissions?.(signal) ?? []) {
    signal.throwIfAborted();
    const accesses = new Map(page.map(({ id, groups }) => [id, mapAccess(settings, groups)]));
    changedCount += await access.setAccess(lease, accesses);
  }
  return changedCount + (await access.forgetAccess(lease));
}

type ReadEntries = ReturnType<typeof createReadEntries>;

/** Reads entries that earlier runs could not read, or whose access changed. */
async function readUnread(sourceId: string, entries: EntryStore, readEntries: ReadEntries): Promise<void> {
  for (let afterId = ''; ; ) {
    const rows = await entries.unread(sourceId, afterId, pageMax);
    const last = rows.at(-1);
    if (last === undefined) return;
    afterId = last.entry_id;
    await readEntries(
      rows.map((row) => ({ id: row.entry_id, version: '' })),
      new Map(rows.map((row) => [row.entry_id, row])),
    );
  }
}

async function readChanges(run: SyncRun, deps: SyncDeps, from: string, readEntries: ReadEntries): Promise<void> {
  const { lease, source, counts, signal } = run;
  const { sourceId } = lease.source;
  for await (const page of source.changes(from, signal)) {
    signal.throwIfAborted();
    const listed = uniqueEntries(page.entries);
    counts.listedCount += listed.length;
    const before = await deps.entries.known(
      sourceId,
      listed.map(({ id }) => id),
    );
    const changed = listed.filter((entry) => isChanged(entry, before.get(entry.id)));
    await deps.entries.see(
      lease,
      listed.map(({ id }) => id),
      new Set(changed.map(({ id }) => id)),
    );
    // The entries that must be read are recorded, so nothing is lost if this run ends after it.
    if (page.cursor !== undefined) {
      await deps.sources.advance(lease, { kind: 'advanced', cursor: page.cursor });
    }
    const known = await deps.entries.known(
      sourceId,
      changed.map(({ id }) => id),
    );
    await readEntries(changed, known);
  }
}

/** Reports whether an entry must be read: it is new, its version changed, or the listing does not know. */
export function isChanged({ version }: Entry, row: EntryRow | undefined): boolean {
  return row === undefined || row.is_removing === 1 || version === '' || row.version !== version;
}

async function listIds({ lease, source, counts, signal }: SyncRun, { entries }: SyncDeps): Promise<void> {
  for await (const ids of source.ids(signal)) {
    signal.throwIfAborted();
    counts.listedCount += ids.length;
    await entries.see(lease, ids, new Set());
  }
}

/** Counts what the complete listing of this run lacked, and removes what two of them lacked, unless it is too much. */
async function applyListing({ lease, counts, signal }: SyncRun, deps: SyncDeps, batches: Batches): Promise<void> {
  const { sourceId, settings, state } = lease.source;
  counts.isListingComplete = true;
  const { entryCount, confirmedCount } = await deps.entries.countMissing(lease);
  const maxPercent = settings.maxRemovalPercent ?? defaults.maxRemovalPercent;
  const removalCount = allowedRemovals(state, entryCount, confirmedCount, maxPercent);
  counts.heldCount = confirmedCount - removalCount;
  for (let afterId = ''; removalCount > 0; ) {
    signal.throwIfAborted();
    const ids = await deps.entries.confirmed(sourceId, afterId, idsMax);
    for (const id of ids) await batches.remove(id, pathOf(settings.name, id));
    counts.removedCount += ids.length;
    afterId = ids.at(-1) ?? '';
    if (ids.length < idsMax) break;
  }
  await batches.flush();
  await deps.sources.advance(lease, { kind: 'listed', nowMs: deps.clock(), heldCount: counts.heldCount });
}

function uniqueEntries(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((entry) => [entry.id, entry])).values()];
}
