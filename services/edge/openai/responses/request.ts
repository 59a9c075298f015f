import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AskRequestSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import {
  type GenerateRequestSchema,
  MessageRole,
  MidStreamPolicy,
  ToolChoiceMode,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { badField, given } from '../../http/parse-fields.ts';
import { recogniseChore } from '../answers/chores/recognise.ts';
import { replyTo } from '../answers/chores/reply.ts';
import { type JsonOutput, readOutput } from '../answers/json/output.ts';
import { type Said, toQuestion } from '../answers/question.ts';
import { type PlainMessage, readImage } from '../messages.ts';
import { type Asking, efforts, extraJsonOf } from '../plain/request.ts';
import { toResponseFormat } from '../tools.ts';
import { responsesSchema, type SentItem, type SentItemPart, type SentResponse } from './schemas.ts';

/** Returns a request of the Responses API as one of the gateway. Throws INVALID_ARGUMENT for what a model of the gateway cannot take. */
export function toGenerateRequest(
  body: SentResponse,
  { requestId, limitKey }: Asking,
): MessageInitShape<typeof GenerateRequestSchema> {
  if (body.previous_response_id) {
    throw badField(
      'previous_response_id',
      'is not supported for a plain model, whose responses are not kept: send the whole conversation as input',
    );
  }
  const tools = (body.tools ?? []).map(({ name, description, parameters }) => ({
    name,
    description: description ?? '',
    parametersJson: parameters ?? '',
  }));
  const choice = body.tool_choice ?? undefined;
  const named = typeof choice === 'object' ? choice.name : undefined;
  if (named !== undefined && !tools.some(({ name }) => name === named)) {
    throw badField('tool_choice.name', 'names none of the tools');
  }
  const format = body.text?.format ?? undefined;
  const effort = body.reasoning?.effort ?? undefined;
  return {
    model: body.model ?? '',
    messages: toMessages(body),
    requestId,
    limitKey,
    extraJson: extraJsonOf(body, responsesSchema.shape),
    // Nothing of a whole response is shown before its end, so another target may always start again.
    midStreamPolicy: body.stream ? MidStreamPolicy.FAIL : MidStreamPolicy.HOLD_BACK,
    maxTokens: body.max_output_tokens ?? 0,
    tools,
    ...given(
      'toolChoice',
      typeof choice === 'object' ? { mode: ToolChoiceMode.NAMED, name: choice.name } : modeOf(choice),
    ),
    ...given('temperature', body.temperature),
    ...given('topP', body.top_p),
    ...given('parallelToolCalls', body.parallel_tool_calls),
    ...given('responseFormat', format && toResponseFormat(toSentFormat(format))),
    ...given('reasoningEffort', effort === undefined ? undefined : efforts[effort]),
    ...given('language', body.language),
  };
}

const modeOf = (mode: ToolChoiceMode | undefined) => (mode === undefined ? undefined : { mode, name: '' });

type SentFormat = NonNullable<NonNullable<SentResponse['text']>['format']>;

// The same three formats; here the schema is not in an object of its own.
function toSentFormat(format: SentFormat): Parameters<typeof toResponseFormat>[0] {
  if (format.type !== 'json_schema') return { type: format.type };
  const { name, description, schema, strict } = format;
  return { type: 'json_schema', json_schema: { name, description, schema, strict } };
}

function toMessages({ instructions, input }: SentResponse): PlainMessage[] {
  const messages: PlainMessage[] = instructions ? [{ role: MessageRole.SYSTEM, text: instructions }] : [];
  if (typeof input === 'string') return [...messages, { role: MessageRole.USER, text: input }];
  for (const [index, item] of input.entries()) addItem(messages, item, `input[${index}]`);
  return messages;
}

/** Adds an item. Reasoning, text and calls of one turn of the assistant are one message. */
function addItem(messages: PlainMessage[], item: SentItem, path: string): void {
  switch (item.type) {
    case 'message': {
      const { text, images } = toContent(item.content, `${path}.content`, item.role);
      const open = item.role === MessageRole.ASSISTANT ? openTurn(messages) : undefined;
      if (open === undefined || open.text !== '') messages.push({ role: item.role, text, images, toolCalls: [] });
      else open.text = text;
      break;
    }
    case 'reasoning': {
      const texts = [...(item.summary ?? []), ...(item.content ?? [])].map(({ text }) => text);
      if (texts.length > 0) {
        messages.push({ role: MessageRole.ASSISTANT, text: '', reasoning: texts.join('\n'), toolCalls: [] });
      }
      break;
    }
    case 'function_call': {
      const turn = openTurn(messages) ?? { role: MessageRole.ASSISTANT, text: '', toolCalls: [] };
      turn.toolCalls = [
        ...(turn.toolCalls ?? []),
        { id: item.call_id, name: item.name, argumentsJson: item.arguments },
      ];
      if (turn !== messages.at(-1)) messages.push(turn);
      break;
    }
    case 'function_call_output': {
      const { text, images } = toContent(item.output, `${path}.output`, MessageRole.USER);
      messages.push({ role: MessageRole.TOOL, toolCallId: item.call_id, text });
      if (images.length > 0) messages.push({ role: MessageRole.USER, text: '', images });
      break;
    }
    case 'mcp_approval_request':
    case 'mcp_approval_response':
      throw badField(`${path}.type`, 'is for the models that answer from documents');
    default:
      item satisfies never;
  }
}

function openTurn(messages: readonly PlainMessage[]): PlainMessage | undefined {
  const last = messages.at(-1);
  return last?.role === MessageRole.ASSISTANT ? last : undefined;
}

function toContent(content: string | readonly SentItemPart[], path: string, role: MessageRole) {
  if (typeof content === 'string') return { text: content, images: [] };
  const texts: string[] = [];
  const images: ReturnType<typeof readImage>[] = [];
  for (const [index, part] of content.entries()) {
    if (part.type === 'input_image') {
      const at = `${path}[${index}]`;
      if (role !== MessageRole.USER) throw badField(at, 'only a user shows images');
      if (!part.image_url) throw badField(`${at}.image_url`, 'is missing: files are not kept here');
      images.push(readImage(part.image_url, `${at}.image_url`));
    } else texts.push(part.type === 'refusal' ? part.refusal : part.text);
  }
  return { text: texts.join('\n'), images };
}

/** A question for the documents. */
export interface ResponseQuestion {
  ask: MessageInitShape<typeof AskRequestSchema>;
  /** The answer that it follows; `undefined`: none. */
  after: KeptResponse | undefined;
  warnings: string[];
  /** The reply to a prompt of a chat front end; `undefined`: it is a question. */
  chore: string | undefined;
  /** The JSON that the caller wants; `undefined`: text. */
  json: JsonOutput | undefined;
}

const tuning = ['top_p', 'reasoning', 'tool_choice'] as const;
const maxAnswerTokens = 100_000;

/**
 * Returns a request of the Responses API as a question for the documents, answered by `model` of the gateway (empty: its default). With
 * `store: true` the answer is kept in a session of the user, which `previous_response_id` continues.
 */
export function toAskRequest(body: SentResponse, model: string): ResponseQuestion {
  if ((body.tools ?? []).length > 0) {
    throw badField('tools', 'is not supported: the models that answer from documents call no tools of the caller');
  }
  const format = body.text?.format ?? undefined;
  const json = readOutput(
    format?.type === 'json_schema' ? { type: format.type, schema: format.schema } : format,
    'text.format.schema',
  );
  const warnings = tuning
    .filter((name) => (body[name] ?? undefined) !== undefined)
    .map((name) => `${name} is not supported and was ignored`);
  const items: readonly SentItem[] =
    typeof body.input === 'string' ? [{ type: 'message', role: MessageRole.USER, content: body.input }] : body.input;
  const said = items.flatMap((item, index) => toSaid(item, index));
  if (body.instructions || said.some(({ role }) => role === 'system')) {
    warnings.push('instructions were ignored: the operator of ragmesh sets them');
  }
  const decision = decisionOf(items);
  const spoken = said.filter(({ role }) => role !== 'system');
  const chore = decision === undefined ? recogniseChore(said) : undefined;
  // A decision needs no words beside it.
  const needsNone = chore !== undefined || (decision !== undefined && spoken.at(-1)?.role !== 'user');
  const { question, history } = needsNone
    ? { question: decision?.approved ? 'yes' : 'no', history: [] }
    : toQuestion(spoken, 'input');
  const after = body.previous_response_id ? parseKept(body.previous_response_id) : undefined;
  if (after !== undefined && history.length > 0) {
    throw badField('input', 'has turns before the question, and previous_response_id names them too: send one of both');
  }
  return {
    ask: {
      question,
      model,
      ...(after === undefined ? { history } : { sessionId: after.sessionId }),
      ...(after === undefined && body.store === true && history.length === 0 ? { createSession: true } : {}),
      corpora: body.corpora ?? [],
      maxTokens: Math.min(body.max_output_tokens ?? 0, maxAnswerTokens),
      ...given('toolDecision', decision),
      ...given('temperature', body.temperature),
      ...given('language', body.language),
    },
    after,
    warnings,
    chore: chore && replyTo(chore),
    json,
  };
}

function toSaid(item: SentItem, index: number): Said[] {
  if (item.type !== 'message') {
    if (item.type === 'reasoning' || item.type.startsWith('mcp_approval')) return [];
    throw badField(`input[${index}].type`, `is ${item.type}: questions for the documents are messages`);
  }
  const { text, images } = toContent(item.content, `input[${index}].content`, item.role);
  if (images.length > 0)
    throw badField(`input[${index}].content`, 'has an image: questions for the documents are text');
  const role = item.role === MessageRole.SYSTEM ? 'system' : item.role === MessageRole.USER ? 'user' : 'assistant';
  return [{ role, text, index }];
}

function decisionOf(items: readonly SentItem[]) {
  const last = items.findLast((item) => item.type === 'mcp_approval_response');
  return last?.type === 'mcp_approval_response'
    ? { callId: last.approval_request_id, approved: last.approve }
    : undefined;
}

/** An answer that a session keeps. */
export interface KeptResponse {
  sessionId: string;
  answerId: string;
}

/** Returns the id of a response; that of one that is kept names its session. */
export function responseIdOf({ sessionId, answerId }: KeptResponse): string {
  return sessionId === '' ? `resp_${answerId}` : `resp_${sessionId}.${answerId}`;
}

function parseKept(id: string): KeptResponse {
  const [, sessionId, answerId] = /^resp_([\w-]{1,64})\.([\w-]{1,64})$/.exec(id) ?? [];
  if (sessionId !== undefined && answerId !== undefined) return { sessionId, answerId };
  throw badField(
    'previous_response_id',
    'names no response that is kept: responses of the models that answer from documents are, if they were asked for with store: true',
  );
}
