import type { Client } from '@connectrpc/connect';
import type { Degradation } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { withSpan } from '#kit/base/span.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { PassageRecord } from '../catalog/passage-record.ts';
import { runStage } from './degradation.ts';

/** A passage to be reranked. */
export interface RerankCandidate {
  record: PassageRecord;
  /** Fused score, 0 to 1. */
  fused: number;
}

/** A candidate's score, and its parts if the model reports them. */
export interface CandidateScore {
  score: number;
  signs: Readonly<Record<string, number>>;
}

/** The outcome of a rerank. */
export interface Reranked {
  /** The score of each candidate, in the order of the request. */
  scores: CandidateScore[];
  model: string;
  /** Set if another model than the requested one has scored. */
  degradation: Degradation | undefined;
}

/** Longest title that a reranker accepts, in UTF-16 code units. */
const maxTitle = 4096;

/** Scores candidates for a question. Rejects unless every candidate has a score in time. */
export function rerank(
  client: Pick<Client<typeof RerankService>, 'rerank'>,
  query: string,
  candidates: readonly RerankCandidate[],
  hasTitles: boolean,
  timeoutMs: number,
  context: CallContext,
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
      for await (const { event } of client.rerank(request, context.forward({ timeoutMs, signal }))) {
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
