import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AskRequestSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { languagesByWord } from '../answer-json.ts';
import { anything, badField, flag, list, number, object, type Reader, text, word } from '../http/fields.ts';

/** A request for a completion, as ragmesh understands it. */
export interface CompletionRequest {
  ask: MessageInitShape<typeof AskRequestSchema>;
  /** The model as the caller named it; "ragmesh" where it was left out. */
  model: string;
  stream: boolean;
  /** Whether a stream ends with a chunk of usage. */
  includeUsage: boolean;
  /** What was passed over, for the caller to know. */
  warnings: string[];
}

/** The name of the default model. */
export const defaultModel = 'ragmesh';

const maxQuestionLength = 4096;
const maxHistoryTurns = 100;

type Role = 'system' | 'user' | 'assistant';

// Clients send the messages of earlier answers back as they got them, with whatever fields those have.
const readMessage = object(
  {
    role: word<Role>({ system: 'system', developer: 'system', user: 'user', assistant: 'assistant' }),
    content: readContent,
    tool_calls: refuseUnlessEmpty('tools cannot be called'),
  },
  { others: 'ignore' },
);

// Parameters that only tune a model's words. They are passed over, and the response says so.
const tuning = [
  'top_p',
  'presence_penalty',
  'frequency_penalty',
  'logit_bias',
  'seed',
  'stop',
  'reasoning_effort',
  'verbosity',
  'prediction',
] as const;

// Parameters that mean nothing here and change nothing.
const harmless = [
  'user',
  'store',
  'metadata',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'parallel_tool_calls',
  'tool_choice',
  'function_call',
  'top_logprobs',
] as const;

const readBody = object({
  model: text({ max: 256 }),
  messages: list(readMessage, { min: 1, max: 1000 }),
  stream: flag,
  stream_options: object({ include_usage: flag }, { others: 'ignore' }),
  temperature: number({ min: 0, max: 2 }),
  max_tokens: number({ min: 1, max: 100_000, whole: true }),
  max_completion_tokens: number({ min: 1, max: 100_000, whole: true }),
  corpora: list(text({ min: 1, max: 64 }), { max: 32 }),
  top_k: number({ min: 1, max: 50, whole: true }),
  language: word(languagesByWord),
  n: number({ min: 1, max: 1, whole: true }),
  tools: refuseUnlessEmpty('tools cannot be called'),
  functions: refuseUnlessEmpty('functions cannot be called'),
  logprobs: refuseUnlessEmpty('probabilities of tokens are not known'),
  modalities: list(word({ text: 'text' }), { max: 1 }),
  audio: refuseUnlessEmpty('answers are text'),
  web_search_options: refuseUnlessEmpty('answers come from documents'),
  response_format: object({ type: word({ text: 'text' }) }),
  ...(Object.fromEntries([...tuning, ...harmless].map((name) => [name, anything])) as Record<
    (typeof tuning)[number] | (typeof harmless)[number],
    Reader<unknown>
  >),
});

/**
 * Reads the body of `POST /v1/chat/completions`. The last user message is the question; user and assistant messages before
 * it are the history. Instructions are the operator's here: system messages are passed over, with a warning. What would
 * change the meaning of an answer and cannot be done (tools, several choices, JSON output, images) is refused.
 */
export function readCompletionRequest(value: unknown): CompletionRequest {
  const body = readBody(value, '');
  if (body.messages === undefined) throw badField('messages', 'is missing');
  const warnings: string[] = tuning
    .filter((name) => body[name] !== undefined)
    .map((name) => `${name} is not supported and was ignored`);
  const messages = body.messages.map((message, index) => {
    if (message.role === undefined) throw badField(`messages[${index}].role`, 'is missing');
    return { role: message.role, text: message.content ?? '', index };
  });
  if (messages.some(({ role }) => role === 'system')) {
    warnings.push('system messages were ignored: the operator of ragmesh sets the instructions');
  }
  const { question, history } = toConversation(messages.filter(({ role }) => role !== 'system'));
  const model = body.model ?? '';
  return {
    ask: {
      question,
      history,
      model: model === defaultModel ? '' : model,
      topK: body.top_k ?? 0,
      corpora: body.corpora ?? [],
      maxTokens: body.max_completion_tokens ?? body.max_tokens ?? 0,
      ...(body.temperature === undefined ? {} : { temperature: body.temperature }),
      ...(body.language === undefined ? {} : { language: body.language }),
    },
    model: model || defaultModel,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    warnings,
  };
}

interface Said {
  role: Role;
  text: string;
  index: number;
}

// Messages of one speaker in a row count as one. An assistant that spoke first was not asked anything: a greeting.
function toConversation(messages: readonly Said[]): {
  question: string;
  history: { question: string; answer: string }[];
} {
  const last = messages.at(-1);
  if (last === undefined || last.role !== 'user') {
    throw badField('messages', 'the last message must be the question of a user');
  }
  const history: { question: string; answer: string }[] = [];
  let asked: string[] = [];
  let answered: string[] = [];
  const closeTurn = () => {
    if (asked.length > 0) history.push({ question: asked.join('\n'), answer: answered.join('\n') });
    asked = [];
    answered = [];
  };
  for (const message of messages) {
    if (message.role === 'assistant') {
      answered.push(message.text);
      continue;
    }
    if (answered.length > 0) closeTurn();
    asked.push(message.text);
    if ([...asked.join('\n')].length > maxQuestionLength) {
      throw badField(
        `messages[${message.index}].content`,
        `is a question of more than ${maxQuestionLength} characters`,
      );
    }
    answered = [];
  }
  const question = asked.join('\n');
  if (question.trim() === '') throw badField(`messages[${last.index}].content`, 'is empty');
  return { question, history: history.slice(-maxHistoryTurns) };
}

// A text, or parts of which each is a text.
function readContent(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) throw badField(path, 'must be a text or a list of text parts');
  return value
    .map((part, index) => {
      const { type, text: content } = readPart(part, `${path}[${index}]`);
      if (type === undefined || content === undefined)
        throw badField(`${path}[${index}]`, 'must be {"type": "text", "text": …}');
      return content;
    })
    .join('\n');
}

const readPart = object({ type: word({ text: 'text' }), text: text({ max: 1 << 20 }) }, { others: 'ignore' });

function refuseUnlessEmpty(why: string): Reader<undefined> {
  return (value, path) => {
    const isEmpty = value === false || (Array.isArray(value) && value.length === 0);
    if (!isEmpty) throw badField(path, `is not supported: ${why}`);
    return undefined;
  };
}
