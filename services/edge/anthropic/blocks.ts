import type { ToolCallDelta } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { internal, tooLarge } from '#kit/base/errors.ts';

/** A source of a text, as Anthropic's API cites search results. */
export interface SourceCitation {
  type: 'search_result_location';
  source: string;
  title: string | null;
  cited_text: string;
  search_result_index: number;
  start_block_index: number;
  end_block_index: number;
}

/** A block of a message, as it begins. */
export type Block =
  | { type: 'text'; text: string; citations?: SourceCitation[] | null }
  | { type: 'thinking'; thinking: string; signature: string }
  | { type: 'tool_use'; id: string; name: string; input: object };

/** A part of a block. */
export type BlockDelta =
  | { type: 'text_delta'; text: string }
  | { type: 'citations_delta'; citation: SourceCitation }
  | { type: 'thinking_delta'; thinking: string }
  | { type: 'signature_delta'; signature: string }
  | { type: 'input_json_delta'; partial_json: string };

/** An event about a block. */
export type BlockEvent =
  | { type: 'content_block_start'; index: number; content_block: Block }
  | { type: 'content_block_delta'; index: number; delta: BlockDelta }
  | { type: 'content_block_stop'; index: number };

/** Calls of one message. The gateway's contract allows no more. */
const maxCallCount = 128;

interface Call {
  id: string;
  name: string;
  /** What was sent of the arguments. */
  sent: string;
  /** What waits until the call before it is whole. */
  waiting: string;
  state: 'new' | 'open' | 'closed';
}

/** Writes the blocks of a message, one after the other: on this wire a block ends before the next one begins. */
export interface Blocks {
  text(text: string): BlockEvent[];
  /** Adds a source to the text that is being written; later text is in a block of its own. */
  cite(citation: SourceCitation): BlockEvent[];
  thinking(text: string): BlockEvent[];
  call(part: ToolCallDelta): BlockEvent[];
  end(): BlockEvent[];
}

/** Begins the blocks of a message. `cites`: whether texts can have sources. */
export function createBlocks({ cites }: { cites: boolean }): Blocks {
  let index = -1;
  let open: 'text' | 'thinking' | Call | undefined;
  let isCited = false;
  const calls = new Map<number, Call>();

  const start = (block: Block): BlockEvent => ({ type: 'content_block_start', index: ++index, content_block: block });
  const part = (delta: BlockDelta): BlockEvent => ({ type: 'content_block_delta', index, delta });
  const stop = (): BlockEvent[] => {
    if (open === undefined) return [];
    // Clients expect a signature. The gateway keeps none, and needs none back.
    const sign = open === 'thinking' ? [part({ type: 'signature_delta', signature: '' })] : [];
    if (typeof open === 'object') open.state = 'closed';
    open = undefined;
    isCited = false;
    return [...sign, { type: 'content_block_stop', index }];
  };
  const writeCall = (call: Call, json: string): BlockEvent[] => {
    call.sent += json;
    return json === '' ? [] : [part({ type: 'input_json_delta', partial_json: json })];
  };
  const openCall = (call: Call): BlockEvent[] => {
    const events = stop();
    open = call;
    call.state = 'open';
    const json = call.waiting;
    call.waiting = '';
    return [...events, start({ type: 'tool_use', id: call.id, name: call.name, input: {} }), ...writeCall(call, json)];
  };
  return {
    text(text) {
      const events = open === 'text' && !isCited ? [] : [...stop(), start(emptyText(cites))];
      open = 'text';
      return [...events, part({ type: 'text_delta', text })];
    },
    cite(citation) {
      if (open !== 'text') return [];
      isCited = true;
      return [part({ type: 'citations_delta', citation })];
    },
    thinking(text) {
      const events = open === 'thinking' ? [] : [...stop(), start({ type: 'thinking', thinking: '', signature: '' })];
      open = 'thinking';
      return [...events, part({ type: 'thinking_delta', thinking: text })];
    },
    call({ index: callIndex, id, name, argumentsJson }) {
      if (callIndex >= maxCallCount) throw tooLarge('the list of tool calls', maxCallCount);
      const call: Call = calls.get(callIndex) ?? { id, name, sent: '', waiting: '', state: 'new' };
      calls.set(callIndex, call);
      call.id ||= id;
      call.name ||= name;
      if (call === open) return writeCall(call, argumentsJson);
      if (call.state === 'closed') {
        if (argumentsJson.trim() === '') return [];
        throw internal(new Error(`arguments of call ${callIndex} continued after they were whole`));
      }
      call.waiting += argumentsJson;
      return typeof open === 'object' && !isWhole(open.sent) ? [] : openCall(call);
    },
    end() {
      const events: BlockEvent[] = [];
      for (const call of calls.values()) if (call.state === 'new') events.push(...openCall(call));
      return [...events, ...stop()];
    },
  };
}

function emptyText(cites: boolean): Block {
  return cites ? { type: 'text', text: '', citations: [] } : { type: 'text', text: '', citations: null };
}

function isWhole(json: string): boolean {
  // The cheap check first: calls whose parts alternate are parsed few times.
  if (!json.trimEnd().endsWith('}')) return false;
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}
