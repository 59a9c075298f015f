import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { type Principal, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexAdminService, VersionState } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { type IndexDocument, IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { failedPrecondition, notFound, rpcError } from '#kit/base/errors.ts';
import { defineService } from '#kit/host/define-service.ts';
import { canSee } from '#kit/rpc/access.ts';

interface Version {
  version: bigint;
  base: bigint;
  buildId: string;
  isPublished: boolean;
  documents: Map<string, IndexDocument>;
  trial?: { canaryPercent: number; shadowPercent: number } | undefined;
}

interface Corpus {
  live: bigint;
  last: bigint;
  revision: number;
  versions: Map<bigint, Version>;
  /** The newest published access list of each document. */
  access: Map<string, IndexDocument['access']>;
}

/** A fake index with the rules of the real one. It records the calls and fails on demand. */
export function createIndexStandIn() {
  const corpora = new Map<string, Corpus>();
  const calls: string[] = [];
  /** Runs before each call; may throw or wait. */
  let before: (rpc: string) => void | Promise<void> = () => {};

  /** Whether a search ignores access lists, and the stages that it lacks. */
  let leaks = false;
  let degradations: { stage: Stage; reason: string }[] = [];

  const at = async (rpc: string) => {
    calls.push(rpc);
    await before(rpc);
  };
  const keyOf = ({ tenant }: Principal, corpus: string) => `${tenant}/${corpus}`;
  const find = (principal: Principal, name: string): Corpus => {
    const corpus = corpora.get(keyOf(principal, name));
    if (corpus === undefined) throw notFound('corpus', name, ErrorReason.CORPUS_NOT_FOUND);
    return corpus;
  };
  const versionOf = (corpus: Corpus, number: bigint): Version => {
    const version = corpus.versions.get(number);
    if (version === undefined) throw notFound('version', String(number));
    return version;
  };
  const wrongState = (version: Version, message: string) =>
    failedPrecondition(ErrorReason.VERSION_STATE, message, {
      metadata: { version: String(version.version), build_id: version.buildId },
    });
  const buildingOf = (corpus: Corpus, number: bigint): Version => {
    const version = versionOf(corpus, number);
    if (version.isPublished) throw wrongState(version, 'it was published');
    return version;
  };

  const definition = defineService({
    name: 'retrieval',
    contracts: [IndexWriterService, IndexAdminService, RetrievalService],
    config: () => ({}),
    needs: {},
    async create() {
      return {
        close: async () => {},
        impl: {
          async beginVersion({ corpus: name, buildId }, context) {
            await at('begin');
            const key = keyOf(context.principal, name);
            const corpus = corpora.get(key) ?? {
              live: 0n,
              last: 0n,
              revision: 0,
              versions: new Map(),
              access: new Map(),
            };
            corpora.set(key, corpus);
            for (const version of corpus.versions.values()) {
              if (version.buildId === buildId && (version.isPublished || version.base === corpus.live)) {
                return { version: version.version, created: false };
              }
              if (!version.isPublished && version.buildId !== buildId)
                throw wrongState(version, 'another is being built');
            }
            const version = ++corpus.last;
            const documents = new Map(corpus.versions.get(corpus.live)?.documents);
            corpus.versions.set(version, { version, base: corpus.live, buildId, isPublished: false, documents });
            return { version, created: true };
          },

          async writeDocuments(requests, context) {
            let documentCount = 0n;
            let chunkCount = 0n;
            for await (const { corpus, version, documents } of requests) {
              await at('write');
              const building = buildingOf(find(context.principal, corpus), version);
              for (const document of documents) {
                checkDocument(document);
                building.documents.set(document.documentId, document);
                documentCount++;
                chunkCount += BigInt(document.chunks.length);
              }
            }
            return { documentCount, chunkCount };
          },

          async removeDocuments({ corpus, version, documentIds }, context) {
            await at('remove');
            const { documents } = buildingOf(find(context.principal, corpus), version);
            return { documentCount: BigInt(documentIds.filter((id) => documents.delete(id)).length) };
          },

          async publishVersion({ corpus: name, version: number, expectedDocumentCount }, context) {
            await at('publish');
            const corpus = find(context.principal, name);
            const version = versionOf(corpus, number);
            const documentCount = BigInt(version.documents.size);
            if (number !== corpus.live) {
              buildingOf(corpus, number);
              if (version.base !== corpus.live) throw wrongState(version, 'its base is not live');
              if (expectedDocumentCount !== undefined && expectedDocumentCount !== documentCount) {
                throw wrongState(version, `it holds ${documentCount} documents, not ${expectedDocumentCount}`);
              }
              checkVersion(version);
              version.isPublished = true;
              const base = corpus.versions.get(version.base)?.documents;
              for (const [id, document] of version.documents) {
                if (base?.get(id) !== document) corpus.access.set(id, document.access);
              }
              corpus.live = number;
              corpus.revision++;
              const kept = [...corpus.versions.keys()].sort((a, b) => Number(b - a)).slice(0, 3);
              for (const old of corpus.versions.keys()) if (!kept.includes(old)) corpus.versions.delete(old);
              await at('published');
            }
            return { revision: String(corpus.revision), documentCount, chunkCount: 0n };
          },

          async abandonVersion({ corpus, version }, context) {
            await at('abandon');
            const found = find(context.principal, corpus);
            buildingOf(found, version);
            found.versions.delete(version);
            return {};
          },

          async putTrial({ corpus, version, canaryPercent, shadowPercent }, context) {
            await at('trial');
            const building = buildingOf(find(context.principal, corpus), version);
            building.trial = canaryPercent + shadowPercent === 0 ? undefined : { canaryPercent, shadowPercent };
            return {};
          },

          async getTrial({ corpus: name }, context) {
            const corpus = find(context.principal, name);
            const found = [...corpus.versions.values()].find(({ isPublished, trial }) => !isPublished && trial);
            if (found?.trial === undefined) return {};
            const startedAt = timestampFromMs(0);
            return { trial: { ...found.trial, version: found.version, liveVersion: corpus.live, startedAt } };
          },

          scrubIndex: async () => ({}),

          async purgeDocuments({ corpus: name, documentIds }, context) {
            await at('purge');
            const corpus = find(context.principal, name);
            const gone = new Set<string>();
            for (const { documents } of corpus.versions.values()) {
              for (const id of documentIds) if (documents.delete(id)) gone.add(id);
            }
            corpus.revision++;
            await at('purged');
            return {
              documentCount: BigInt(gone.size),
              chunkCount: BigInt(gone.size),
              revision: String(corpus.revision),
            };
          },

          async *listIndexedDocuments({ corpus: name, version: number, anyVersion, documentIds }, context) {
            await at('list');
            const principal = context.principal;
            const corpus = find(principal, name);
            if (number === 0n && corpus.live === 0n) return;
            const version = versionOf(corpus, number === 0n ? corpus.live : number);
            const published = [...corpus.versions.values()].filter(({ isPublished }) => isPublished);
            const documents = anyVersion ? new Map(published.flatMap((one) => [...one.documents])) : version.documents;
            const isService = principal.roles.includes(Role.SERVICE);
            const ids = documentIds.length === 0 ? [...documents.keys()].sort() : documentIds;
            for (const id of ids) {
              const document = documents.get(id);
              const access = version.isPublished ? corpus.access.get(id) : document?.access;
              if (document === undefined || !(isService || canSee(principal, access))) continue;
              const { documentId, contentHash, chunks } = document;
              yield { documents: [{ documentId, contentHash, chunkCount: chunks.length, access }] };
            }
          },

          async listVersions({ corpus: name }, context) {
            await at('count');
            const corpus = find(context.principal, name);
            return {
              versions: [...corpus.versions.values()].map(({ version, isPublished, documents }) => ({
                version,
                state: isPublished
                  ? version === corpus.live
                    ? VersionState.LIVE
                    : VersionState.KEPT
                  : VersionState.BUILDING,
                documentCount: BigInt(documents.size),
                chunkCount: BigInt([...documents.values()].reduce((sum, { chunks }) => sum + chunks.length, 0)),
              })),
            };
          },

          // Finds every document that the filter names and the caller may see.
          async *retrieve({ corpora: [name = ''], versions, filter }, context) {
            await at('retrieve');
            const corpus = find(context.principal, name);
            const { documents } = versionOf(corpus, versions[0]?.version ?? corpus.live);
            const passages = (filter?.documentIds ?? []).flatMap((documentId) => {
              const document = documents.get(documentId);
              const isVisible = leaks || canSee(context.principal, document?.access);
              return document !== undefined && isVisible ? [{ documentId, chunkId: `${documentId}#0` }] : [];
            });
            yield { event: { case: 'fused' as const, value: { passages, degradations } } };
          },

          async listCorpora(_request, context) {
            const { tenant } = context.principal;
            return {
              corpora: [...corpora]
                .filter(([key]) => key.startsWith(`${tenant}/`))
                .map(([key, { live, revision }]) => ({
                  name: key.slice(tenant.length + 1),
                  liveVersion: live,
                  revision: String(revision),
                })),
            };
          },
        },
      };
    },
  });

  return {
    definition,
    calls,
    /** Sets what runs before each call. */
    intercept(hook: (rpc: string) => void | Promise<void>) {
      before = hook;
    },
    /** Makes searches ignore access lists, or lack a stage. */
    searches(how: { leak?: boolean; lack?: string }) {
      leaks = how.leak ?? false;
      degradations = how.lack === undefined ? [] : [{ stage: Stage.VECTOR_SEARCH, reason: how.lack }];
    },
    /** Returns the documents of the live version, by id; empty if there is none. */
    live(corpus: string, tenant = 'acme'): Map<string, IndexDocument> {
      const found = corpora.get(`${tenant}/${corpus}`);
      return found?.versions.get(found.live)?.documents ?? new Map();
    },
    /** Returns the number of the live version. */
    liveVersion: (corpus: string, tenant = 'acme') => corpora.get(`${tenant}/${corpus}`)?.live ?? 0n,
    /** Returns the versions that are being built, of all corpora. */
    building: () =>
      [...corpora.values()].flatMap(({ versions }) => [...versions.values()].filter((one) => !one.isPublished)),
    /** Makes an older version live again. */
    rollback(corpus: string, version: bigint, tenant = 'acme') {
      const found = corpora.get(`${tenant}/${corpus}`);
      if (found === undefined) throw new Error('no corpus');
      found.live = version;
    },
    /** Begins a version of an unknown job. */
    beginForeign(corpus: string, buildId: string, tenant = 'acme') {
      const found = corpora.get(`${tenant}/${corpus}`);
      if (found === undefined) throw new Error('no corpus');
      const version = ++found.last;
      found.versions.set(version, { version, base: found.live, buildId, isPublished: false, documents: new Map() });
    },
  };
}

/** The type of the fake index. */
export type IndexStandIn = ReturnType<typeof createIndexStandIn>;

/** Returns an error that a retry can fix. */
export const outage = () => rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, 'the index is away');

function checkDocument({ documentId, contentHash, chunks }: IndexDocument): void {
  if (contentHash.byteLength !== 32) throw new Error(`${documentId} has no SHA-256`);
  for (const [index, { ordinal, text, startOffset, endOffset, vector }] of chunks.entries()) {
    if (ordinal !== index) throw new Error(`${documentId}: chunk ${index} has the ordinal ${ordinal}`);
    if (text.length !== endOffset - startOffset)
      throw new Error(`${documentId}: the offsets of chunk ${index} are wrong`);
    if (vector?.kind.case !== 'dense') throw new Error(`${documentId}: chunk ${index} has no vector`);
  }
}

function checkVersion({ documents }: Version): void {
  const chunkIds = new Set<string>();
  for (const { chunks } of documents.values()) {
    for (const { chunkId } of chunks) {
      if (chunkIds.has(chunkId)) throw new Error(`the chunk id ${chunkId} is there twice`);
      chunkIds.add(chunkId);
    }
  }
}
