import type { Client, HandlerContext } from '@connectrpc/connect';
import { type Degradation, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { forward } from '#kit/context.ts';
import { unavailable } from '#kit/errors.ts';
import { withSpan } from '#kit/span.ts';
import { fromVector } from '#kit/vectors.ts';
import { type Hit, mergeHits, type Scope } from './index-row.ts';
import type { KeywordStore } from './keyword-store.ts';
import { normalise } from './prepare.ts';
import { degrade, runStage, type StageDeps } from './stage.ts';
import type { VectorSpace, VectorStore } from './vector-store.ts';

/** What the legs search with. */
export interface LegDeps extends StageDeps {
  vectors: VectorStore;
  keywords: KeywordStore;
  embedding: Client<typeof EmbeddingService>;
}

/** A search as every leg sees it. */
export interface LegSearch {
  tenant: string;
  query: string;
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
  search(deps: LegDeps, search: LegSearch, context: HandlerContext, signal: AbortSignal): Promise<Hit[]>;
}

const kinds = new Map<Leg, LegKind>([
  [Leg.VECTOR, { stage: Stage.VECTOR_SEARCH, span: 'retrieval.vector', index: 'vector', search: searchVectors }],
  [
    Leg.KEYWORD,
    {
      stage: Stage.KEYWORD_SEARCH,
      span: 'retrieval.keyword',
      index: 'keyword',
      search: ({ keywords }, { tenant, query, scope, limit }, _context, signal) =>
        keywords.search(tenant, { text: query, scope, limit }, signal),
    },
  ],
  [
    Leg.WEB,
    {
      stage: Stage.WEB_SEARCH,
      span: 'retrieval.web',
      index: 'web',
      search: async () => {
        throw unavailable('web search', 'no web search is configured');
      },
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
  const outcome = (hits: Hit[], degradation?: Degradation): LegOutcome => {
    const ms = performance.now() - startedAt;
    deps.metrics.retrievalLatencyMs.observe({ index: kind.index }, ms);
    return { leg, hits, latencyUs: Math.round(ms * 1000), degradation };
  };
  try {
    const hits = await withSpan(kind.span, { 'retrieval.limit': search.limit }, async (span) => {
      const found = await runStage(search.timeoutMs, signal, (ends) => kind.search(deps, search, context, ends));
      span.setAttribute('retrieval.hits', found.length);
      return found;
    });
    return outcome(hits);
  } catch (error) {
    signal.throwIfAborted();
    return outcome([], degrade(deps, kind.stage, error, 'searched without this leg'));
  }
}

async function searchVectors(
  { vectors, embedding }: LegDeps,
  { tenant, query, limit, scope, spaces, timeoutMs }: LegSearch,
  context: HandlerContext,
  signal: AbortSignal,
): Promise<Hit[]> {
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
      const request = { model: space.model, inputs: [query], purpose: Purpose.QUERY };
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
  return mergeHits(lists, limit);
}
