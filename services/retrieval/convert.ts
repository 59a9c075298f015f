import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type AccessList,
  AccessListSchema,
  type Filter,
  type Language,
  type Passage,
  PassageSchema,
} from '#gen/ragmesh/common/v1/common_pb.ts';
import { type TermTable, VersionState } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { type Corpus, CorpusSchema, type LegHit, LegHitSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { everyone } from '#kit/rpc/access.ts';
import type { PassageRecord } from './catalog/documents.ts';
import type { VersionRecord } from './catalog/versions.ts';
import { type CorpusState, type Counts, revisionText, type TenantState } from './index/tenant-state.ts';
import type { TermRecord } from './index/terms.ts';
import type { Hit, RowFilter } from './stores/index-row.ts';

/** A filter of the contract as the stores take it. */
export function toRowFilter(filter: Filter | undefined): RowFilter | undefined {
  if (filter === undefined) return undefined;
  return {
    documentIds: filter.documentIds.map((id) => id.toWellFormed()),
    languages: filter.languages,
    attributes: filter.attributes.map(({ name, values }) => ({
      name: name.toWellFormed(),
      values: values.map((value) => value.toWellFormed()),
    })),
    updatedFromMs: filter.updatedFrom && timestampMs(filter.updatedFrom),
    updatedBeforeMs: filter.updatedBefore && timestampMs(filter.updatedBefore),
  };
}

/** Returns an access list of the catalog in the words of the contract: empty for everyone in the tenant. */
export function accessOf(groups: readonly string[]): AccessList {
  return create(AccessListSchema, { groups: groups.includes(everyone) ? [] : [...groups] });
}

/** A passage for a caller; without a corpus it comes from the web. */
export function toPassage(
  record: PassageRecord,
  corpus: CorpusState | undefined,
  rest?: Pick<MessageInitShape<typeof PassageSchema>, 'scores' | 'duplicateChunkIds' | 'joinedChunkIds'>,
): Passage {
  return create(PassageSchema, {
    chunkId: record.chunkId,
    documentId: record.documentId,
    corpus: corpus?.name ?? '',
    version: BigInt(corpus?.live ?? 0),
    untrusted: corpus === undefined,
    title: record.title,
    headingPath: [...record.headingPath],
    text: record.text,
    url: record.url,
    language: record.language as Language,
    startOffset: record.startOffset,
    endOffset: record.endOffset,
    ordinal: record.ordinal,
    ...rest,
  });
}

/** A candidate for a caller. */
export function toLegHit({ chunkId, documentId, score }: Hit): LegHit {
  return create(LegHitSchema, { chunkId, documentId, score });
}

/** A corpus for a caller who sees these counts of it. */
export function toCorpus(state: TenantState, corpus: CorpusState, visible: Counts): Corpus {
  const publishedMs = corpus.versions.find(({ version }) => version === corpus.live)?.publishedMs;
  return create(CorpusSchema, {
    name: corpus.name,
    liveVersion: BigInt(corpus.live),
    documentCount: BigInt(visible.documentCount),
    chunkCount: BigInt(visible.chunkCount),
    revision: revisionText(state.epoch, corpus.revision),
    ...(publishedMs !== undefined && { publishedAt: timestampFromMs(publishedMs) }),
  });
}

/** Terms of the contract as the catalog keeps them; one that comes twice in its group comes once. */
export function toTermRecord(table: TermTable | undefined): TermRecord {
  const cleaned = (terms: readonly string[]) => [...new Set(terms.map((term) => term.toWellFormed().trim()))];
  return {
    groups: (table?.groups ?? []).map(({ terms }) => cleaned(terms)),
    protectedTerms: cleaned(table?.protectedTerms ?? []),
  };
}

/** What a version is to readers. */
export function stateOf(version: VersionRecord, live: number): VersionState {
  if (version.publishedMs === undefined) return VersionState.BUILDING;
  return version.version === live ? VersionState.LIVE : VersionState.KEPT;
}
