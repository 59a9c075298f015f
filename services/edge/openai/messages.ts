import type { MessageInitShape } from '@bufbuild/protobuf';
import { type ImageSchema, MessageRole, type MessageSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { anything, badField, list, object, type Reader, text, word } from '../http/fields.ts';

/** A message for the gateway. */
export type PlainMessage = MessageInitShape<typeof MessageSchema>;

/** The messages of a request, and warnings of what was ignored. */
export interface Conversation {
  messages: PlainMessage[];
  warnings: string[];
}

const roles = {
  system: MessageRole.SYSTEM,
  developer: MessageRole.SYSTEM,
  user: MessageRole.USER,
  assistant: MessageRole.ASSISTANT,
  tool: MessageRole.TOOL,
} as const;

const maxTextLength = 4 << 20;

const readCall = object(
  {
    id: text({ max: 256 }),
    type: word({ function: 'function' }),
    function: object({ name: text({ min: 1, max: 64 }), arguments: text({ max: 1 << 20 }) }, { others: 'ignore' }),
  },
  { others: 'ignore' },
);

// Clients return the messages of earlier answers unchanged, with every field.
const readMessage = object(
  {
    role: word<MessageRole>(roles),
    content: anything,
    tool_calls: list(readCall, { max: 128 }),
    tool_call_id: text({ max: 256 }),
    function_call: refuse('is the old form: send tool_calls'),
  },
  { others: 'ignore' },
);

const readMessages = list(readMessage, { min: 1, max: 1000 });

/** Reads `messages` for a model of the gateway: texts, images, calls of tools and their results. */
export function readConversation(value: unknown, path: string): Conversation {
  const warnings = new Set<string>();
  const ids = createCallIds();
  const messages = readMessages(value, path).map((message, index) => {
    const at = `${path}[${index}]`;
    if (message.role === undefined) throw badField(`${at}.role`, 'is missing');
    const content = readContent(message.content, `${at}.content`, message.role, warnings);
    const toolCalls = (message.tool_calls ?? []).map((call, callIndex) => {
      const read = toCall(call, `${at}.tool_calls[${callIndex}]`);
      return { ...read, id: ids.ofCall(read.id, index, callIndex) };
    });
    if (toolCalls.length > 0 && message.role !== MessageRole.ASSISTANT) {
      throw badField(`${at}.tool_calls`, 'only an assistant calls tools');
    }
    if (message.role === MessageRole.TOOL && message.tool_call_id === undefined) {
      throw badField(`${at}.tool_call_id`, 'is missing: it names the call that this message answers');
    }
    const toolCallId = ids.ofResult(message.tool_call_id, `${at}.tool_call_id`);
    return { role: message.role, ...content, toolCalls, toolCallId };
  });
  return { messages, warnings: [...warnings] };
}

// Some servers send calls with empty ids. Those get ids here, and so do their results, which have empty ids too, in the same order.
function createCallIds() {
  const made: string[] = [];
  return {
    ofCall(id: string, messageIndex: number, callIndex: number): string {
      if (id !== '') return id;
      const next = `call_${messageIndex}_${callIndex}`;
      made.push(next);
      return next;
    },
    ofResult(id: string | undefined, path: string): string {
      if (id !== '') return id ?? '';
      const next = made.shift();
      if (next !== undefined) return next;
      throw badField(path, 'is empty, and so is the id of no call before it: name the call that it answers');
    },
  };
}

function toCall({ id, function: called }: ReturnType<typeof readCall>, path: string) {
  if (id === undefined) throw badField(`${path}.id`, 'is missing');
  if (called?.name === undefined) throw badField(`${path}.function.name`, 'is missing');
  return { id, name: called.name, argumentsJson: called.arguments ?? '' };
}

interface Content {
  text: string;
  images: MessageInitShape<typeof ImageSchema>[];
}

const readPart = object(
  {
    type: text({ max: 64 }),
    text: text({ max: maxTextLength }),
    refusal: text({ max: maxTextLength }),
    image_url: object({ url: text({ min: 1, max: maxTextLength }), detail: anything }, { others: 'ignore' }),
  },
  { others: 'ignore' },
);

function readContent(value: unknown, path: string, role: MessageRole, warnings: Set<string>): Content {
  if (value === undefined) {
    if (role === MessageRole.ASSISTANT) return { text: '', images: [] };
    throw badField(path, 'is missing');
  }
  if (typeof value === 'string') return { text: value, images: [] };
  if (!Array.isArray(value)) throw badField(path, 'must be a text or a list of parts');
  const texts: string[] = [];
  const images: Content['images'] = [];
  for (const [index, element] of value.entries()) {
    const part = toPart(readPart(element, `${path}[${index}]`), `${path}[${index}]`, role, warnings);
    if (typeof part !== 'string') {
      images.push(part);
      continue;
    }
    if (images.length > 0) warnings.add('texts behind an image were put before it');
    texts.push(part);
  }
  return { text: texts.join('\n'), images };
}

// A text, or an image.
function toPart(
  { type, text: words, refusal, image_url: image }: ReturnType<typeof readPart>,
  path: string,
  role: MessageRole,
  warnings: Set<string>,
): string | Content['images'][number] {
  if (type === 'text' && words !== undefined) return words;
  if (type === 'refusal' && refusal !== undefined && role === MessageRole.ASSISTANT) return refusal;
  if (type !== 'image_url' || image?.url === undefined) {
    throw badField(`${path}.type`, 'must be "text" with text, or "image_url" with image_url.url');
  }
  if (role !== MessageRole.USER) throw badField(path, 'only a user shows images');
  if (image.detail !== undefined && image.detail !== 'auto') {
    warnings.add('the detail of images is not supported and was ignored');
  }
  return toImage(image.url, `${path}.image_url.url`);
}

const dataUrl = /^data:(image\/(?:png|jpeg|gif|webp));base64,/;

function toImage(url: string, path: string): Content['images'][number] {
  if (/^https?:\/\//.test(url)) {
    if (url.length > 2048) throw badField(path, 'is an address of more than 2048 characters');
    return { source: { case: 'url', value: url } };
  }
  const head = dataUrl.exec(url);
  if (head === null) {
    throw badField(path, 'must be http://…, https://… or data:image/<png, jpeg, gif or webp>;base64,…');
  }
  const encoded = url.slice(head[0].length);
  const data = Buffer.from(encoded, 'base64');
  // Buffer ignores characters that are not base64; the model would get an image without those bytes.
  if (data.length === 0 || data.length !== Buffer.byteLength(encoded, 'base64')) {
    throw badField(path, 'holds no base64');
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.length);
  return { source: { case: 'data', value: bytes }, mediaType: head[1] as string };
}

function refuse(why: string): Reader<undefined> {
  return (_, path) => {
    throw badField(path, why);
  };
}
