import type { EntryStore } from '../records/entry-store.ts';
import { agreeingListings, allowedRemovals } from '../sync-state.ts';
import { isChanged, type SyncRun } from './sync.ts';

/** Entries that a dry run compares. */
const entriesMax = 1_000_000;
const pageMax = 5000;

/** Counts what a full run would do, by the listing alone: nothing is read, written or recorded. */
export async function dryRun({ lease, source, counts, signal }: SyncRun, entries: EntryStore): Promise<void> {
  const { sourceId, settings, state } = lease.source;
  const seen = new Set<string>();
  for await (const page of source.changes('', signal)) {
    signal.throwIfAborted();
    const known = await entries.known(
      sourceId,
      page.entries.map(({ id }) => id),
    );
    const fresh = page.entries.filter(({ id }) => !seen.has(id));
    counts.changedCount += fresh.filter((entry) => isChanged(entry, known.get(entry.id))).length;
    for (const { id } of fresh) seen.add(id);
    if (seen.size > entriesMax) throw new Error(`a dry run compares at most ${entriesMax} entries`);
  }
  if (!source.listsAll) for await (const ids of source.ids(signal)) for (const id of ids) seen.add(id);
  counts.listedCount = seen.size;
  counts.isListingComplete = true;
  let [entryCount, confirmedCount] = [0, 0];
  for (let afterId = ''; ; ) {
    const ids = await entries.listIds(sourceId, afterId, pageMax);
    entryCount += ids.length;
    const missing = ids.filter((id) => !seen.has(id));
    for (const row of (await entries.known(sourceId, missing)).values()) {
      if (!source.isWindow && row.missing_count + 1 >= agreeingListings) confirmedCount++;
    }
    afterId = ids.at(-1) ?? '';
    if (ids.length < pageMax) break;
  }
  counts.removedCount = allowedRemovals(state, entryCount, confirmedCount, settings.maxRemovalPercent ?? 30);
  counts.heldCount = confirmedCount - counts.removedCount;
}
