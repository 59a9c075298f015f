import { create } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import type { JudgedQuery } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import {
  type RetrievalService,
  type RetrieveRequest,
  RetrieveRequestSchema,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { JudgedRanking } from './metrics.ts';

/** A question that was asked. */
export interface Asked extends JudgedRanking {
  latencyUs: number;
  /** What went wrong; the ranking is empty then. */
  failure?: unknown;
}

/** Asks a question through the Retrieve rpc. Never throws, save where the caller's signal has aborted. */
export async function askOne(
  retrieval: Client<typeof RetrievalService>,
  query: JudgedQuery,
  template: RetrieveRequest | undefined,
  passages: number,
  options: CallOptions,
): Promise<Asked> {
  const grades = new Map(query.judgements.map(({ documentId, grade }) => [documentId, grade]));
  const startedAt = performance.now();
  const elapsedUs = () => Math.round((performance.now() - startedAt) * 1000);
  try {
    const request = create(RetrieveRequestSchema, {
      ...(template ?? {}),
      query: query.text,
      topK: Math.max(template?.topK ?? 0, passages),
    } as never);
    let ranking: string[] = [];
    for await (const { event } of retrieval.retrieve(request, options)) {
      // The best passage of a document is its place in the ranking.
      if (event.case === 'fused') ranking = [...new Set(event.value.passages.map(({ documentId }) => documentId))];
    }
    return { ranking, grades, latencyUs: elapsedUs() };
  } catch (failure) {
    if (options.signal?.aborted) throw failure;
    return { ranking: [], grades, latencyUs: elapsedUs(), failure };
  }
}
