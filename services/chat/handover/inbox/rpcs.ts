import type { InboxService } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Sessions } from '../../sessions/sessions.ts';

/** Creates the rpcs with which operators work on questions that got no good answer. */
export function createInboxRpcs({ sessions }: { sessions: Sessions }): ServiceHandlers<typeof InboxService> {
  return {
    listTopics: (given, { principal: { tenant } }) => sessions.listTopics(tenant, given),
    async getTopic({ topicId }, { principal: { tenant } }) {
      const found = await sessions.findInboxTopic(tenant, topicId);
      if (found === undefined) throw notFound('topic', topicId);
      return found;
    },
    async updateTopic(given, { principal }) {
      const topic = await sessions.updateTopic(principal, given);
      if (topic === undefined) throw notFound('topic', given.topicId);
      return { topic };
    },
  };
}
