import { type AccessChangeDeps, applyAccessChanges } from '../access/apply-changes.ts';
import type { VectorSpace } from '../stores/vector-store.ts';
import type { CorpusView } from './index-view.ts';
import { requireBuilding, requireCorpus, requireVersion, revisionOf, versionState } from './require.ts';
import { longestReadMs, type SweepDeps, sweep } from './sweep.ts';
import type { TenantIndex } from './tenant-index.ts';

// The life of versions. A corpus has one live version, at most one that is being built as a copy of the live one, and older ones that
// are kept. Every change is first a transaction of the catalog and is then carried out in the stores; recoverVersions() finishes what a
// crash interrupted between the two.

/** What the changes of versions need. */
export interface VersionDeps extends SweepDeps, AccessChangeDeps {
  /** Returns the time in milliseconds since 1970. */
  clock: () => number;
}

/** Finishes the sweeps that a crash has interrupted. */
export async function recoverVersions(deps: SweepDeps, index: TenantIndex): Promise<void> {
  const unswept = [...index.view.corpora.values()].filter(({ swept }) => !swept);
  for (const corpus of unswept) await sweep(deps, index, corpus);
  if (unswept.length > 0) await index.reload();
}

/** Begins a version and returns its number, or the number of the version that the same build has begun. */
export async function beginVersion(
  deps: VersionDeps,
  index: TenantIndex,
  name: string,
  buildId: string,
  space: VectorSpace,
): Promise<{ version: number; created: boolean }> {
  const { catalog, clock } = deps;
  let corpus = index.view.corpora.get(name);
  if (corpus === undefined) {
    await catalog.versions.createCorpus(index.tenant, name);
    corpus = requireCorpus(await index.reload(), name);
  }
  const known = corpus.versions.find((version) => version.buildId === buildId);
  if (known?.publishedMs !== undefined) return { version: known.version, created: false };
  const building = corpus.versions.find(({ publishedMs }) => publishedMs === undefined);
  if (building !== undefined && building !== known) {
    const message = `version ${building.version} is being built by "${building.buildId}"`;
    throw versionState(building, `${message}: publish or abandon it first`);
  }
  if (known !== undefined && known.base === corpus.live && isSameSpace(known, space)) {
    return { version: known.version, created: false };
  }
  const { live } = corpus;
  // Without this, the new version would include rows of a version that was dropped before.
  if (!corpus.swept) await sweep(deps, index, corpus);
  // Versions above the live one were rolled back; the build's own version is useless after its base or model has changed.
  const dropped = corpus.versions.filter(({ version }) => version > live).map(({ version }) => version);
  await drop(deps, index, corpus, dropped);
  const version = corpus.lastVersion + 1;
  await catalog.versions.begin(index.tenant, corpus.corpusId, {
    ...space,
    version,
    base: live,
    buildId,
    begunMs: clock(),
  });
  await index.reload();
  return { version, created: true };
}

/** Drops a version that is being built. */
export async function abandonVersion(deps: SweepDeps, index: TenantIndex, name: string, wanted: number): Promise<void> {
  const corpus = requireCorpus(index.view, name);
  requireBuilding(requireVersion(corpus, wanted));
  await drop(deps, index, corpus, [wanted]);
}

/** Makes a kept version live again and returns the new revision. Documents keep their current access lists. */
export async function rollbackVersion(
  deps: AccessChangeDeps,
  index: TenantIndex,
  name: string,
  wanted: number,
): Promise<string> {
  const corpus = requireCorpus(index.view, name);
  const version = requireVersion(corpus, wanted);
  if (version.publishedMs === undefined) {
    throw versionState(version, `version ${wanted} was never published: choose a published version`);
  }
  if (wanted === corpus.live) return revisionOf(index.view, name);
  // The stores must have the current access lists in the older version before a search reads it.
  await applyAccessChanges(deps, index.tenant);
  await deps.catalog.versions.rollback(index.tenant, corpus.corpusId, wanted);
  return revisionOf(await index.reload(), name);
}

// Drops versions and all rows that only they hold.
async function drop(deps: SweepDeps, index: TenantIndex, corpus: CorpusView, versions: readonly number[]) {
  if (versions.length === 0) return;
  await deps.catalog.versions.drop(index.tenant, corpus.corpusId, versions);
  const view = await index.reload();
  await index.readsEnded(longestReadMs);
  await sweep(deps, index, requireCorpus(view, corpus.name));
  await index.reload();
}

function isSameSpace(a: VectorSpace, b: VectorSpace): boolean {
  return a.model === b.model && a.dimensions === b.dimensions;
}
