import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AskRequestSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { badField, given } from '../http/parse-fields.ts';
import { type Said, toQuestion } from '../openai/answers/question.ts';
import type { SentBlock, SentBody } from './schemas.ts';

/** Longest completion that a question may ask for, in tokens. */
const maxAnswerTokens = 100_000;

/** A question for the documents, and what was passed over. */
export interface Question {
  ask: MessageInitShape<typeof AskRequestSchema>;
  warnings: string[];
}

const tuning = ['top_p', 'top_k', 'stop_sequences', 'thinking'] as const;

/**
 * Returns a request of Anthropic's wire as a question for the documents, answered by `model` of the gateway (empty: its default). What would
 * change the meaning of an answer and cannot be done is refused.
 */
export function toAskRequest(body: SentBody, model: string): Question {
  if ((body.tools ?? []).length > 0) {
    throw badField('tools', 'is not supported: the models that answer from documents call no tools of the caller');
  }
  if (body.output_config?.format ?? body.output_format) {
    throw badField('output_config.format', 'is not supported: answers from documents are text');
  }
  const warnings: string[] = tuning
    .filter((name) => (body[name] ?? undefined) !== undefined)
    .map((name) => `${name} is not supported and was ignored`);
  const said: Said[] = [];
  for (const [index, { role, content }] of body.messages.entries()) {
    if (role !== 'system') said.push({ role, text: textOf(role, content, `messages[${index}].content`), index });
  }
  if ((body.system ?? '').length > 0 || said.length < body.messages.length) {
    warnings.push('system instructions were ignored: the operator of ragmesh sets them');
  }
  const { question, history } = toQuestion(said);
  return {
    ask: {
      question,
      history,
      model,
      corpora: body.corpora ?? [],
      maxTokens: Math.min(body.max_tokens, maxAnswerTokens),
      ...given('temperature', body.temperature),
      ...given('language', body.language),
    },
    warnings,
  };
}

function textOf(role: 'user' | 'assistant', content: string | readonly SentBlock[], path: string): string {
  if (typeof content === 'string') return content;
  const texts: string[] = [];
  for (const [index, block] of content.entries()) {
    if (block.type === 'text') texts.push(block.text);
    else if (block.type !== 'thinking' && block.type !== 'redacted_thinking') {
      throw badField(`${path}[${index}].type`, `is ${block.type}: questions for the documents are text`);
    }
  }
  // The text of an earlier answer is in several blocks, one for each sentence with its sources.
  return texts.join(role === 'assistant' ? '' : '\n');
}
