import type { MessageInitShape } from '@bufbuild/protobuf';
import { type ImageSchema, MessageRole, type MessageSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { anything, badField, list, object, type Reader, text, word } from '../http/fields.ts';

/** A message for the gateway. */
export type PlainMessage = MessageInitShape<typeof MessageSchema>;

/** The messages of a request, and what of them was passed over. */
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

// Clients send the messages of earlier answers back as they got them, with whatever fields those have.
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
  // Ids made for calls whose own is empty, as some servers send them; their results, with empty ids too, come in the same order.
  const madeIds: string[] = [];
  const messages = readMessages(value, path).map((message, index) => {
    const at = `${path}[${index}]`;
    if (message.role === undefined) throw badField(`${at}.role`, 'is missing');
    const content = readContent(message.content, `${at}.content`, message.role, warnings);
    const toolCalls = (message.tool_calls ?? []).map((call, callIndex) => {
      const read = toCall(call, `${at}.tool_calls[${callIndex}]`);
      if (read.id !== '') return read;
      const id = `call_${index}_${callIndex}`;
      madeIds.push(id);
      return { ...read, id };
    });
    if (toolCalls.length > 0 && message.role !== MessageRole.ASSISTANT) {
      throw badField(`${at}.tool_calls`, 'only an assistant calls tools');
    }
    if (message.role === MessageRole.TOOL && message.tool_call_id === undefined) {
      throw badField(`${at}.tool_call_id`, 'is missing: it names the call that this message answers');
    }
    const toolCallId = message.tool_call_id === '' ? madeIds.shift() : (message.tool_call_id ?? '');
    if (toolCallId === undefined) {
      throw badField(
        `${at}.tool_call_id`,
        'is empty, and so is the id of no call before it: name the call that it answers',
      );
    }
    return { role: message.role, ...content, toolCalls, toolCallId };
  });
  return { messages, warnings: [...warnings] };
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
    const at = `${path}[${index}]`;
    const part = readPart(element, at);
    if (part.type === 'text' && part.text !== undefined) {
      if (images.length > 0) warnings.add('texts behind an image were put before it');
      texts.push(part.text);
    } else if (part.type === 'refusal' && part.refusal !== undefined && role === MessageRole.ASSISTANT) {
      texts.push(part.refusal);
    } else if (part.type === 'image_url' && part.image_url?.url !== undefined) {
      if (role !== MessageRole.USER) throw badField(at, 'only a user shows images');
      if (part.image_url.detail !== undefined && part.image_url.detail !== 'auto') {
        warnings.add('the detail of images is not supported and was ignored');
      }
      images.push(toImage(part.image_url.url, `${at}.image_url.url`));
    } else {
      throw badField(`${at}.type`, 'must be "text" with text, or "image_url" with image_url.url');
    }
  }
  return { text: texts.join('\n'), images };
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
  // Buffer passes over what is not base64; an image that lost bytes would be shown to the model as it is.
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
