import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type RecordRequest, RecordRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';

/** A record for tests, of the answer `answerId`. */
export function recordOf(answerId: string, init: MessageInitShape<typeof RecordRequestSchema> = {}): RecordRequest {
  return create(RecordRequestSchema, {
    answerId,
    question: '退货要几天到账？',
    answer: '3 个工作日内 [1]',
    model: 'extractive',
    evidence: [{ chunkId: 'c1', documentId: 'zh/returns.md', corpus: 'shop', version: 3n, score: 0.9 }],
    citedMarkers: [1],
    ...init,
  });
}
