import { create } from '@bufbuild/protobuf';
import { type AskResponse, AskResponseSchema, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';

/** What differs between two times that an answer is given, up to its last events. */
export interface OwnParts {
  readonly answerId: string;
  /** Latency of its stages, in microseconds. */
  readonly latencyUs: number;
}

/** Returns the events of an answer under its own id and times; all others are the same messages. */
export function withOwnParts(responses: readonly AskResponse[], { answerId, latencyUs }: OwnParts): AskResponse[] {
  return responses.map((response) => {
    const { event } = response;
    if (event.case === 'started') {
      return create(AskResponseSchema, { event: { case: 'started', value: { ...event.value, answerId } } });
    }
    if (event.case !== 'stage' || event.value.status === StageStatus.STARTED) return response;
    const value = { ...event.value, latencyUs: BigInt(latencyUs) };
    return create(AskResponseSchema, { event: { case: 'stage', value } });
  });
}
