import type { ToolCallDelta } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { tooLarge } from '#kit/base/errors.ts';
import type { UrlCitation } from '../answers/annotations.ts';

/** An event of a response, without its number. */
export type ResponseEvent = { type: string } & Record<string, unknown>;

/** An annotation as the Responses API has it: without an object of its own. */
export type ItemAnnotation = { type: 'url_citation' } & UrlCitation['url_citation'];

interface Open {
  outputIndex: number;
  item: Record<string, unknown> & { id: string; type: string };
  text: string;
}

/** Calls of one response. The gateway's contract allows no more. */
const maxCallCount = 128;
/** Longest response that is held, in UTF-16 code units. */
const maxLength = 4 << 20;

/** Writes the items of a response as events, and collects them. */
export interface Items {
  text(text: string): ResponseEvent[];
  reasoning(text: string): ResponseEvent[];
  call(part: ToolCallDelta): ResponseEvent[];
  /** Adds a whole item. */
  add(item: Record<string, unknown> & { id: string; type: string }): ResponseEvent[];
  /** Ends what is open. `annotations`: of the text. */
  end(annotations: readonly ItemAnnotation[]): ResponseEvent[];
  /** The items so far, in their order. */
  output(): Record<string, unknown>[];
}

/** Begins the items of a response. `id` is in their ids. */
export function createItems(id: string): Items {
  const done: Record<string, unknown>[] = [];
  let count = 0;
  let length = 0;
  let message: Open | undefined;
  let thought: Open | undefined;
  const calls = new Map<number, Open>();

  const grow = (text: string) => {
    length += text.length;
    if (length > maxLength) throw tooLarge('the response', maxLength);
  };
  const open = (item: Open['item']): [Open, ResponseEvent] => {
    const outputIndex = count++;
    return [
      { outputIndex, item, text: '' },
      { type: 'response.output_item.added', output_index: outputIndex, item },
    ];
  };
  const close = ({ outputIndex }: Open, item: Open['item']): ResponseEvent => {
    done[outputIndex] = item;
    return { type: 'response.output_item.done', output_index: outputIndex, item };
  };
  const at = ({ outputIndex, item }: Open) => ({ item_id: item.id, output_index: outputIndex });

  const endThought = (): ResponseEvent[] => {
    if (thought === undefined) return [];
    const ended = thought;
    thought = undefined;
    const part = { type: 'summary_text', text: ended.text };
    const place = { ...at(ended), summary_index: 0 };
    return [
      { type: 'response.reasoning_summary_text.done', ...place, text: ended.text },
      { type: 'response.reasoning_summary_part.done', ...place, part },
      close(ended, { ...ended.item, summary: [part] }),
    ];
  };
  const endMessage = (annotations: readonly ItemAnnotation[]): ResponseEvent[] => {
    if (message === undefined) return [];
    const ended = message;
    message = undefined;
    const part = { ...emptyText, text: ended.text, annotations };
    const place = { ...at(ended), content_index: 0 };
    return [
      ...annotations.map((annotation, index) => ({
        type: 'response.output_text.annotation.added',
        ...{ ...place, annotation_index: index, annotation },
      })),
      { type: 'response.output_text.done', ...place, text: ended.text, logprobs: [] },
      { type: 'response.content_part.done', ...place, part },
      close(ended, { ...ended.item, status: 'completed', content: [part] }),
    ];
  };
  const endCall = (ended: Open): ResponseEvent[] => [
    {
      type: 'response.function_call_arguments.done',
      ...{ ...at(ended), name: ended.item.name, arguments: ended.text },
    },
    close(ended, { ...ended.item, status: 'completed', arguments: ended.text }),
  ];
  return {
    text(text) {
      grow(text);
      const events = endThought();
      if (message === undefined) {
        const item = {
          id: `msg_${id}_${count}`,
          type: 'message',
          status: 'in_progress',
          role: 'assistant',
          content: [],
        };
        const [opened, event] = open(item);
        message = opened;
        events.push(event, { type: 'response.content_part.added', ...at(opened), content_index: 0, part: emptyText });
      }
      message.text += text;
      return [
        ...events,
        { type: 'response.output_text.delta', ...at(message), content_index: 0, delta: text, logprobs: [] },
      ];
    },
    reasoning(text) {
      grow(text);
      const events: ResponseEvent[] = [];
      if (thought === undefined) {
        const [opened, event] = open({ id: `rs_${id}_${count}`, type: 'reasoning', summary: [] });
        thought = opened;
        const part = { type: 'summary_text', text: '' };
        events.push(event, { type: 'response.reasoning_summary_part.added', ...at(opened), summary_index: 0, part });
      }
      thought.text += text;
      return [
        ...events,
        { type: 'response.reasoning_summary_text.delta', ...at(thought), summary_index: 0, delta: text },
      ];
    },
    call({ index, id: callId, name, argumentsJson }) {
      if (index >= maxCallCount) throw tooLarge('the list of tool calls', maxCallCount);
      grow(argumentsJson);
      const events = endThought();
      let call = calls.get(index);
      if (call === undefined) {
        const [opened, event] = open({
          ...{ id: `fc_${id}_${count}`, type: 'function_call', status: 'in_progress' },
          ...{ call_id: callId, name, arguments: '' },
        });
        call = opened;
        calls.set(index, opened);
        events.push(event);
      }
      call.text += argumentsJson;
      if (argumentsJson === '') return events;
      return [...events, { type: 'response.function_call_arguments.delta', ...at(call), delta: argumentsJson }];
    },
    add(item) {
      const [opened, event] = open(item);
      return [event, close(opened, item)];
    },
    end(annotations) {
      return [...endThought(), ...endMessage(annotations), ...[...calls.values()].flatMap(endCall)];
    },
    output: () => done.filter((item) => item !== undefined),
  };
}

const emptyText = { type: 'output_text', text: '', annotations: [] as readonly ItemAnnotation[], logprobs: [] };
