import { sse, type WireReply } from './wire.ts';

// Replies of the Messages API, written in the shapes that the vendor documents.

export const eventStream = { 'content-type': 'text/event-stream; charset=utf-8' };
export const named = (...events: { type: string }[]): string =>
  sse(...events.map((event) => [event.type, event] as const));
export const streamed = (body: string): WireReply => ({ headers: eventStream, body });

// Documented: platform.claude.com/docs/en/build-with-claude/streaming, "Basic streaming request"; cache and thinking counts as in
// @anthropic-ai/sdk 1.12, resources/messages, Usage and MessageDeltaUsage.
export const start = (usage: object) => ({
  type: 'message_start',
  message: {
    id: 'msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyS',
    type: 'message',
    role: 'assistant',
    content: [],
    model: 'claude-haiku-5-5',
    stop_reason: null,
    stop_sequence: null,
    usage,
  },
});
export const textStart = (index = 0) => ({
  type: 'content_block_start',
  index,
  content_block: { type: 'text', text: '' },
});
export const textDelta = (text: string, index = 0) => ({
  type: 'content_block_delta',
  index,
  delta: { type: 'text_delta', text },
});
export const blockStop = (index = 0) => ({ type: 'content_block_stop', index });
export const stopped = (reason: string | null, usage: object = { output_tokens: 15 }, details?: object) => ({
  type: 'message_delta',
  delta: { stop_reason: reason, stop_sequence: null, ...(details ? { stop_details: details } : {}) },
  usage,
});
export const over = { type: 'message_stop' };
export const hello = [
  start({ input_tokens: 25, output_tokens: 1 }),
  textStart(),
  { type: 'ping' },
  textDelta('Hello'),
  textDelta('，退货！'),
  blockStop(),
  stopped('end_turn'),
  over,
];

// Documented: the same page, "Streaming request with tool use", with a thinking block as in "Streaming request with extended
// thinking" before it and a second call without arguments behind it.
export const toolUse = [
  start({ input_tokens: 472, output_tokens: 2 }),
  { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'I need the weather.' } },
  {
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'signature_delta', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h' },
  },
  blockStop(0),
  textStart(1),
  textDelta('Okay', 1),
  { type: 'content_block_delta', index: 1, delta: { type: 'citations_delta', citation: { type: 'char_location' } } },
  blockStop(1),
  {
    type: 'content_block_start',
    index: 2,
    content_block: { type: 'tool_use', id: 'toolu_01T1x1fJ34qAmk2tNTrN7Up6', name: 'get_weather', input: {} },
  },
  { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '' } },
  { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '{"location":' } },
  { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: ' "San Francisco, CA"}' } },
  blockStop(2),
  {
    type: 'content_block_start',
    index: 3,
    content_block: { type: 'tool_use', id: 'toolu_02', name: 'now', input: {} },
  },
  blockStop(3),
  stopped('tool_use', { output_tokens: 89, output_tokens_details: { thinking_tokens: 40 } }),
  over,
];
