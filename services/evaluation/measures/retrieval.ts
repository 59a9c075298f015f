import type { Client } from '@connectrpc/connect';
import type { Degradation } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { documentsOf, isJudged, reportedMetrics } from '../runs/metrics.ts';
import type { Measure } from './measure.ts';

/** Measures rankings of documents. */
export const measureRetrieval = (
  retrieval: Pick<Client<typeof RetrievalService>, 'retrieve'>,
  timeoutMs: number,
): Measure => ({
  timeoutMs,
  isJudged: ({ judgements }) => isJudged(judgements),
  async ask({ text, judgements }, { template }, options) {
    let ranking: string[] | undefined;
    let degradations: readonly Degradation[] = [];
    for await (const { event } of retrieval.retrieve({ ...template, query: text }, options)) {
      if (event.case !== 'fused') continue;
      ranking = documentsOf(event.value.passages);
      degradations = event.value.degradations;
    }
    if (ranking === undefined) throw unavailable('retrieval', 'the search ended without a result');
    const grades = new Map(judgements.map(({ documentId, grade }) => [documentId, grade]));
    return { scores: reportedMetrics.map(({ metric }) => metric(ranking, grades)), degradations };
  },
});
