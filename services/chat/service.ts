import type { ChatErasureService } from '#gen/ragmesh/chat/v1/chat_erasure_pb.ts';
import { type ChatService, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { ClaimService } from '#gen/ragmesh/chat/v1/claim_pb.ts';
import type { ConversationDeskService } from '#gen/ragmesh/chat/v1/conversation_desk_pb.ts';
import { HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import type { FeedbackService } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import type { HandoverService } from '#gen/ragmesh/chat/v1/handover_pb.ts';
import { type InboxService, OpenReason } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { type AskDeps, createAsk } from './ask/ask.ts';
import { restoreTurn } from './ask/masking/turns.ts';
import { createRepeat, type RepeatDeps } from './cache/repeat/repeat.ts';
import { createErasureRpcs } from './erasure/rpcs.ts';
import { createCuratedRpcs } from './evidence/curated/rpcs.ts';
import { createConversationRpcs } from './handover/conversation-rpcs.ts';
import { createInboxRpcs } from './handover/inbox/rpcs.ts';
import type { Owner } from './sessions/owner.ts';
import { checkClaim } from './verify/index.ts';

/** Sessions of a page if the request names no number. */
const defaultPageSize = 50;

/** Creates the rpcs of chat. */
export function createChat(
  deps: AskDeps & RepeatDeps,
): ServiceHandlers<typeof ChatService> &
  ServiceHandlers<typeof HandoverService> &
  ServiceHandlers<typeof FeedbackService> &
  ServiceHandlers<typeof CuratedAnswerService> &
  ServiceHandlers<typeof InboxService> &
  ServiceHandlers<typeof ConversationDeskService> &
  ServiceHandlers<typeof ChatErasureService> &
  ServiceHandlers<typeof ClaimService> {
  const { sessions } = deps;
  return {
    ask: createAsk(deps),
    repeat: createRepeat(deps),
    async stopAnswer({ sessionId, answerId }, { principal }) {
      const isHere = await deps.openSessions.stop(principal, sessionId, answerId);
      if (!isHere) await sessions.stop(principal, sessionId, answerId);
      return {};
    },
    listSessions: ({ pageSize, pageToken }, context) =>
      sessions.list(context.principal, pageSize || defaultPageSize, pageToken),
    async getSession({ sessionId }, context) {
      const found = await sessions.get(context.principal, sessionId);
      if (found === undefined) throw notFound('session', sessionId);
      const masks = deps.masksOf(context.principal);
      return masks === undefined ? found : { ...found, turns: found.turns.map((turn) => restoreTurn(turn, masks)) };
    },
    async deleteSession({ sessionId }, context) {
      if (!(await sessions.remove(context.principal, sessionId))) throw notFound('session', sessionId);
      return {};
    },
    async updateHandover({ sessionId, state }, { principal: { tenant } }) {
      const event = state === HandoverState.WITH_PERSON ? ('join' as const) : ('return' as const);
      const moved = await sessions.moveHandover({ tenant, sessionId }, { case: event });
      if (moved === undefined) throw notFound('session', sessionId);
      return { state: moved.state };
    },
    async submitFeedback(given, context) {
      const comment = deps.masksOf(context.principal)?.mask(given.comment) ?? given.comment;
      const { principal } = context;
      if (!(await sessions.rate(principal, { ...given, comment }))) throw notFound('answer', given.answerId);
      if (given.rating === Rating.DOWN) await addRatedDown(sessions, principal, given.answerId);
      return {};
    },
    ...createCuratedRpcs(deps),
    ...createErasureRpcs(sessions),
    ...createInboxRpcs(deps),
    ...createConversationRpcs(deps),
    checkClaim({ claim, source }, { principal }) {
      const { minSupport } = deps.settings.verification(principal.tenant);
      const { support, score } = checkClaim(claim, source, minSupport) ?? {};
      return Promise.resolve({ ...(support !== undefined && { support }), ...(score !== undefined && { score }) });
    },
    listFeedback: (query, { principal }) => sessions.listFeedback(principal, query),
  };
}

async function addRatedDown(sessions: AskDeps['sessions'], owner: Owner, answerId: string): Promise<void> {
  const asked = await sessions.questionOf(owner, answerId);
  // An answer of a release that kept no question is rated, and has no place in the inbox.
  if (asked === undefined || asked.question === '') return;
  await sessions.addToInbox(owner, { ...asked, answerId, reason: OpenReason.RATED_DOWN });
}
