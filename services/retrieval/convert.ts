import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type AccessList,
  AccessListSchema,
  type Filter,
  Language,
  type Passage,
  PassageSchema,
} from '#gen/ragmesh/common/v1/common_pb.ts';
import { type TermTable, VersionState } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { type Corpus, CorpusSchema, type LegHit, LegHitSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { VersionTrialSchema } from '#gen/ragmesh/retrieval/v1/trial_pb.ts';
import { everyone } from '#kit/rpc/access.ts';
import { detectLanguage } from '#kit/text/language.ts';
import type { Counts } from './access/visibility.ts';
import type { PageRegionRecord, PassageRecord } from './catalog/passage-record.ts';
import type { TermRecord } from './catalog/terms.ts';
import type { TrialRecord, TrialSums } from './catalog/trials.ts';
import type { VersionRecord } from './catalog/versions.ts';
import { type CorpusView, type IndexView, revisionText } from './index/index-view.ts';
import type { Hit, RowFilter } from './stores/index-row.ts';
import { trialOf } from './trials/trial.ts';

// Conversions between messages of the contract and the records of the catalog and the stores.

/** Returns a filter in the form of the stores. */
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

/** Returns an access list in the form of the contract: an empty list for everyone in the tenant. */
export function accessOf(groups: readonly string[]): AccessList {
  return create(AccessListSchema, { groups: groups.includes(everyone) ? [] : [...groups] });
}

/** Returns a passage in the form of the contract; one without a corpus is from the web. */
export function toPassage(
  record: PassageRecord,
  corpus: CorpusView | undefined,
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
    ...(record.updatedMs !== undefined && { updatedAt: timestampFromMs(record.updatedMs) }),
    ...(record.validUntilMs !== undefined && { validUntil: timestampFromMs(record.validUntilMs) }),
    language: record.language as Language,
    startOffset: record.startOffset,
    endOffset: record.endOffset,
    ordinal: record.ordinal,
    ...(record.regions !== undefined && { regions: record.regions.map(toPageRegion) }),
    ...rest,
  });
}

function toPageRegion([page, left, top, right, bottom]: PageRegionRecord) {
  return { page, left, top, right, bottom };
}

/** Returns a candidate in the form of the contract. */
export function toLegHit({ chunkId, documentId, score }: Hit): LegHit {
  return create(LegHitSchema, { chunkId, documentId, score });
}

/** Returns a corpus in the form of the contract, with the counts that the caller may see. */
export function toCorpus(view: IndexView, corpus: CorpusView, visible: Counts): Corpus {
  const trial = trialOf(corpus);
  const publishedMs = corpus.versions.find(({ version }) => version === corpus.live)?.publishedMs;
  return create(CorpusSchema, {
    name: corpus.name,
    liveVersion: BigInt(corpus.live),
    documentCount: BigInt(visible.documentCount),
    chunkCount: BigInt(visible.chunkCount),
    revision: revisionText(view.epoch, corpus.revision),
    ...(publishedMs !== undefined && { publishedAt: timestampFromMs(publishedMs) }),
    ...(trial !== undefined &&
      trial.canaryPercent > 0 && { trial: { version: BigInt(trial.version), canaryPercent: trial.canaryPercent } }),
  });
}

/** Returns a trial in the form of the contract. */
export function toVersionTrial({ live }: CorpusView, trial: TrialRecord, sums: TrialSums) {
  const { compared } = sums;
  const meanOf = (sum: number) => (compared === 0 ? 0 : sum / compared);
  return create(VersionTrialSchema, {
    version: BigInt(trial.version),
    liveVersion: BigInt(live),
    canaryPercent: trial.canaryPercent,
    shadowPercent: trial.shadowPercent,
    startedAt: timestampFromMs(trial.startedMs),
    shadow: {
      comparedCount: BigInt(compared),
      sameCount: BigInt(sums.same),
      meanOverlap: meanOf(sums.overlap),
      meanNdcg: meanOf(sums.ndcg),
      onlyLiveCount: BigInt(sums.onlyLive),
      onlyCandidateCount: BigInt(sums.onlyCandidate),
      failedCount: BigInt(sums.failed),
      droppedCount: BigInt(sums.dropped),
    },
  });
}

/** Returns terms in the form of the catalog, each once in its group. */
export function toTermRecord(table: TermTable | undefined): TermRecord {
  const cleaned = (terms: readonly string[]) => [...new Set(terms.map((term) => term.toWellFormed().trim()))];
  return {
    groups: (table?.groups ?? []).map(({ terms }) => cleaned(terms)),
    protectedTerms: cleaned(table?.protectedTerms ?? []),
  };
}

/** Returns the state of a version in the form of the contract. */
export function versionStateOf(version: VersionRecord, live: number): VersionState {
  if (version.publishedMs === undefined) return VersionState.BUILDING;
  return version.version === live ? VersionState.LIVE : VersionState.KEPT;
}

/** Returns the language of a text in the form of the contract; UNSPECIFIED if it is neither Chinese nor English. */
export function detectedLanguage(text: string): Language {
  switch (detectLanguage(text)) {
    case 'zh':
      return Language.ZH;
    case 'en':
      return Language.EN;
    default:
      return Language.UNSPECIFIED;
  }
}
