import type { ProviderEvent } from '../llm-provider.ts';

/** A part of a tool call in a chunk, or a whole call in a whole reply. */
export interface ChatToolCall {
  index?: number | null;
  id?: string | number | null;
  function?: ChatFunctionCall | null;
  /** Gemini's thought signatures. */
  extra_content?: unknown;
}

/** The function of a call; also the old form of a call, `function_call`, which has no id. */
export interface ChatFunctionCall {
  name?: string | null;
  arguments?: string | Record<string, unknown> | null;
}

type ToolCallEvent = Extract<ProviderEvent, { kind: 'tool-call' }>;

/** Longest own value of a call, in bytes: as long as the contract takes back. */
const maxExtraBytes = 65_536;

interface OpenCall {
  place: number;
  id: string;
  name: string;
  argumentsJson: string;
  /** Whether its id and name came once more, without arguments: the next arguments are those of another call. */
  isNamedAgain: boolean;
}

/**
 * Creates a reader of the parts of one completion's tool calls. Servers count calls by `index`, by `id`, by both or by neither; some
 * repeat id and name with every part, some give every call the same index. A part begins a new call if its id or its name is another
 * one, or if it names the tool again after complete arguments. `isWhole`: the calls are whole, and each one is a call of its own.
 */
export function createToolCallReader(): (calls: readonly ChatToolCall[], isWhole: boolean) => ToolCallEvent[] {
  const latest = new Map<number, OpenCall>();
  const byId = new Map<string, OpenCall>();
  let count = 0;
  const open = (key: number): OpenCall => {
    const call = { place: count++, id: '', name: '', argumentsJson: '', isNamedAgain: false };
    latest.set(key, call);
    return call;
  };
  const read = (part: ChatToolCall, at: number, isWhole: boolean): ToolCallEvent | undefined => {
    const key = part.index ?? at;
    const id = idOf(part.id);
    const name = typeof part.function?.name === 'string' ? part.function.name : '';
    const argumentsJson = toJson(part.function?.arguments);
    // An id without an index may continue any call; with an index, one of that index.
    const idKey = `${part.index ?? ''}/${id}`;
    let call = (isWhole || id === '' ? undefined : byId.get(idKey)) ?? latest.get(key);
    const step = isWhole || call === undefined ? 'new' : stepOf(call, id, name, argumentsJson);
    if (step === 'repeat') return undefined;
    const given = { id, name: name === '' && call?.isNamedAgain ? call.name : name };
    if (call === undefined || step === 'new') call = open(key);
    else latest.set(key, call);
    const event: ToolCallEvent = {
      kind: 'tool-call',
      index: call.place,
      id: call.id === '' ? given.id : '',
      name: call.name === '' ? given.name : '',
      argumentsJson,
    };
    const extra = toJson(part.extra_content);
    if (extra !== '' && Buffer.byteLength(extra) <= maxExtraBytes) event.extraContentJson = extra;
    call.id ||= given.id;
    call.name ||= given.name;
    call.argumentsJson += argumentsJson;
    if (id !== '') byId.set(idKey, call);
    return event;
  };
  return (calls, isWhole) => {
    const events: ToolCallEvent[] = [];
    for (const [at, part] of calls.entries()) {
      const event = read(part, at, isWhole);
      if (event !== undefined) events.push(event);
    }
    return events;
  };
}

/** Returns what a part does to the latest call of its place: begins a new one, repeats it, or adds to it. */
function stepOf(call: OpenCall, id: string, name: string, argumentsJson: string): 'new' | 'repeat' | 'add' {
  if (id !== '' && call.id !== '' && id !== call.id) return 'new';
  if (name !== '' && call.name !== '' && name !== call.name) return 'new';
  const isNamedAgain = call.isNamedAgain || (name !== '' && call.name !== '');
  if (!isNamedAgain || !isComplete(call.argumentsJson)) return 'add';
  const isSameId = id !== '' && id === call.id;
  if (argumentsJson.trim() === '') {
    call.isNamedAgain = !isSameId;
    return 'repeat';
  }
  return isSameId && argumentsJson === call.argumentsJson ? 'repeat' : 'new';
}

function isComplete(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}

function idOf(id: unknown): string {
  return typeof id === 'number' ? String(id) : typeof id === 'string' ? id : '';
}

function toJson(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
