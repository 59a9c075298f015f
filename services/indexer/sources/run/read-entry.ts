import { createHash } from 'node:crypto';
import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { hasReason } from '#kit/base/errors.ts';
import { HttpFailure } from '#kit/http/failure.ts';
import { entryProblemOf } from '../problem.ts';
import { type EntryStore, readVersion } from '../records/entry-store.ts';
import { type SourceLease, SourceLeaseLostError } from '../records/source-store.ts';
import type { EntryRow } from '../records/source-table.ts';
import type { Content, Entry, Source } from '../source.ts';
import { groupsOf, isNarrower } from './access.ts';
import type { Batches } from './batch.ts';
import { failuresKept, type RunCounts } from './counts.ts';

/** What reading entries needs. */
export interface ReadDeps {
  lease: SourceLease;
  source: Source;
  entries: EntryStore;
  batches: Batches;
  counts: RunCounts;
  signal: AbortSignal;
}

/** Entries that fail one after another before the place itself is considered unavailable. */
const failuresMax = 10;
const pathLengthMax = 480;

/** Creates the function that reads entries and adds to the batches what the corpus does not have. `known`: what is known of each. */
export function createReadEntries({ lease, source, entries, batches, counts, signal }: ReadDeps) {
  const record = lease.source;
  let failedInRow = 0;

  const readOne = async ({ id, version }: Entry, row: EntryRow | undefined) => {
    const groups = groupsOf(record, row?.access ?? null);
    const writtenAccess = JSON.stringify(groups);
    const isWritten = row !== undefined && row.content_hash !== '';
    // With another access list the documents are written again, so their content is needed.
    const validator = isWritten && row.written_access === writtenAccess ? row.validator : '';
    const toRow = (read: string) => ({ id, version: version || readVersion, validator: read });
    const found = await source.fetch(id, validator, signal);
    if (found.kind === 'unchanged') return toRow(row?.validator ?? '');
    if (found.kind === 'gone') {
      if (isWritten) await closeIfNarrower(id, row, groups);
      return toRow('');
    }
    const { content } = found;
    const contentHash = hashOf(content, groups);
    const read = toRow(content.validator ?? '');
    if (row?.content_hash === contentHash) return read;
    counts.changedCount++;
    const { url, mediaType, attributes = {} } = content;
    const fromSource = { url, hasFixedGroups: record.settings.syncPermissions, isRemoved: false };
    const file = { path: pathOf(record.settings.name, id), mediaType, groups, attributes, fromSource };
    await batches.add({ ...read, contentHash, writtenAccess, file, bytes: content.bytes });
    return undefined;
  };

  /** Removes the documents of an entry that cannot be read while too many may still see them. */
  const closeIfNarrower = async (id: string, row: EntryRow | undefined, groups: readonly string[]) => {
    if (row === undefined || row.written_access === null) return;
    if (!isNarrower(JSON.parse(row.written_access) as string[], groups)) return;
    const entry = { id, version: '', validator: '', contentHash: '', writtenAccess: null };
    await batches.remove(id, pathOf(record.settings.name, id), entry);
  };

  return async (listed: readonly Entry[], known: ReadonlyMap<string, EntryRow>): Promise<void> => {
    const read: Parameters<EntryStore['read']>[1][number][] = [];
    for (const entry of listed) {
      signal.throwIfAborted();
      const row = known.get(entry.id);
      try {
        const result = await readOne(entry, row);
        if (result !== undefined) read.push(result);
        failedInRow = 0;
      } catch (error) {
        if (signal.aborted || error instanceof SourceLeaseLostError || isOfPlace(error)) throw error;
        counts.failedCount++;
        if (counts.failures.length < failuresKept)
          counts.failures.push({ entryId: entry.id, message: entryProblemOf(error, record.settings.adapter) });
        await closeIfNarrower(entry.id, row, groupsOf(record, row?.access ?? null));
        if (++failedInRow >= failuresMax) throw error;
      }
    }
    if (read.length > 0) await entries.read(lease, read);
  };
}

/** Reports whether an error is one of the whole place: its rate limit, or our key. */
function isOfPlace(error: unknown): boolean {
  // One entry can be forbidden (403); ten in a row end the run.
  if (error instanceof HttpFailure) return error.status === 401 || error.status === 429;
  if (!(error instanceof ConnectError)) return false;
  return error.code === Code.ResourceExhausted && !hasReason(error, ErrorReason.TOO_LARGE);
}

/** Returns the path of an entry's documents: the name of the source and the id, or its beginning and a hash if it is long. */
export function pathOf(name: string, id: string): string {
  const path = `${name}/${id}`;
  if (path.length <= pathLengthMax) return path;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 16);
  const ending = /\.[A-Za-z0-9]{1,8}$/.exec(id)?.[0] ?? '';
  return `${path.slice(0, pathLengthMax - 26)}~${hash}${ending}`;
}

function hashOf({ bytes, url, mediaType, attributes = {} }: Content, groups: readonly string[]): string {
  const head = JSON.stringify([url, mediaType, Object.entries(attributes).sort(), groups]);
  return createHash('sha256').update(head).update('\n').update(bytes).digest('hex');
}
