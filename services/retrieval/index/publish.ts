import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import { applyAccessChanges } from '../access/apply-changes.ts';
import type { VersionCounts } from '../catalog/version-contents.ts';
import type { VersionRecord } from '../catalog/versions.ts';
import { type ReconcileDeps, reconcile } from '../reconcile/reconcile.ts';
import type { CorpusView } from './index-view.ts';
import { requireBuilding, requireCorpus, requireVersion, revisionOf, versionState } from './require.ts';
import { longestReadMs, sweep } from './sweep.ts';
import type { TenantIndex } from './tenant-index.ts';
import type { VersionDeps } from './versions.ts';

/** What {@link publishVersion} needs. */
export interface PublishDeps extends VersionDeps, ReconcileDeps {
  log: Logger;
  /** Versions kept for rollback, beside the live one. */
  keptVersions: number;
}

/** Names the version to publish. */
export interface PublishRequest {
  corpus: string;
  version: number;
  /** Documents that the version must hold; `undefined`: not checked. */
  expectedDocumentCount: number | undefined;
}

/** A published version. */
export interface PublishResult {
  revision: string;
  documentCount: number;
  chunkCount: number;
}

/**
 * Checks a built version and makes it live. Returns the counts and the new revision; the current ones if the version is live already.
 * Throws FAILED_PRECONDITION if the version is not complete or its base is no longer live.
 */
export async function publishVersion(
  deps: PublishDeps,
  index: TenantIndex,
  request: PublishRequest,
): Promise<PublishResult> {
  const { tenant } = index;
  const corpus = requireCorpus(index.view, request.corpus);
  const version = requireVersion(corpus, request.version);
  const count = () => deps.catalog.contents.count(tenant, corpus.corpusId, version.version, version);
  if (version.version === corpus.live) return { ...(await count()), revision: revisionOf(index.view, corpus.name) };
  requireBuilding(version);
  if (version.base !== corpus.live) {
    const message = `version ${version.version} was begun from version ${version.base}, but ${corpus.live} is live`;
    throw versionState(version, `${message}: begin again`);
  }
  const counts = await reconcile(deps, tenant, corpus.corpusId, version);
  requireComplete(version, counts, request.expectedDocumentCount);
  await prepareStores(deps, tenant, corpus.corpusId);
  const dropped = versionsToDrop(corpus, version.version, deps.keptVersions);
  await deps.catalog.versions.publish(tenant, corpus.corpusId, version.version, deps.clock(), dropped);
  const view = await index.reload();
  try {
    await applyAccessChanges(deps, tenant);
  } catch (error) {
    // The version is live and correct. A rollback applies the lists first, or fails.
    deps.log.error(
      { event: 'access_change_pending', tenant, corpus: corpus.name, err: error },
      'access change not in stores',
    );
  }
  if (dropped.length > 0) await sweepDropped(deps, index, requireCorpus(view, corpus.name));
  return { ...counts, revision: revisionOf(view, corpus.name) };
}

/** Longest time that a publish waits for the stores to be prepared. */
const prepareMs = 20_000;

/** Prepares the stores, so that the first search of a version is as fast as later ones. A store that is not ready in time answers from its disk until it is. */
export async function prepareStores(
  { vectors, keywords, log }: Pick<PublishDeps, 'vectors' | 'keywords' | 'log'>,
  tenant: string,
  corpusId: number,
): Promise<void> {
  const prepare = (signal: AbortSignal) =>
    Promise.all([vectors, keywords].map((store) => store.prepare?.(tenant, corpusId, signal)));
  await within(prepare, { timeoutMs: prepareMs }).catch((error: unknown) => {
    log.warn({ event: 'store_not_prepared', tenant, corpusId, err: error }, 'store not prepared');
  });
}

function requireComplete(version: VersionRecord, counts: VersionCounts, expected: number | undefined): void {
  const incompleteCount = counts.incompleteCount + counts.foreignCount;
  if (incompleteCount > 0) {
    const message = `${incompleteCount} documents of version ${version.version} are incomplete or embedded by another model`;
    throw versionState(version, `${message}: write them again`);
  }
  if (expected !== undefined && expected !== counts.documentCount) {
    const message = `version ${version.version} holds ${counts.documentCount} documents, not ${expected}`;
    throw versionState(version, `${message}: write the missing ones or remove the others`);
  }
}

/** Returns the oldest versions, those beyond the number that is kept. */
function versionsToDrop({ versions }: CorpusView, published: number, keptVersions: number): number[] {
  const others = versions.map(({ version }) => version).filter((version) => version !== published);
  return others.slice(0, Math.max(0, others.length - keptVersions));
}

async function sweepDropped(deps: PublishDeps, index: TenantIndex, corpus: CorpusView): Promise<void> {
  await index.readsEnded(longestReadMs);
  try {
    await sweep(deps, index, corpus);
    await index.reload();
  } catch (error) {
    // The version is live. The rows that are left only use space, until the next sweep.
    deps.log.error(
      { event: 'sweep_failed', tenant: index.tenant, corpus: corpus.name, err: error },
      'old versions not swept',
    );
  }
}
