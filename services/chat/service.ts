import type { ServiceImpl } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import { callerOf } from '#kit/rpc/context.ts';
import { type AskDeps, createAsk } from './ask/ask.ts';

/** Sessions a page where the caller does not say. */
const defaultPageSize = 50;

/** The rpcs of chat. */
export function createChat(deps: AskDeps): ServiceImpl<typeof ChatService> {
  const { sessions } = deps;
  return {
    ask: createAsk(deps),
    listSessions: ({ pageSize, pageToken }, context) =>
      sessions.list(callerOf(context), pageSize || defaultPageSize, pageToken),
    async getSession({ sessionId }, context) {
      const found = await sessions.get(callerOf(context), sessionId);
      if (found === undefined) throw notFound('session', sessionId);
      return found;
    },
    async deleteSession({ sessionId }, context) {
      if (!(await sessions.remove(callerOf(context), sessionId))) throw notFound('session', sessionId);
      return {};
    },
    async submitFeedback({ answerId, rating, comment }, context) {
      if (!(await sessions.rate(callerOf(context), answerId, rating, comment))) throw notFound('answer', answerId);
      return {};
    },
  };
}
