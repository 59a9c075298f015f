import type { Client, HandlerContext } from '@connectrpc/connect';
import type { Degradation } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { withSpan } from '#kit/base/span.ts';
import { forward } from '#kit/rpc/context.ts';
import type { PassageRecord } from '../catalog/documents.ts';
import { runStage } from './stage.ts';

/** A passage on its way to the reranker. */
export interface RerankCandidate {
  record: PassageRecord;
  /** Fused score, 0 to 1. */
  fused: number;
}

/** A candidate's score, and what made it up where the model tells. */
export interface CandidateScore {
  score: number;
  signs: Readonly<Record<string, number>>;
}

/** What the reranker made of the candidates. */
export interface Reranked {
  /** A score a candidate, in the order in which they came. */
  scores: CandidateScore[];
  model: string;
  /** Set where another model than the one that was asked has scored. */
  degradation: Degradation | undefined;
}

/** Longest title that a reranker takes, in UTF-16 code units. */
const maxTitle = 4096;

/** Scores candidates for a question. Rejects unless every candidate has its score in time. */
export function rerank(
  client: Client<typeof RerankService>,
  query: string,
  candidates: readonly RerankCandidate[],
  hasTitles: boolean,
  timeoutMs: number,
  context: HandlerContext,
  caller: AbortSignal,
): Promise<Reranked> {
  return withSpan('retrieval.rerank', { 'retrieval.candidates': candidates.length }, () =>
    runStage(timeoutMs, caller, async (signal) => {
      const request = {
        query,
        candidates: candidates.map(({ record, fused }) => ({
          text: record.text,
          title: hasTitles ? titleOf(record) : '',
          prior: fused,
        })),
      };
      const scores = new Map<number, CandidateScore>();
      let model = '';
      let degradation: Degradation | undefined;
      for await (const { event } of client.rerank(request, forward(context, { timeoutMs, signal }))) {
        if (event.case === 'scored') for (const one of event.value.passages) scores.set(one.index, one);
        if (event.case === 'done') ({ model, degradation } = event.value);
      }
      return {
        scores: candidates.map((_, index) => {
          const scored = scores.get(index);
          if (scored === undefined || Number.isNaN(scored.score)) {
            throw unavailable('rerank', `candidate ${index} has no score`);
          }
          return scored;
        }),
        model,
        degradation,
      };
    }),
  );
}

function titleOf({ title, headingPath }: PassageRecord): string {
  return [title, ...headingPath]
    .filter((part) => part !== '')
    .join(' › ')
    .slice(0, maxTitle)
    .toWellFormed();
}
