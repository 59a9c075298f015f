import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Source,
  type SourceRun,
  SourceRunSchema,
  type SourceRunState,
  SourceSchema,
  SourceState,
} from '#gen/ragmesh/indexer/v1/source_pb.ts';
import type { SourceRecord } from './records/source-store.ts';
import type { RunRow } from './records/source-table.ts';
import type { RunCounts } from './run/counts.ts';

/** Returns a source as a message of the contract. */
export function toSource(record: SourceRecord, entryCount: number): Source {
  const { state, isRunning } = record;
  const waiting = state.isPaused ? SourceState.PAUSED : SourceState.WAITING;
  return create(SourceSchema, {
    sourceId: record.sourceId,
    settings: record.settings,
    state: isRunning ? SourceState.RUNNING : waiting,
    ...(!state.isPaused && { nextRunAt: timestampFromMs(state.nextRunAtMs) }),
    entryCount: BigInt(entryCount),
    heldRemovalCount: BigInt(state.heldCount),
    failureCount: state.failureCount,
    error: state.error,
    createdBy: record.user,
    createdAt: timestampFromMs(record.createdAtMs),
    updatedAt: timestampFromMs(record.updatedAtMs),
  });
}

/** Returns a run as a message of the contract. */
export function toSourceRun(row: RunRow): SourceRun {
  const counts = JSON.parse(row.counts) as RunCounts;
  return create(SourceRunSchema, {
    runId: row.run_id,
    state: row.state as SourceRunState,
    isDryRun: row.is_dry_run === 1,
    startedAt: timestampFromMs(row.started_at),
    ...(row.ended_at !== null && { endedAt: timestampFromMs(row.ended_at) }),
    listedCount: BigInt(counts.listedCount),
    changedCount: BigInt(counts.changedCount),
    removedCount: BigInt(counts.removedCount),
    heldCount: BigInt(counts.heldCount),
    failedCount: BigInt(counts.failedCount),
    accessCount: BigInt(counts.accessCount),
    isListingComplete: counts.isListingComplete,
    error: row.error,
    // Runs of the release before have none.
    failures: counts.failures ?? [],
    jobIds: JSON.parse(row.job_ids) as string[],
  });
}
