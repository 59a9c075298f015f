import { HandoverReason, HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';

/** How far the hand-over of a conversation is; UNSPECIFIED: there is none. */
export interface HandoverStep {
  readonly state: HandoverState;
  readonly reason: HandoverReason;
}

/** What can happen to a hand-over. */
export type HandoverEvent =
  /** The assistant offers a person. */
  | { readonly case: 'offer'; readonly reason: HandoverReason }
  /** The caller wants a person, or accepts the offer. */
  | { readonly case: 'request' }
  /** A person has joined. */
  | { readonly case: 'join' }
  /** The person has ended, or no one is available. */
  | { readonly case: 'return' };

/** No hand-over. */
export const noHandover: HandoverStep = {
  state: HandoverState.UNSPECIFIED,
  reason: HandoverReason.UNSPECIFIED,
};

/**
 * Returns the hand-over after an event. An offer changes nothing while the caller waits or is with a person, and a person who is
 * there is not requested again, so no sequence of events of the assistant alone makes it move in a circle.
 */
export function nextHandover(step: HandoverStep, event: HandoverEvent): HandoverStep {
  const { state } = step;
  const isOpen = state === HandoverState.WAITING || state === HandoverState.WITH_PERSON;
  switch (event.case) {
    case 'offer':
      return isOpen ? step : { state: HandoverState.OFFERED, reason: event.reason };
    case 'request': {
      if (isOpen) return step;
      const isAccepted = state === HandoverState.OFFERED;
      return { state: HandoverState.WAITING, reason: isAccepted ? step.reason : HandoverReason.REQUESTED };
    }
    case 'join':
      return isOpen ? { ...step, state: HandoverState.WITH_PERSON } : step;
    case 'return':
      return isOpen ? { ...step, state: HandoverState.RETURNED } : step;
    default:
      return event satisfies never;
  }
}
