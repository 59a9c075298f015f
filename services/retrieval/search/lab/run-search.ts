import { create } from '@bufbuild/protobuf';
import { Leg, type RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import {
  type RunSearchResponse,
  RunSearchResponseSchema,
  type StageCandidate,
  StageCandidateSchema,
} from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { PassageRecord } from '../../catalog/passage-record.ts';
import { readIndex } from '../../index/read-index.ts';
import { type LegOutcome, runLeg } from '../legs.ts';
import { planSearch, type SearchPlan } from '../plan.ts';
import type { SearchDeps } from '../search.ts';
import { type Selection, selectPassages } from '../select/select.ts';
import type { Viewer } from '../viewer.ts';

/** Candidates that are returned. */
const maxCandidates = 200;
/** Beginning of a text that is returned, in UTF-16 code units. */
const maxText = 600;

/** Runs a search for a viewer, and returns its candidates with their rank and score at every stage. */
export async function runSearch(
  deps: SearchDeps,
  request: RetrieveRequest,
  context: CallContext,
  viewer: Viewer,
): Promise<RunSearchResponse> {
  const { principal } = viewer;
  return readIndex(deps.indices, context, async (view) => {
    const plan = planSearch(deps.settings, view, viewer, request, context);
    const outcomes = await Promise.all(plan.legs.map((leg) => runLeg(deps, leg, plan.search, context, context.signal)));
    const selection = await selectPassages(
      deps,
      plan,
      { ...request, neighbours: 0, sectionTokens: 0 },
      outcomes,
      context,
    );
    const ordered = orderOf(selection, outcomes).slice(0, maxCandidates);
    const records = await readRecords(deps, plan, selection, outcomes, ordered, context.signal);
    const corpora = new Map(plan.corpora.map(({ corpusId, name }) => [corpusId, name]));
    const stages = stagesOf(selection, outcomes);
    return create(RunSearchResponseSchema, {
      candidates: ordered.flatMap((key) => {
        const record = records.get(key);
        if (record === undefined) return [];
        return [create(StageCandidateSchema, { ...stages(key), ...describe(record, corpora) })];
      }),
      legs: outcomes.map(({ leg, hits, latencyUs }) => ({
        leg,
        candidateCount: hits.length,
        latencyUs: BigInt(latencyUs),
      })),
      versions: plan.corpora.map(({ name, live }) => ({ corpus: name, version: BigInt(live) })),
      degradations: [
        ...outcomes.flatMap(({ degradation }) => (degradation === undefined ? [] : [degradation])),
        ...(selection.degradation === undefined ? [] : [selection.degradation]),
        ...deps.missing.degradationsOf(principal.tenant, plan.corpora),
      ],
      embeddingModel: usesVectors(outcomes)
        ? [...new Set(plan.search.spaces.map(({ model }) => model))].join(', ')
        : '',
      rerankModel: selection.rerankModel,
      vectorWeight: plan.vectorWeight,
      addedTerms: [...plan.terms.added],
      topK: plan.topK,
    });
  });
}

const usesVectors = (outcomes: readonly LegOutcome[]) =>
  outcomes.some(({ leg, degradation }) => leg === Leg.VECTOR && degradation === undefined);

/** Returns the keys of all candidates: the result first, then by rerank, by fusion and by leg. */
function orderOf({ passages, ranked, fused }: Selection, outcomes: readonly LegOutcome[]): number[] {
  return [
    ...new Set([
      ...passages.map(({ record }) => record.key),
      ...ranked.map(({ record }) => record.key),
      ...fused.map(({ key }) => key),
      ...outcomes.flatMap(({ hits }) => hits.map(({ key }) => key)),
    ]),
  ];
}

/** Reads the texts that the selection has not read, within the scope of the search. */
async function readRecords(
  { catalog }: SearchDeps,
  { search }: SearchPlan,
  { ranked }: Selection,
  outcomes: readonly LegOutcome[],
  keys: readonly number[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, PassageRecord>> {
  const records = new Map(outcomes.flatMap(({ pages }) => [...pages]));
  for (const { record } of ranked) records.set(record.key, record);
  const unread = keys.filter((key) => !records.has(key));
  if (unread.length > 0) {
    for (const record of await catalog.passages.read(search.tenant, unread, search.scope, signal)) {
      records.set(record.key, record);
    }
  }
  return records;
}

/** Returns what gives the ranks and scores of a candidate. */
function stagesOf({ passages, ranked, fused, duplicates }: Selection, outcomes: readonly LegOutcome[]) {
  const legs = outcomes.map(({ leg, hits }) => ({
    leg,
    byKey: new Map(hits.map(({ key, score }, at) => [key, { leg, rank: at + 1, score }])),
  }));
  const byFusion = new Map(fused.map(({ key, score }, at) => [key, { fusedRank: at + 1, fusedScore: score }]));
  const byRerank = new Map(
    ranked.flatMap(({ record, reranked }, at) =>
      reranked === undefined
        ? []
        : [[record.key, { rerankRank: at + 1, rerankScore: reranked.score, rerankSigns: { ...reranked.signs } }]],
    ),
  );
  const ranks = new Map(passages.map(({ record }, at) => [record.key, at + 1]));
  return (key: number) => ({
    legs: legs.flatMap(({ byKey }) => byKey.get(key) ?? []),
    ...byFusion.get(key),
    ...byRerank.get(key),
    rank: ranks.get(key) ?? 0,
    duplicateOf: duplicates.get(key) ?? '',
  });
}

function describe(
  { chunkId, documentId, corpusId, title, headingPath, text }: PassageRecord,
  corpora: ReadonlyMap<number, string>,
): Pick<StageCandidate, 'chunkId' | 'documentId' | 'corpus' | 'title' | 'headingPath' | 'text'> {
  return {
    chunkId,
    documentId,
    corpus: corpora.get(corpusId) ?? '',
    title,
    headingPath: [...headingPath],
    text: text.slice(0, maxText).toWellFormed(),
  };
}
