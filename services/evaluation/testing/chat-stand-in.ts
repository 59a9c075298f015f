import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AskRequest, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ClaimService } from '#gen/ragmesh/chat/v1/claim_pb.ts';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { AnswerOutcome, SentenceSupport } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { defineService } from '#kit/host/define-service.ts';

/**
 * Creates chat and cache for tests. Chat answers with `answerOf(request)`, and cites a passage of the same text; `undefined` is a refusal. A
 * message with "hi" is a greeting. `left`: questions whose caller left before an answer. A claim is supported if the source holds it; questions
 * are the same if they begin with the same word.
 */
export function createAnswers(answerOf: (request: AskRequest) => string | undefined) {
  const requests: AskRequest[] = [];
  let leftCount = 0;
  const chat = defineService({
    name: 'chat',
    contracts: [ChatService, ClaimService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async *ask(request) {
          requests.push(request);
          const act = request.question.includes('hi') ? ConversationAct.GREETING : ConversationAct.QUESTION;
          let isLeft = true;
          try {
            yield { event: { case: 'started' as const, value: { act } } };
            isLeft = false;
          } finally {
            if (isLeft) leftCount++;
          }
          const text = answerOf(request);
          if (text !== undefined) {
            yield { event: { case: 'sources' as const, value: { passages: [{ documentId: 'd', text }] } } };
            yield { event: { case: 'textDelta' as const, value: { text: `${text} [1]` } } };
            yield { event: { case: 'citation' as const, value: { marker: 1 } } };
          }
          const outcome = text === undefined ? AnswerOutcome.REFUSED : AnswerOutcome.ANSWERED;
          yield { event: { case: 'done' as const, value: { outcome } } };
        },
        checkClaim: async ({ claim, source }) =>
          source.includes(claim)
            ? { support: SentenceSupport.SUPPORTED, score: 0.9 }
            : { support: SentenceSupport.UNSUPPORTED, score: 0.2 },
      },
      close: async () => {},
    }),
  });
  const cache = defineService({
    name: 'cache',
    contracts: [CacheService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        matchQuestion: async ({ question, candidates }) => {
          const [first = ''] = question.split(' ');
          const index = candidates.findIndex((candidate) => candidate.startsWith(first));
          return index < 0 ? {} : { index, score: 1 };
        },
      },
      close: async () => {},
    }),
  });
  return { chat, cache, requests, left: () => leftCount };
}
