import type { Client } from '@connectrpc/connect';
import { GateCheckKind, GateFindingKind } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { JobRecord } from '../jobs/job-store.ts';
import type { Caller } from '../jobs/run/caller.ts';
import type { UploadContents } from '../jobs/run/upload-contents.ts';
import { type CheckInit, findingOf, namedMax, sampleOf } from './check.ts';

/** The version, its documents with access lists, and those that it leaves out. */
export interface LeakFacts {
  job: JobRecord;
  version: bigint;
  contents: Pick<UploadContents, 'changed'>;
  /** Documents that the job removed from the version. */
  removals: readonly string[];
  signal: AbortSignal;
}

/** What the searches need. */
export interface LeakDeps {
  retrieval: Pick<Client<typeof RetrievalService>, 'retrieve'>;
  caller: Caller;
}

/** Access lists, and documents that were removed, that are searched. */
const listsMax = 20;
const removedMax = 10;
const topK = 3;

/** A search for one document. */
interface Probe {
  documentId: string;
  query: string;
  groups: readonly string[];
  isExpected: boolean;
  /** What it is if the search does not end as expected. */
  failure: GateFindingKind;
}

/**
 * Searches the version for one written document of each access list that a search can find, as a caller without groups, who must not find it, and as one with the groups
 * of the list, who must. Also searches for documents that the version leaves out. The searches are those of readers, so what they find is
 * what readers would find.
 */
export async function checkLeaks(facts: LeakFacts, deps: LeakDeps): Promise<CheckInit> {
  const probes = probesOf(facts);
  const failed: Probe[] = [];
  for (const probe of probes) {
    if ((await isFound(probe, facts, deps)) !== probe.isExpected) failed.push(probe);
  }
  const counts = new Map<GateFindingKind, number>();
  for (const { failure } of failed) counts.set(failure, (counts.get(failure) ?? 0) + 1);
  const findings = [...counts].map(([failure, count]) => findingOf(failure, { count }));
  if (probes.length === 0) findings.push(findingOf(GateFindingKind.NOTHING_TO_SEARCH));
  else if (failed.length === 0) findings.push(findingOf(GateFindingKind.ACCESS_KEPT, { count: probes.length }));
  return {
    kind: GateCheckKind.LEAKS,
    passed: failed.length === 0,
    findings,
    checkedCount: BigInt(probes.length),
    documentIds: [...new Set(failed.map(({ documentId }) => documentId))].slice(0, namedMax),
  };
}

function probesOf({ contents, removals }: LeakFacts): Probe[] {
  const byList = new Map<string, Probe>();
  for (const [documentId, { groups, chunkCount, query }] of contents.changed) {
    const key = JSON.stringify([...groups].sort());
    if (groups.length === 0 || chunkCount === 0 || query === '' || byList.has(key)) continue;
    byList.set(key, {
      documentId,
      query,
      groups,
      isExpected: true,
      failure: GateFindingKind.HIDDEN_FROM_READERS,
    });
  }
  const listed = sampleOf([...byList.values()], listsMax);
  const outside = listed.map((probe) => ({
    ...probe,
    groups: [],
    isExpected: false,
    failure: GateFindingKind.FOUND_OUTSIDE,
  }));
  const removed = sampleOf(removals, removedMax).map((documentId) => ({
    documentId,
    query: documentId,
    groups: [],
    isExpected: false,
    failure: GateFindingKind.FOUND_REMOVED,
  }));
  return [...listed, ...outside, ...removed];
}

async function isFound(
  { documentId, query, groups }: Probe,
  { job, version, signal }: LeakFacts,
  { retrieval, caller }: LeakDeps,
): Promise<boolean> {
  const { tenant, user, corpus } = job;
  const request = {
    query,
    topK,
    corpora: [corpus],
    versions: [{ corpus, version }],
    filter: { documentIds: [documentId] },
    rerank: false,
    waitForStages: true,
  };
  let count = 0;
  for await (const { event } of retrieval.retrieve(request, await caller.asService({ tenant, user, groups }, signal))) {
    if (event.case !== 'fused') continue;
    const [late] = event.value.degradations;
    if (late !== undefined) throw unavailable('retrieval', `the version could not be checked: ${late.reason}`);
    count = event.value.passages.length;
  }
  return count > 0;
}
