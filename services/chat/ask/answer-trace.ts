import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type AnswerTrace, AnswerTraceSchema, type TracedStageSchema } from '#gen/ragmesh/chat/v1/answer_trace_pb.ts';
import { StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { EndedStage } from '../answer/stages.ts';
import type { AnswerState } from '../answer/state.ts';

/** The contract's limit of versions. */
const maxVersions = 32;

/** Returns how an answer was made. `standalone`: its question as it was searched for, as records keep it. */
export function toTrace(
  state: AnswerState,
  { standalone, totalUs, groups }: { standalone: string; totalUs: number; groups: readonly string[] },
): AnswerTrace {
  const versions = new Map(state.passages.map(({ corpus, version }) => [`${corpus} ${version}`, { corpus, version }]));
  return create(AnswerTraceSchema, {
    stages: state.stages.map(toTraced),
    firstTextUs: BigInt(state.firstTextUs),
    totalUs: BigInt(totalUs),
    ...(state.usage && { usage: state.usage }),
    cacheLayer: state.cacheLayer,
    degradations: [...state.degradations],
    traceId: state.traceId,
    standaloneQuestion: standalone,
    act: state.act,
    versions: [...versions.values()].filter(({ corpus }) => corpus !== '').slice(0, maxVersions),
    passageCount: state.passages.length,
    groups: [...groups],
    unsupportedCount: state.unsupportedClaims.length,
  });
}

function toTraced(stage: EndedStage): MessageInitShape<typeof TracedStageSchema> {
  return {
    stage: stage.stage,
    startedUs: BigInt(stage.startedUs),
    latencyUs: BigInt(stage.latencyUs),
    skipped: stage.status === StageStatus.SKIPPED,
    degraded: stage.status === StageStatus.DEGRADED,
    detail: stage.detail,
  };
}
