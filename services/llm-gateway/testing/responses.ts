import { sse, type WireReply } from './wire.ts';

// Replies of OpenAI's Responses API, written in the shapes that the vendor documents.

export const eventStream = { 'content-type': 'text/event-stream; charset=utf-8' };
/** Events by their names, numbered as the API numbers them. */
export const named = (...events: { type: string }[]): string =>
  sse(...events.map((event, index) => [event.type, { ...event, sequence_number: index }] as const));
export const streamed = (body: string): WireReply => ({ headers: eventStream, body });

// Documented: developers.openai.com/api/docs/guides/streaming-responses and api/reference/resources/responses/streaming-events.
const response = (status: string, more: object = {}) => ({
  id: 'resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654',
  object: 'response',
  created_at: 1741290958,
  status,
  error: null,
  incomplete_details: null,
  model: 'gpt-5.4-mini-2026-03-17',
  output: [],
  store: false,
  usage: null,
  ...more,
});
export const usage = (cached = 0, reasoning = 0) => ({
  input_tokens: 37,
  input_tokens_details: { cached_tokens: cached },
  output_tokens: 11,
  output_tokens_details: { reasoning_tokens: reasoning },
  total_tokens: 48,
});
export const created = { type: 'response.created', response: response('in_progress') };
export const completed = (counts: object | null = usage()) => ({
  type: 'response.completed',
  response: response('completed', { usage: counts }),
});
export const incomplete = (reason: string | undefined) => ({
  type: 'response.incomplete',
  response: response('incomplete', { incomplete_details: reason === undefined ? null : { reason }, usage: usage() }),
});
export const failed = (code: string) => ({
  type: 'response.failed',
  response: response('failed', { error: { code, message: 'secret prompt' }, usage: usage() }),
});
const at = { item_id: 'msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654', output_index: 0, content_index: 0 };
export const textDelta = (delta: string) => ({ type: 'response.output_text.delta', ...at, delta });
export const refusalDelta = (delta: string) => ({ type: 'response.refusal.delta', ...at, delta });
const messageItem = { id: at.item_id, type: 'message', role: 'assistant', content: [] };
export const hello = [
  created,
  { type: 'response.in_progress', response: response('in_progress') },
  { type: 'response.output_item.added', output_index: 0, item: { ...messageItem, status: 'in_progress' } },
  { type: 'response.content_part.added', ...at, part: { type: 'output_text', text: '', annotations: [] } },
  textDelta('Hi'),
  { ...textDelta('，退货！'), obfuscation: 'h8Fz1LkQ' },
  { type: 'response.output_text.done', ...at, text: 'Hi，退货！' },
  { type: 'response.content_part.done', ...at, part: { type: 'output_text', text: 'Hi，退货！', annotations: [] } },
  { type: 'response.output_item.done', output_index: 0, item: { ...messageItem, status: 'completed' } },
  completed(),
];

// Documented: developers.openai.com/api/docs/guides/function-calling, "Streaming", behind reasoning with a summary.
const summary = { item_id: 'rs_1', output_index: 0, summary_index: 0 };
const call = (place: number, id: string, name: string, args: string) => ({
  output_index: place,
  item: { type: 'function_call', id: `fc_${id}`, call_id: `call_${id}`, name, arguments: args },
});
const callDelta = (place: number, id: string, delta: string) => ({
  type: 'response.function_call_arguments.delta',
  item_id: `fc_${id}`,
  output_index: place,
  delta,
});
export const toolUse = [
  created,
  { type: 'response.output_item.added', output_index: 0, item: { id: 'rs_1', type: 'reasoning', summary: [] } },
  { type: 'response.reasoning_summary_part.added', ...summary, part: { type: 'summary_text', text: '' } },
  { type: 'response.reasoning_summary_text.delta', ...summary, delta: '**Weather**' },
  {
    type: 'response.reasoning_summary_part.added',
    ...summary,
    summary_index: 1,
    part: { type: 'summary_text', text: '' },
  },
  { type: 'response.reasoning_summary_text.delta', ...summary, summary_index: 1, delta: 'Two places.' },
  { type: 'response.output_item.added', ...call(1, '1234xyz', 'get_weather', '') },
  callDelta(1, '1234xyz', '{"location":'),
  { type: 'response.output_item.added', ...call(2, '2', 'get_weather', '') },
  callDelta(2, '2', '{"location":"Rome"}'),
  callDelta(1, '1234xyz', '"Paris"}'),
  {
    type: 'response.function_call_arguments.done',
    item_id: 'fc_1234xyz',
    output_index: 1,
    arguments: '{"location":"Paris"}',
  },
  { type: 'response.output_item.done', ...call(1, '1234xyz', 'get_weather', '{"location":"Paris"}') },
  { type: 'response.output_item.done', ...call(2, '2', 'get_weather', '{"location":"Rome"}') },
  // As compatible servers do that stream no arguments.
  { type: 'response.output_item.done', ...call(3, '3', 'now', '{}') },
  completed(usage(20, 6)),
];
