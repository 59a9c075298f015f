import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type GenerateRequestSchema,
  type ImageSchema,
  MessageRole,
  MidStreamPolicy,
  ReasoningEffort,
  type ResponseFormatSchema,
  ToolChoiceMode,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { badField, given } from '../http/parse-fields.ts';
import { type PlainMessage, readImage } from '../openai/messages.ts';
import type { Asking } from '../openai/plain/request.ts';
import type { SentBlock, SentBody, SentPrompt, SentResultPart } from './schemas.ts';

/** Thinking budgets up to which the effort is low and medium, in tokens. */
const lowBudgetTokens = 4096;
const mediumBudgetTokens = 16_384;

const efforts = {
  low: ReasoningEffort.LOW,
  medium: ReasoningEffort.MEDIUM,
  high: ReasoningEffort.HIGH,
  xhigh: ReasoningEffort.HIGH,
  max: ReasoningEffort.HIGH,
} as const;

/** Returns a request of Anthropic's wire as one of the gateway. Throws INVALID_ARGUMENT for what a model of the gateway cannot take. */
export function toGenerateRequest(
  body: SentBody,
  { requestId, limitKey }: Asking,
): MessageInitShape<typeof GenerateRequestSchema> {
  const stream = body.stream ?? false;
  return {
    model: body.model,
    messages: toMessages(body),
    requestId,
    limitKey,
    extraJson: (body.top_k ?? undefined) === undefined ? '' : JSON.stringify({ top_k: body.top_k }),
    // Nothing of a whole message is shown before its end, so another target may always start again.
    midStreamPolicy: stream ? MidStreamPolicy.FAIL : MidStreamPolicy.HOLD_BACK,
    maxTokens: body.max_tokens,
    promptCacheSeconds: promptCacheSecondsOf(body),
    stop: body.stop_sequences ?? [],
    ...toTools(body),
    ...given('temperature', body.temperature),
    ...given('topP', body.top_p),
    ...given('responseFormat', toResponseFormat(body)),
    ...given('reasoningEffort', toEffort(body)),
    ...given('language', body.language),
  };
}

/** Returns the messages of a prompt: instructions first, and the results of tools before what the user says beside them. */
export function toMessages({ system, messages }: SentPrompt): PlainMessage[] {
  const instructions = typeof system === 'string' ? system : (system ?? []).map(({ text }) => text).join('\n\n');
  return [
    ...(instructions === '' ? [] : [{ role: MessageRole.SYSTEM, text: instructions }]),
    ...messages.flatMap(({ role, content }, index) => toMessage(role, content, `messages[${index}].content`)),
  ];
}

type Role = SentPrompt['messages'][number]['role'];

const roles = {
  user: MessageRole.USER,
  assistant: MessageRole.ASSISTANT,
  system: MessageRole.SYSTEM,
} as const;

function toMessage(role: Role, content: string | readonly SentBlock[], path: string): PlainMessage[] {
  if (typeof content === 'string') return [{ role: roles[role], text: content }];
  const results: PlainMessage[] = [];
  const texts: string[] = [];
  const thoughts: string[] = [];
  const images: MessageInitShape<typeof ImageSchema>[] = [];
  const toolCalls: { id: string; name: string; argumentsJson: string }[] = [];
  for (const [index, block] of content.entries()) {
    const at = `${path}[${index}]`;
    switch (block.type) {
      case 'text':
      case 'search_result':
      case 'document':
        texts.push(toText(block));
        break;
      case 'image':
        require(role, 'user', at);
        images.push(toImage(block, at));
        break;
      case 'thinking':
        require(role, 'assistant', at);
        thoughts.push(block.thinking);
        break;
      case 'redacted_thinking':
        break;
      case 'tool_use':
        require(role, 'assistant', at);
        toolCalls.push({ id: block.id, name: block.name, argumentsJson: JSON.stringify(block.input) });
        break;
      case 'tool_result': {
        require(role, 'user', at);
        const { text, images: shown } = toResult(block.content ?? '', `${at}.content`);
        results.push({
          role: MessageRole.TOOL,
          toolCallId: block.tool_use_id,
          text: block.is_error === true ? `Error: ${text}` : text,
        });
        images.push(...shown);
        break;
      }
      default:
        block satisfies never;
    }
  }
  const isSilent = texts.length + images.length + toolCalls.length + thoughts.length === 0;
  if (results.length > 0 && isSilent) return results;
  return [...results, { role: roles[role], text: texts.join('\n'), images, toolCalls, reasoning: thoughts.join('') }];
}

function require(role: Role, needed: Role, path: string): void {
  if (role !== needed) throw badField(`${path}.type`, `is a block of a message of the ${needed} only`);
}

type TextBlock = Extract<SentBlock, { type: 'text' | 'search_result' | 'document' }>;

function toText(block: TextBlock): string {
  switch (block.type) {
    case 'text':
      return block.text;
    case 'search_result':
      return [`${block.title} (${block.source})`, ...block.content.map(({ text }) => text)].join('\n');
    case 'document': {
      const { source, title, context } = block;
      const content = source.type === 'text' ? source.data : source.content;
      const body = typeof content === 'string' ? content : content.map(({ text }) => text).join('\n');
      return [title, context, body].filter(Boolean).join('\n');
    }
  }
}

function toImage({ source }: Extract<SentBlock, { type: 'image' }>, path: string) {
  return source.type === 'url'
    ? readImage(source.url, `${path}.source.url`)
    : readImage(`data:${source.media_type};base64,${source.data}`, `${path}.source`);
}

/** Returns the text of a tool's result, and its images, which go to the model in a message of the user. */
function toResult(content: string | readonly SentResultPart[], path: string) {
  if (typeof content === 'string') return { text: content, images: [] };
  const texts: string[] = [];
  const images: ReturnType<typeof readImage>[] = [];
  for (const [index, part] of content.entries()) {
    if (part.type === 'image') images.push(toImage(part, `${path}[${index}]`));
    else texts.push(toText(part));
  }
  return { text: texts.join('\n'), images };
}

function toTools({ tools, tool_choice: choice }: SentBody) {
  const sent = (tools ?? []).map(({ name, description, input_schema: schema }) => ({
    name,
    description: description ?? '',
    parametersJson: schema,
  }));
  const names = new Set<string>();
  for (const [index, { name }] of sent.entries()) {
    if (names.has(name)) throw badField(`tools[${index}].name`, `"${name}" is the name of another tool`);
    names.add(name);
  }
  if (!choice) return { tools: sent };
  if (choice.type === 'tool' && !names.has(choice.name)) throw badField('tool_choice.name', 'names none of the tools');
  const isSingle = choice.type !== 'none' ? choice.disable_parallel_tool_use : undefined;
  return {
    tools: sent,
    toolChoice: { mode: modes[choice.type], name: choice.type === 'tool' ? choice.name : '' },
    ...given('parallelToolCalls', isSingle === true ? false : undefined),
  };
}

const modes = {
  auto: ToolChoiceMode.AUTO,
  any: ToolChoiceMode.REQUIRED,
  tool: ToolChoiceMode.NAMED,
  none: ToolChoiceMode.NONE,
} as const;

function toEffort({ thinking, output_config: output }: SentBody): ReasoningEffort | undefined {
  if (thinking?.type === 'disabled') return ReasoningEffort.NONE;
  if (output?.effort) return efforts[output.effort];
  if (!thinking) return undefined;
  // Without a word about the effort, Anthropic's models think much.
  if (thinking.type !== 'enabled') return ReasoningEffort.HIGH;
  if (thinking.budget_tokens <= lowBudgetTokens) return ReasoningEffort.LOW;
  return thinking.budget_tokens <= mediumBudgetTokens ? ReasoningEffort.MEDIUM : ReasoningEffort.HIGH;
}

function toResponseFormat({
  output_config: output,
  output_format: older,
}: SentBody): MessageInitShape<typeof ResponseFormatSchema> | undefined {
  const format = output?.format ?? older;
  if (!format) return undefined;
  return { form: { case: 'jsonSchema', value: { name: 'output', schemaJson: format.schema, strict: true } } };
}

/** Returns the longest time for which a mark of the body wants its prompt cached, in seconds. The gateway chooses the points itself. */
function promptCacheSecondsOf({ cache_control: top, system, tools, messages }: SentBody): number {
  const blocks = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content));
  const parts = [...(typeof system === 'string' ? [] : (system ?? [])), ...(tools ?? []), ...blocks];
  const marks = parts.map((part) => ('cache_control' in part && part.cache_control) || 0);
  return marks.reduce<number>((longest, seconds) => Math.max(longest, seconds), top ?? 0);
}
