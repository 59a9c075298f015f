import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AskRequestSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';

/** A question as the faces ask it. */
export type Question = MessageInitShape<typeof AskRequestSchema>;

/** Returns the name of a question of callers with this access: all that its answer depends on; `undefined` if it depends on more. */
export function nameOf(question: Question, access: string): string | undefined {
  const { sessionId, createSession, history, toolDecision, bypassCache, inspectPrompt, isTest, filter } = question;
  const isOfSession = Boolean(sessionId) || createSession || (history?.length ?? 0) > 0 || toolDecision !== undefined;
  if (isOfSession || bypassCache || inspectPrompt || isTest || filter !== undefined) return undefined;
  const {
    question: text,
    model = '',
    topK = 0,
    maxTokens = 0,
    language = 0,
    temperature = '',
    corpora = [],
  } = question;
  const named = corpora.length === 0 ? '' : JSON.stringify(corpora);
  return `${access}\n${named}\n${model}\n${topK}\n${maxTokens}\n${language}\n${temperature}\n${text}`;
}
