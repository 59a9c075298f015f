import type { CorpusVersion } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { TrialRecord } from '../catalog/trials.ts';
import type { CorpusView } from '../index/index-view.ts';
import { prepareStores } from '../index/publish.ts';
import { requireBuilding, requireCorpus, requireVersion, revisionOf, versionState } from '../index/require.ts';
import type { TenantIndex } from '../index/tenant-index.ts';
import type { VersionDeps } from '../index/versions.ts';

// A version on trial was built and is complete, but is not live. It answers the sessions that were assigned to it (canary), and searches of the
// live version are made in it too (shadow). Deletions and access lists hold in it as in every version, because its rows are in the same tables.

/** Returns the version on trial; `undefined` if there is none, or if it could not become live any more. */
export function trialOf({ trial, versions, live }: CorpusView): TrialRecord | undefined {
  const version = versions.find((one) => one.version === trial?.version);
  return version !== undefined && version.publishedMs === undefined && version.base === live ? trial : undefined;
}

/** Returns the corpora, those at their versions on trial that `wanted` names and that answer sessions. */
export function atTrials(corpora: CorpusView[], wanted: readonly CorpusVersion[]): CorpusView[] {
  if (wanted.length === 0) return corpora;
  const named = new Map(wanted.map(({ corpus, version }) => [corpus, Number(version)]));
  return corpora.map((corpus) => {
    const trial = trialOf(corpus);
    const isWanted = trial !== undefined && trial.canaryPercent > 0 && trial.version === named.get(corpus.name);
    return isWanted ? { ...corpus, live: trial.version } : corpus;
  });
}

/** Returns the corpora with a version on trial that answers sessions, at these versions. */
export function canariesOf(corpora: Iterable<CorpusView>): CorpusView[] {
  return [...corpora].flatMap((corpus) => {
    const trial = trialOf(corpus);
    return trial !== undefined && trial.canaryPercent > 0 ? [{ ...corpus, live: trial.version }] : [];
  });
}

/** The shares of a trial, each of 100. */
export type TrialShares = Pick<TrialRecord, 'canaryPercent' | 'shadowPercent'>;

/**
 * Begins the trial of a version, changes its shares, or ends it if both are 0. Returns the new revision of the corpus. Throws
 * FAILED_PRECONDITION if the version was published, or cannot become live because its base is not live.
 */
export async function putTrial(
  deps: VersionDeps & Parameters<typeof prepareStores>[0],
  index: TenantIndex,
  name: string,
  wanted: number,
  shares: TrialShares,
): Promise<string> {
  const corpus = requireCorpus(index.view, name);
  const version = requireVersion(corpus, wanted);
  requireBuilding(version);
  const isOver = shares.canaryPercent === 0 && shares.shadowPercent === 0;
  if (!isOver && (corpus.live === 0 || version.base !== corpus.live)) {
    const message = `version ${wanted} was begun from version ${version.base}, but ${corpus.live} is live`;
    throw versionState(version, `${message}: a trial compares it with its base`);
  }
  if (!isOver) await prepareStores(deps, index.tenant, corpus.corpusId);
  const trial = isOver ? undefined : { ...shares, version: wanted, startedMs: deps.clock() };
  await deps.catalog.trials.put(index.tenant, corpus.corpusId, trial);
  return revisionOf(await index.reload(), name);
}
