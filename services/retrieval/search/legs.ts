import type { Client } from '@connectrpc/connect';
import { type Degradation, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { withSpan } from '#kit/base/span.ts';
import { fromVector } from '#kit/base/vectors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { isLexicalModel } from '#kit/text/lexical-model.ts';
import type { QueryWord } from '#kit/text/query/query-words.ts';
import type { PassageRecord } from '../catalog/passage-record.ts';
import { type Hit, mergeHits, type SearchScope } from '../stores/index-row.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import { isZeroVector, toUnitVector } from '../stores/unit-vector.ts';
import type { VectorSpace, VectorStore } from '../stores/vector-store.ts';
import type { WebSearch } from '../stores/web-search.ts';
import { type DegradationDeps, reportDegradation, runStage } from './degradation.ts';
import { searchWebPages } from './web-leg.ts';

/** What the legs need. */
export interface LegDeps extends DegradationDeps {
  vectors: VectorStore;
  keywords: KeywordStore;
  embedding: Pick<Client<typeof EmbeddingService>, 'embed'>;
  /** @default none is configured */
  web?: WebSearch | undefined;
}

/** The part of a search that the legs read. */
export interface LegSearch {
  tenant: string;
  /** The caller's question. */
  query: string;
  /** The question with the tenant's added terms. */
  fullQuery: string;
  /** Words of the full question with their weights. */
  words: readonly QueryWord[];
  /** Candidates wanted. */
  limit: number;
  /** The rows that the search may find. */
  scope: SearchScope;
  /** The space of each corpus's vectors, in the order of the scope's corpora. */
  spaces: readonly VectorSpace[];
  /** Longest time of a leg. */
  timeoutMs: number;
}

/** The outcome of a leg. */
export interface LegOutcome {
  leg: Leg;
  /** Best first. */
  hits: Hit[];
  /** Passages of the hits that are not in the catalog, by key. */
  pages: ReadonlyMap<number, PassageRecord>;
  latencyUs: number;
  /** Set if the leg failed or was too late. */
  degradation: Degradation | undefined;
}

/** A kind of leg: its names, and its search. */
interface LegKind {
  stage: Stage;
  span: string;
  /** Label of the latency metric. */
  index: string;
  search(deps: LegDeps, search: LegSearch, context: CallContext, signal: AbortSignal): Promise<LegResult>;
}

/** The result of a leg. */
type LegResult = Pick<LegOutcome, 'hits'> & Partial<Pick<LegOutcome, 'pages'>>;

const kinds = new Map<Leg, LegKind>([
  [Leg.VECTOR, { stage: Stage.VECTOR_SEARCH, span: 'retrieval.vector', index: 'vector', search: searchVectors }],
  [
    Leg.KEYWORD,
    {
      stage: Stage.KEYWORD_SEARCH,
      span: 'retrieval.keyword',
      index: 'keyword',
      search: async ({ keywords }, { tenant, fullQuery, words, scope, limit }, _context, signal) => ({
        hits: await keywords.search(tenant, { text: fullQuery, words, scope, limit }, signal),
      }),
    },
  ],
  [
    Leg.WEB,
    {
      stage: Stage.WEB_SEARCH,
      span: 'retrieval.web',
      index: 'web',
      search: ({ web }, { query, limit }, _context, signal) => searchWebPages(web, query, limit, signal),
    },
  ],
]);

/** Returns whether a leg of this kind exists. */
export function isLeg(leg: Leg): boolean {
  return kinds.has(leg);
}

/**
 * Runs a leg and returns its outcome. A leg that fails or is late has no hits and a degradation. Rejects only if `signal` aborts, at the
 * end of the caller's own call.
 */
export async function runLeg(
  deps: LegDeps,
  leg: Leg,
  search: LegSearch,
  context: CallContext,
  signal: AbortSignal,
): Promise<LegOutcome> {
  const kind = kinds.get(leg) as LegKind;
  const startedAt = performance.now();
  const outcome = ({ hits, pages = noPages }: LegResult, degradation?: Degradation): LegOutcome => {
    const ms = performance.now() - startedAt;
    deps.metrics.retrievalLatencyMs.observe({ index: kind.index }, ms);
    return { leg, hits, pages, latencyUs: Math.round(ms * 1000), degradation };
  };
  try {
    const found = await withSpan(kind.span, { 'retrieval.limit': search.limit }, async (span) => {
      const result = await runStage(search.timeoutMs, signal, (running) => kind.search(deps, search, context, running));
      span.setAttribute('retrieval.hits', result.hits.length);
      return result;
    });
    return outcome(found);
  } catch (error) {
    signal.throwIfAborted();
    return outcome({ hits: [] }, reportDegradation(deps, kind.stage, error, 'searched without this leg'));
  }
}

const noPages: ReadonlyMap<number, PassageRecord> = new Map();

async function searchVectors(
  deps: LegDeps,
  search: LegSearch,
  context: CallContext,
  signal: AbortSignal,
): Promise<LegResult> {
  const { tenant, limit, scope, spaces } = search;
  const bySpace = new Map<string, { space: VectorSpace; corpora: SearchScope['corpora'][number][] }>();
  for (const [position, space] of spaces.entries()) {
    const key = JSON.stringify([space.model, space.dimensions]);
    const group = bySpace.get(key) ?? { space, corpora: [] };
    group.corpora.push(scope.corpora[position] as SearchScope['corpora'][number]);
    bySpace.set(key, group);
  }
  const lists = await Promise.all(
    [...bySpace.values()].map(async ({ space, corpora }) => {
      const vector = await embedQuestion(deps, search, space, context, signal);
      // A text without any word that the model knows is near to nothing.
      if (isZeroVector(vector)) return [];
      return deps.vectors.search(tenant, { space, vector, scope: { ...scope, corpora }, limit }, signal);
    }),
  );
  return { hits: mergeHits(lists, limit) };
}

/** Returns the question's vector in a space, with length 1 or zero. Throws UNAVAILABLE if the model does not fit the index. */
async function embedQuestion(
  { embedding }: LegDeps,
  { query, fullQuery, timeoutMs }: LegSearch,
  space: VectorSpace,
  context: CallContext,
  signal: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  let vector: Float32Array<ArrayBuffer> | undefined;
  // A semantic model needs no added terms: they would move its vector away from the question.
  const input = isLexicalModel(space.model) ? fullQuery : query;
  const request = { model: space.model, inputs: [input], purpose: Purpose.QUERY, truncate: true };
  for await (const { vectors } of embedding.embed(request, context.forward({ timeoutMs, signal }))) {
    const given = fromVector(vectors[0]);
    if (given.length !== space.dimensions) {
      const message = `model "${space.model}" gives ${given.length} dimensions, the index has ${space.dimensions}`;
      throw unavailable('embedding', `${message}: build it again`);
    }
    vector = toUnitVector(given);
  }
  if (vector === undefined) throw unavailable('embedding', `model "${space.model}" gave no vector`);
  return vector;
}
