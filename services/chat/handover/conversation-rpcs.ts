import type { ConversationDeskService } from '#gen/ragmesh/chat/v1/conversation_desk_pb.ts';
import { HandoverState, HandoverStateSchema } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { failedPrecondition, notFound } from '#kit/base/errors.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Sessions } from '../sessions/sessions.ts';

/** What the rpcs need. */
export interface ConversationRpcDeps {
  sessions: Sessions;
  /** Masks of a request of this principal; `undefined` if its tenant masks nothing. */
  masksOf: (principal: Principal) => RequestMasks | undefined;
  clock: () => number;
}

/** Creates the rpcs with which operators look into conversations and answer in the place of the assistant. */
export function createConversationRpcs(deps: ConversationRpcDeps): ServiceHandlers<typeof ConversationDeskService> {
  const { sessions, masksOf, clock } = deps;
  return {
    listConversations: (given, { principal: { tenant } }) => sessions.listConversations(tenant, given),

    async getConversation({ sessionId }, { principal }) {
      const found = await sessions.getConversation(principal.tenant, sessionId);
      if (found === undefined) throw notFound('session', sessionId);
      const masks = masksOf(principal);
      if (masks === undefined) return found;
      // Not as its owner: only those who may read originals of others see them.
      const shown = (text: string) => masks.restore(masks.shorten(text));
      const turns = found.turns.map(({ trace, ...turn }) => ({
        ...turn,
        question: shown(turn.question),
        answer: shown(turn.answer),
        ...(trace && { trace: { ...trace, standaloneQuestion: shown(trace.standaloneQuestion) } }),
      }));
      return { ...found, turns };
    },

    async replyToConversation({ sessionId, text, replyId }, { principal }) {
      const { tenant } = principal;
      const found = await sessions.getConversation(tenant, sessionId);
      if (found === undefined) throw notFound('session', sessionId);
      const { user, handoverState } = found.conversation;
      if (handoverState !== HandoverState.WITH_PERSON) {
        const message = 'the session is not with a person: accept it first (HandoverService.UpdateHandover)';
        throw failedPrecondition(ErrorReason.JOB_STATE, message, {
          metadata: { state: enumName(HandoverStateSchema, handoverState ?? HandoverState.UNSPECIFIED).toLowerCase() },
        });
      }
      const answer = masksOf(principal)?.mask(text) ?? text;
      const turn = { answer, citations: [], outcome: AnswerOutcome.REPLIED, model: '', person: principal.user };
      await sessions.record({
        ...{ tenant, user, sessionId, mayCreate: false },
        ...{ answerId: `reply/${replyId}`, question: '', askedAtMs: clock(), turn },
      });
      return {};
    },
  };
}
