import type { MessageInitShape } from '@bufbuild/protobuf';
import { type ImageSchema, MessageRole, type MessageSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { badField } from '../http/parse-fields.ts';
import type { SentMessage, SentPart } from './schemas/messages.ts';

/** A message for the gateway. */
export type PlainMessage = MessageInitShape<typeof MessageSchema>;

/** The messages of a request, and warnings of what was ignored. */
export interface Conversation {
  messages: PlainMessage[];
  warnings: string[];
}

/** Returns the messages for a model of the gateway: texts, images, calls of tools and their results. */
export function toConversation(sent: readonly SentMessage[], path: string): Conversation {
  const warnings = new Set<string>();
  const ids = createCallIds();
  const messages = sent.map((message, index) => {
    const at = `${path}[${index}]`;
    const content = toContent(message.content, `${at}.content`, message.role, warnings);
    const toolCalls = (message.tool_calls ?? []).map(({ id, function: called, extra_content: extra }, callIndex) => ({
      id: ids.ofCall(id, index, callIndex),
      name: called.name,
      argumentsJson: called.arguments ?? '',
      extraContentJson: extra ?? '',
    }));
    if (toolCalls.length > 0 && message.role !== MessageRole.ASSISTANT) {
      throw badField(`${at}.tool_calls`, 'only an assistant calls tools');
    }
    if (message.role === MessageRole.TOOL && typeof message.tool_call_id !== 'string') {
      throw badField(`${at}.tool_call_id`, 'is missing: it names the call that this message answers');
    }
    const toolCallId = ids.ofResult(message.tool_call_id ?? undefined, `${at}.tool_call_id`);
    const reasoning = message.role === MessageRole.ASSISTANT ? reasoningOf(message) : '';
    if (message.name) warnings.add('name of messages is not supported and was ignored');
    return { role: message.role, ...content, toolCalls, toolCallId, reasoning };
  });
  return { messages, warnings: [...warnings] };
}

/** Returns the reasoning of an assistant's message, by any of the names that servers give it. */
function reasoningOf({ reasoning_content: content, reasoning, content: parts }: SentMessage): string {
  if (content || reasoning) return content || reasoning || '';
  if (!Array.isArray(parts)) return '';
  return parts.map((part) => (part.type === 'thinking' ? part.thinking : '')).join('');
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

interface Content {
  text: string;
  images: MessageInitShape<typeof ImageSchema>[];
}

function toContent(content: SentMessage['content'], path: string, role: MessageRole, warnings: Set<string>): Content {
  if (typeof content === 'string') return { text: content, images: [] };
  if (content === undefined || content === null) {
    // A tool may have nothing to say.
    if (role === MessageRole.ASSISTANT || role === MessageRole.TOOL) return { text: '', images: [] };
    throw badField(path, 'is missing');
  }
  const texts: string[] = [];
  const images: Content['images'] = [];
  for (const [index, part] of content.entries()) {
    if ((part.cache_control ?? undefined) !== undefined)
      warnings.add('cache_control of parts is not supported and was ignored');
    if (part.type === 'image_url') {
      images.push(toImage(part, `${path}[${index}]`, role, warnings));
      continue;
    }
    if (part.type === 'thinking' || part.type === 'redacted_thinking') {
      if (role !== MessageRole.ASSISTANT) throw badField(`${path}[${index}].type`, 'only an assistant thinks');
      continue;
    }
    if (images.length > 0) warnings.add('texts behind an image were put before it');
    texts.push(toText(part, `${path}[${index}]`, role));
  }
  return { text: texts.join('\n'), images };
}

function toText(part: Extract<SentPart, { type: 'text' | 'refusal' }>, path: string, role: MessageRole): string {
  if (part.type === 'text') return part.text;
  if (role !== MessageRole.ASSISTANT) throw badField(`${path}.type`, 'only an assistant refuses');
  return part.refusal;
}

type SentImage = Extract<SentPart, { type: 'image_url' }>;

function toImage({ image_url: image }: SentImage, path: string, role: MessageRole, warnings: Set<string>) {
  if (role !== MessageRole.USER) {
    throw badField(path, 'only a user shows images: send it in a message of the user after this one');
  }
  if ((image.detail ?? 'auto') !== 'auto') warnings.add('the detail of images is not supported and was ignored');
  return readImage(image.url, `${path}.image_url.url`);
}

// "image/jpg" is no registered type, but many clients send it.
const dataUrl = /^data:image\/(png|jpe?g|gif|webp);base64,/i;

/** Returns the image of an address: http, https, or a data URL. */
export function readImage(url: string, path: string): Content['images'][number] {
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
  const type = (head[1] as string).toLowerCase();
  return { source: { case: 'data', value: bytes }, mediaType: `image/${type === 'jpg' ? 'jpeg' : type}` };
}
