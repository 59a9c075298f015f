import { Code } from '@connectrpc/connect';
import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, tooLarge } from '#kit/base/errors.ts';
import type { EventStream } from '../http/event-stream.ts';
import type { Block, BlockEvent } from './blocks.ts';

// A reply of the Messages API is one series of events. A stream sends them; a whole message is what a client would make of them.

/** Longest message that is held whole, in UTF-16 code units of text, thoughts and arguments. */
const maxMessageLength = 4 << 20;

/** Why a message ended. */
export type StopReason = 'end_turn' | 'max_tokens' | 'stop_sequence' | 'tool_use' | 'refusal';

/** A message without its content. */
export interface MessageHead {
  id: string;
  model: string;
  /** Tokens of the prompt; an estimate if the provider has not counted them yet. */
  usage: MessageUsage;
}

/** Tokens as Anthropic's API counts them: the cached ones are not among `input_tokens`. */
export interface MessageUsage {
  input_tokens: number;
  cache_creation_input_tokens: number;
  cache_read_input_tokens: number;
  output_tokens: number;
}

/** An event of a reply; `void`: all before it is invalid. */
export type MessageEvent =
  | { type: 'message_start'; message: object }
  | BlockEvent
  | {
      type: 'message_delta';
      delta: { stop_reason: StopReason; stop_sequence: string | null };
      usage: MessageUsage;
      /** What ragmesh knows and Anthropic's shape has no place for. */
      ragmesh: object;
    }
  | { type: 'message_stop' }
  | { type: 'void'; error: Error };

/** Returns tokens in Anthropic's shape; nothing known is zero. */
export function toMessageUsage(usage: TokenUsage | undefined): MessageUsage {
  const read = Number(usage?.cachedPromptTokens ?? 0n);
  const written = Number(usage?.cacheWriteTokens ?? 0n);
  return {
    input_tokens: Math.max(0, Number(usage?.promptTokens ?? 0n) - read - written),
    cache_creation_input_tokens: written,
    cache_read_input_tokens: read,
    output_tokens: Number(usage?.completionTokens ?? 0n),
  };
}

/** Returns the first event of a message. */
export function messageStart({ id, model, usage }: MessageHead): MessageEvent {
  return { type: 'message_start', message: { ...toMessage(id, model), usage } };
}

function toMessage(id: string, model: string) {
  const content: Block[] = [];
  return {
    id,
    type: 'message' as const,
    role: 'assistant' as const,
    model,
    content,
    stop_reason: null as StopReason | null,
    stop_sequence: null as string | null,
  };
}

/** Sends the events of a message. Throws if what was sent is invalid: this wire cannot take it back. */
export async function sendMessage(
  events: AsyncIterable<MessageEvent>,
  stream: EventStream,
  headers: () => Readonly<Record<string, string>>,
): Promise<void> {
  for await (const event of events) {
    if (event.type === 'void') {
      if (stream.opened()) throw event.error;
      continue;
    }
    if (event.type === 'message_start') stream.setHeaders(headers());
    await stream.event(event.type, JSON.stringify(event));
  }
}

/** Returns the message that the events make. */
export async function toWholeMessage(events: AsyncIterable<MessageEvent>): Promise<object> {
  let message: object = {};
  let blocks: Block[] = [];
  let json: string[] = [];
  let length = 0;
  for await (const event of events) {
    switch (event.type) {
      case 'message_start':
        message = event.message;
        break;
      case 'void':
        blocks = [];
        json = [];
        length = 0;
        break;
      case 'content_block_start':
        blocks.push({ ...event.content_block });
        json.push('');
        break;
      case 'content_block_delta': {
        const { delta } = event;
        if (delta.type === 'input_json_delta') {
          json[event.index] += delta.partial_json;
          length += delta.partial_json.length;
        } else length += addTo(blocks[event.index], delta);
        if (length > maxMessageLength) throw tooLarge('the message', maxMessageLength);
        break;
      }
      case 'message_delta': {
        const { delta, usage, ragmesh } = event;
        const content = blocks.map((block, index) => withInput(block, json[index] ?? ''));
        message = { ...message, content, ...delta, usage, ragmesh };
        break;
      }
      case 'content_block_stop':
      case 'message_stop':
        break;
      default:
        event satisfies never;
    }
  }
  return message;
}

/** Adds a delta to its block. Returns the length of what was added. */
function addTo(block: Block | undefined, delta: Extract<BlockEvent, { type: 'content_block_delta' }>['delta']): number {
  if (block?.type === 'text') {
    if (delta.type === 'text_delta') {
      block.text += delta.text;
      return delta.text.length;
    }
    if (delta.type === 'citations_delta') block.citations = [...(block.citations ?? []), delta.citation];
  }
  if (block?.type === 'thinking' && delta.type === 'thinking_delta') {
    block.thinking += delta.thinking;
    return delta.thinking.length;
  }
  return 0;
}

/** Returns a call of a tool with its arguments. Throws if they are no object, which this wire cannot express. */
function withInput(block: Block, json: string): Block {
  if (block.type !== 'tool_use' || json.trim() === '') return block;
  try {
    const input: unknown = JSON.parse(json);
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return { ...block, input };
  } catch {
    // As with arguments that are no object.
  }
  throw rpcError(
    Code.Unavailable,
    ErrorReason.DEPENDENCY_UNAVAILABLE,
    `the model wrote arguments of the tool "${block.name}" that are not a JSON object: ask again`,
    { metadata: { dependency: 'model' } },
  );
}
