import type { Client, HandlerContext } from '@connectrpc/connect';
import { type Degradation, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { withSpan } from '#kit/base/span.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { forward } from '#kit/rpc/context.ts';
import type { QueryWord } from '#kit/text/query/query-words.ts';
import type { PassageRecord } from '../catalog/documents.ts';
import { normalise } from '../index/document-rows.ts';
import { type Hit, mergeHits, type Scope } from '../stores/index-row.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorSpace, VectorStore } from '../stores/vector-store.ts';
import type { WebSearch } from '../stores/web-search.ts';
import { isLexicalModel } from './leg-weights.ts';
import { degrade, runStage, type StageDeps } from './stage.ts';
import { searchWebPages } from './web-leg.ts';

/** What the legs search with. */
export interface LegDeps extends StageDeps {
  vectors: VectorStore;
  keywords: KeywordStore;
  embedding: Client<typeof EmbeddingService>;
  /** @default none is configured */
  web?: WebSearch | undefined;
}

/** A search as every leg sees it. */
export interface LegSearch {
  tenant: string;
  /** What the caller wrote. */
  query: string;
  /** The same with the tenant's other words for it. */
  fullQuery: string;
  /** Words of the full question with their weights. */
  words: readonly QueryWord[];
  /** Candidates wanted. */
  limit: number;
  /** Corpora at their versions, and who asks. */
  scope: Scope;
  /** The space of each corpus's vectors, in the order of the scope's corpora. */
  spaces: readonly VectorSpace[];
  /** Time for the leg. */
  timeoutMs: number;
}

/** What came of a leg. */
export interface LegOutcome {
  leg: Leg;
  /** Best first. */
  hits: Hit[];
  /** Passages of hits that no catalog has, by key. */
  pages: ReadonlyMap<number, PassageRecord>;
  latencyUs: number;
  /** Set where the leg failed or was too late. */
  degradation: Degradation | undefined;
}

/** A leg: its names, and its search. */
interface LegKind {
  stage: Stage;
  span: string;
  /** Label of the latency metric. */
  index: string;
  search(deps: LegDeps, search: LegSearch, context: HandlerContext, signal: AbortSignal): Promise<Found>;
}

/** What a leg finds. */
type Found = Pick<LegOutcome, 'hits'> & Partial<Pick<LegOutcome, 'pages'>>;

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

/** Whether there is such a leg. */
export function isLeg(leg: Leg): boolean {
  return kinds.has(leg);
}

/**
 * Runs a leg within its time. A leg that fails or is late has an outcome without hits that says so; only the end of the
 * caller's own call, by `signal`, rejects.
 */
export async function runLeg(
  deps: LegDeps,
  leg: Leg,
  search: LegSearch,
  context: HandlerContext,
  signal: AbortSignal,
): Promise<LegOutcome> {
  const kind = kinds.get(leg) as LegKind;
  const startedAt = performance.now();
  const outcome = ({ hits, pages = noPages }: Found, degradation?: Degradation): LegOutcome => {
    const ms = performance.now() - startedAt;
    deps.metrics.retrievalLatencyMs.observe({ index: kind.index }, ms);
    return { leg, hits, pages, latencyUs: Math.round(ms * 1000), degradation };
  };
  try {
    const found = await withSpan(kind.span, { 'retrieval.limit': search.limit }, async (span) => {
      const result = await runStage(search.timeoutMs, signal, (ends) => kind.search(deps, search, context, ends));
      span.setAttribute('retrieval.hits', result.hits.length);
      return result;
    });
    return outcome(found);
  } catch (error) {
    signal.throwIfAborted();
    return outcome({ hits: [] }, degrade(deps, kind.stage, error, 'searched without this leg'));
  }
}

const noPages: ReadonlyMap<number, PassageRecord> = new Map();

async function searchVectors(
  { vectors, embedding }: LegDeps,
  { tenant, query, fullQuery, limit, scope, spaces, timeoutMs }: LegSearch,
  context: HandlerContext,
  signal: AbortSignal,
): Promise<Found> {
  const bySpace = new Map<string, { space: VectorSpace; corpora: Scope['corpora'][number][] }>();
  for (const [position, space] of spaces.entries()) {
    const key = JSON.stringify([space.model, space.dimensions]);
    const group = bySpace.get(key) ?? { space, corpora: [] };
    group.corpora.push(scope.corpora[position] as Scope['corpora'][number]);
    bySpace.set(key, group);
  }
  const lists = await Promise.all(
    [...bySpace.values()].map(async ({ space, corpora }) => {
      const options = forward(context, { timeoutMs, signal });
      let vector: Float32Array<ArrayBuffer> | undefined;
      // A model that knows meanings needs no other words, and they would draw its vector away.
      const input = isLexicalModel(space.model) ? fullQuery : query;
      const request = { model: space.model, inputs: [input], purpose: Purpose.QUERY, truncate: true };
      for await (const { vectors: embedded } of embedding.embed(request, options)) {
        const given = fromVector(embedded[0]);
        if (given.length !== space.dimensions) {
          const message = `model "${space.model}" gives ${given.length} dimensions, the index has ${space.dimensions}`;
          throw unavailable('embedding', `${message}: build it again`);
        }
        vector = normalise(given);
      }
      if (vector === undefined) throw unavailable('embedding', `model "${space.model}" gave no vector`);
      // A text without a word that the model knows is near to nothing.
      if (vector.every((component) => component === 0)) return [];
      return vectors.search(tenant, { space, vector, scope: { ...scope, corpora }, limit }, signal);
    }),
  );
  return { hits: mergeHits(lists, limit) };
}
