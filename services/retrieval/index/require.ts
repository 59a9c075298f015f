import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition, notFound, rpcError } from '#kit/base/errors.ts';
import type { VersionRecord } from '../catalog/versions.ts';
import { type CorpusView, type IndexView, revisionText } from './index-view.ts';

// Lookups of corpora and versions, with the errors of the contract.

/** Returns the corpus of a name. Throws NOT_FOUND. */
export function requireCorpus(view: IndexView, name: string): CorpusView {
  const corpus = view.corpora.get(name);
  if (corpus === undefined) throw corpusNotFound(name);
  return corpus;
}

/** Returns the version of a number. Throws NOT_FOUND. */
export function requireVersion(corpus: CorpusView, wanted: number): VersionRecord {
  const version = corpus.versions.find(({ version: number }) => number === wanted);
  if (version === undefined) throw versionNotFound(corpus.name, wanted);
  return version;
}

/** Throws FAILED_PRECONDITION if the version was published. */
export function requireBuilding(version: VersionRecord): void {
  if (version.publishedMs === undefined) return;
  throw versionState(version, `version ${version.version} was published and cannot change: begin a new version`);
}

/** Returns the revision of a corpus in the form that callers get. */
export function revisionOf(view: IndexView, name: string): string {
  return revisionText(view.epoch, view.corpora.get(name)?.revision ?? 0);
}

/** Returns the error for a corpus that does not exist, or that the caller may not see. */
export function corpusNotFound(name: string) {
  return notFound('corpus', name, ErrorReason.CORPUS_NOT_FOUND);
}

/** Returns the error for a version that does not exist, or that the caller may not see. */
export function versionNotFound(corpus: string, version: number) {
  return rpcError(Code.NotFound, ErrorReason.RESOURCE_NOT_FOUND, `corpus "${corpus}" has no version ${version}`, {
    metadata: { kind: 'version', id: String(version) },
  });
}

/** Returns the error for a version whose state does not permit the change. */
export function versionState(version: VersionRecord, message: string) {
  const state = version.publishedMs === undefined ? 'building' : 'published';
  const metadata = { state, version: String(version.version), build_id: version.buildId };
  return failedPrecondition(ErrorReason.VERSION_STATE, message, { metadata });
}
