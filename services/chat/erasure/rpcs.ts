import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { ChatErasureService } from '#gen/ragmesh/chat/v1/chat_erasure_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { exportedKinds } from './export.ts';

/** Creates the rpcs that erase, keep and export what chat stores. */
export function createErasureRpcs(sessions: Sessions): ServiceHandlers<typeof ChatErasureService> {
  return {
    async eraseChatUser({ user }, { principal: { tenant } }) {
      const found = await sessions.eraseUser({ tenant, user });
      return {
        sessionCount: BigInt(found.sessionCount),
        answerCount: BigInt(found.answerCount),
        feedbackCount: BigInt(found.feedbackCount),
        curatedCount: BigInt(found.curatedCount),
      };
    },
    async eraseChatDocument({ corpus, documentId }, { principal: { tenant } }) {
      const found = await sessions.eraseDocument({ tenant, corpus, documentId });
      return { answerCount: BigInt(found.answerCount), feedbackCount: BigInt(found.feedbackCount) };
    },
    async expireChat({ sessionsBefore, feedbackBefore }, { principal: { tenant } }) {
      const found = await sessions.expire({
        tenant,
        sessionsBefore: sessionsBefore && timestampMs(sessionsBefore),
        feedbackBefore: feedbackBefore && timestampMs(feedbackBefore),
      });
      return { sessionCount: BigInt(found.sessionCount), feedbackCount: BigInt(found.feedbackCount) };
    },
    async setChatHold({ user, isHeld }, { principal: { tenant } }) {
      await sessions.setHold({ tenant, user }, isHeld);
      return {};
    },
    async *exportChatUser({ user }, { principal: { tenant }, signal }) {
      for (const kind of exportedKinds) {
        for (let after: string | undefined = ''; after !== undefined; ) {
          signal.throwIfAborted();
          const page: Awaited<ReturnType<Sessions['exportPage']>> = await sessions.exportPage(
            { tenant, user },
            kind,
            after,
          );
          for (const json of page.lines) yield { json };
          after = page.next;
        }
      }
    },
  };
}
