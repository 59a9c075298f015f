import type { Client, HandlerContext } from '@connectrpc/connect';
import type { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { forward } from '#kit/context.ts';
import { unavailable } from '#kit/errors.ts';
import { withSpan } from '#kit/span.ts';
import type { PassageRecord } from './catalog-documents.ts';
import { runStage } from './stage.ts';

/** A passage on its way to the reranker. */
export interface RerankCandidate {
  record: PassageRecord;
  /** Fused score, 0 to 1. */
  fused: number;
}

/** What the reranker made of the candidates. */
export interface Reranked {
  /** A score a candidate, in the order in which they came. */
  scores: number[];
  model: string;
}

/** Longest title that a reranker takes, in UTF-16 code units. */
const maxTitle = 4096;

/** Scores candidates for a question. Rejects unless every candidate has its score in time. */
export function rerank(
  client: Client<typeof RerankService>,
  query: string,
  candidates: readonly RerankCandidate[],
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
          title: titleOf(record),
          prior: fused,
        })),
      };
      const scores = new Map<number, number>();
      let model = '';
      for await (const { event } of client.rerank(request, forward(context, { timeoutMs, signal }))) {
        if (event.case === 'scored') for (const { index, score } of event.value.passages) scores.set(index, score);
        if (event.case === 'done') model = event.value.model;
      }
      return {
        scores: candidates.map((_, index) => {
          const score = scores.get(index);
          if (score === undefined || Number.isNaN(score))
            throw unavailable('rerank', `candidate ${index} has no score`);
          return score;
        }),
        model,
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
