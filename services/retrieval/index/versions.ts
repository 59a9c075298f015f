import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { failedPrecondition, notFound, rpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { policyOf } from '#kit/rpc/policy.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { VersionRecord } from '../catalog/versions.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorSpace, VectorStore } from '../stores/vector-store.ts';
import { carryOutAccessChanges } from './access-changes.ts';
import { reconcile } from './reconcile.ts';
import type { TenantIndex } from './tenant-index.ts';
import { type CorpusState, revisionText, type TenantState } from './tenant-state.ts';

/** What versions live in. */
export interface IndexParts {
  catalog: Catalog;
  vectors: VectorStore;
  keywords: KeywordStore;
  log: Logger;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
}

/** A published version. */
export interface Published {
  revision: string;
  documentCount: number;
  chunkCount: number;
}

/** A search is over after the longest time that its contract gives it; then nobody can miss rows that go. */
const longestReadMs = policyOf(RetrievalService.method.retrieve).timeoutMs;

/**
 * The life of versions. A corpus is live at one version; one more may be in building, as a copy of the live one; older
 * ones are kept. Every change is first a transaction of the catalog, and then is carried out in the stores; what a
 * crash cuts off between the two is finished by {@link recover}.
 */
export function createVersions(parts: IndexParts, keptVersions: number) {
  const { catalog, vectors, keywords, clock, log } = parts;

  /** Deletes from everywhere what belongs to no version that is known. */
  const sweep = async (index: TenantIndex, { corpusId, versions }: CorpusState) => {
    const oldest = versions[0]?.version ?? 0;
    const newest = versions.at(-1)?.version ?? 0;
    const change = { kind: 'retain', oldest, newest } as const;
    await Promise.all([
      vectors.apply(index.tenant, corpusId, undefined, change),
      keywords.apply(index.tenant, corpusId, change),
    ]);
    // Last, so that no store ever has a row whose number the catalog may give again.
    await catalog.versions.sweep(index.tenant, corpusId, oldest, newest);
  };

  /** Drops versions with all that only they held. */
  const drop = async (index: TenantIndex, corpus: CorpusState, versions: readonly number[]) => {
    if (versions.length === 0) return;
    await catalog.versions.drop(index.tenant, corpus.corpusId, versions);
    const state = await index.reload();
    await index.readsEnded(longestReadMs);
    await sweep(index, corpusOf(state.corpora, corpus.name));
    await index.reload();
  };

  return {
    /** Finishes what a crash has cut off. */
    async recover(index: TenantIndex): Promise<void> {
      const unswept = [...index.state.corpora.values()].filter(({ swept }) => !swept);
      for (const corpus of unswept) await sweep(index, corpus);
      if (unswept.length > 0) await index.reload();
    },

    /** Begins a version, or gives the one that the same build has begun. */
    async begin(
      index: TenantIndex,
      name: string,
      buildId: string,
      space: VectorSpace,
    ): Promise<{ version: number; created: boolean }> {
      let corpus = index.state.corpora.get(name);
      if (corpus === undefined) {
        await catalog.versions.createCorpus(index.tenant, name);
        corpus = corpusOf((await index.reload()).corpora, name);
      }
      const known = corpus.versions.find((version) => version.buildId === buildId);
      if (known?.publishedMs !== undefined) return { version: known.version, created: false };
      const building = corpus.versions.find(({ publishedMs }) => publishedMs === undefined);
      if (building !== undefined && building !== known) {
        throw versionState(building, `version ${building.version} is being built by "${building.buildId}"`);
      }
      if (known !== undefined && known.base === corpus.live && isSameSpace(known, space)) {
        return { version: known.version, created: false };
      }
      // Versions above the live one were rolled back; the same build's own is no use where its base or model has
      // changed.
      const { live } = corpus;
      // Rows of a version that was dropped before must be gone too, or the new one would take them for its own.
      if (!corpus.swept) await sweep(index, corpus);
      const dropped = corpus.versions.filter(({ version }) => version > live).map(({ version }) => version);
      await drop(index, corpus, dropped);
      const version = corpus.lastVersion + 1;
      const begun = { ...space, version, base: live, buildId, begunMs: clock() };
      await catalog.versions.begin(index.tenant, corpus.corpusId, begun);
      await index.reload();
      return { version, created: true };
    },

    /** Checks a built version and makes it live. */
    async publish(index: TenantIndex, name: string, wanted: number, expected: number | undefined): Promise<Published> {
      const corpus = corpusOf(index.state.corpora, name);
      const version = versionOf(corpus, wanted);
      const { tenant } = index;
      const count = () => catalog.documents.count(tenant, corpus.corpusId, wanted, version);
      if (wanted === corpus.live) return { ...(await count()), revision: revisionOf(index.state, name) };
      requireBuilding(version);
      if (version.base !== corpus.live) {
        const message = `version ${wanted} was begun from version ${version.base}, but ${corpus.live} is live`;
        throw versionState(version, `${message}: begin again`);
      }
      await reconcile(parts, tenant, corpus.corpusId, version);
      const counts = await count();
      const unsound = counts.incompleteCount + counts.foreignCount;
      if (unsound > 0) {
        const message = `${unsound} documents of version ${wanted} are incomplete or embedded by another model`;
        throw versionState(version, `${message}: write them again`);
      }
      if (expected !== undefined && expected !== counts.documentCount) {
        const message = `version ${wanted} holds ${counts.documentCount} documents, not ${expected}`;
        throw versionState(version, message);
      }
      const dropped = corpus.versions
        .filter(({ version: other }) => other !== wanted)
        .map(({ version: other }) => other)
        .slice(0, Math.max(0, corpus.versions.length - 1 - keptVersions));
      await catalog.versions.publish(tenant, corpus.corpusId, wanted, clock(), dropped);
      const state = await index.reload();
      try {
        await carryOutAccessChanges(parts, tenant);
      } catch (error) {
        // The version is live and right. A rollback carries the lists out first, or fails.
        log.error({ event: 'access_change_pending', tenant, corpus: name, err: error }, 'access change not in stores');
      }
      if (dropped.length > 0) {
        await index.readsEnded(longestReadMs);
        try {
          await sweep(index, corpusOf(state.corpora, name));
          await index.reload();
        } catch (error) {
          // The version is live. What is left over costs only room, and goes with the next sweep.
          log.error({ tenant, corpus: name, err: error }, 'old versions could not be swept');
        }
      }
      return { ...counts, revision: revisionOf(state, name) };
    },

    /** Drops a version that is being built. */
    async abandon(index: TenantIndex, name: string, wanted: number): Promise<void> {
      const corpus = corpusOf(index.state.corpora, name);
      requireBuilding(versionOf(corpus, wanted));
      await drop(index, corpus, [wanted]);
    },

    /** Makes a kept version live again, with the access lists that its documents have now. */
    async rollback(index: TenantIndex, name: string, wanted: number): Promise<string> {
      const corpus = corpusOf(index.state.corpora, name);
      const version = versionOf(corpus, wanted);
      if (version.publishedMs === undefined) {
        throw versionState(version, `version ${wanted} was never published`);
      }
      if (wanted === corpus.live) return revisionOf(index.state, name);
      // The lists that its documents have now hold in the older version too; in the stores before it is searched.
      await carryOutAccessChanges(parts, index.tenant);
      await catalog.versions.rollback(index.tenant, corpus.corpusId, wanted);
      return revisionOf(await index.reload(), name);
    },
  };
}

/** The life of versions. */
export type Versions = ReturnType<typeof createVersions>;

/** The corpus of a name. Throws NOT_FOUND. */
export function corpusOf(corpora: ReadonlyMap<string, CorpusState>, name: string): CorpusState {
  const corpus = corpora.get(name);
  if (corpus === undefined) throw corpusNotFound(name);
  return corpus;
}

/** The corpus's revision, as callers know it. */
export function revisionOf(state: TenantState, name: string): string {
  return revisionText(state.epoch, state.corpora.get(name)?.revision ?? 0);
}

/** There is no such corpus, or none that the caller may see. */
export function corpusNotFound(name: string) {
  return notFound('corpus', name, ErrorReason.CORPUS_NOT_FOUND);
}

/** The version of a number. Throws NOT_FOUND. */
export function versionOf(corpus: CorpusState, wanted: number): VersionRecord {
  const version = corpus.versions.find(({ version: number }) => number === wanted);
  if (version === undefined) throw versionNotFound(corpus.name, wanted);
  return version;
}

/** There is no such version, or none that the caller may see. */
export function versionNotFound(corpus: string, version: number) {
  return rpcError(Code.NotFound, ErrorReason.RESOURCE_NOT_FOUND, `corpus "${corpus}" has no version ${version}`, {
    metadata: { kind: 'version', id: String(version) },
  });
}

/** Throws FAILED_PRECONDITION where the version is not being built. */
export function requireBuilding(version: VersionRecord): void {
  if (version.publishedMs === undefined) return;
  throw versionState(version, `version ${version.version} was published, and never changes`);
}

function versionState(version: VersionRecord, message: string) {
  const state = version.publishedMs === undefined ? 'building' : 'published';
  const metadata = { state, version: String(version.version), build_id: version.buildId };
  return failedPrecondition(ErrorReason.VERSION_STATE, message, { metadata });
}

function isSameSpace(a: VectorSpace, b: VectorSpace): boolean {
  return a.model === b.model && a.dimensions === b.dimensions;
}
