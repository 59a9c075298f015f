import { z } from 'zod';
import { MessageRole } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { fieldsAmongOthers, jsonValue, list, refused, text, word } from '../../http/fields.ts';

const maxTextLength = 4 << 20;

const call = fieldsAmongOthers({
  id: text({ max: 256 }),
  type: word({ function: 'function' }).nullish(),
  function: fieldsAmongOthers({
    name: text({ min: 1, max: 64 }),
    arguments: text({ max: 1 << 20 }).nullish(),
  }),
  // The provider's own value, which goes back to it unchanged.
  extra_content: jsonValue({ maxBytes: 65_536 }).nullish(),
});

const cacheControl = { cache_control: z.unknown().optional() };
const thought = z.union(
  [
    text({ max: maxTextLength }),
    z
      .array(fieldsAmongOthers({ text: text({ max: maxTextLength }) }))
      .transform((texts) => texts.map((one) => one.text).join('')),
  ],
  'must be a text or a list of texts',
);

const part = z.discriminatedUnion(
  'type',
  [
    fieldsAmongOthers({ type: z.literal('text'), text: text({ max: maxTextLength }), ...cacheControl }),
    fieldsAmongOthers({ type: z.literal('refusal'), refusal: text({ max: maxTextLength }), ...cacheControl }),
    // Thoughts of an assistant's earlier message, as Mistral and Anthropic write them.
    fieldsAmongOthers({ type: z.literal('thinking'), thinking: thought, ...cacheControl }),
    fieldsAmongOthers({ type: z.literal('redacted_thinking'), ...cacheControl }),
    fieldsAmongOthers({
      type: z.literal('image_url'),
      ...cacheControl,
      image_url: fieldsAmongOthers({ url: text({ min: 1, max: maxTextLength }), detail: z.unknown().optional() }),
    }),
  ],
  'must be "text" with text, or "image_url" with image_url.url',
);

const roles = {
  system: MessageRole.SYSTEM,
  developer: MessageRole.SYSTEM,
  user: MessageRole.USER,
  assistant: MessageRole.ASSISTANT,
  tool: MessageRole.TOOL,
} as const;

// Clients return the messages of earlier answers unchanged, with every field.
const message = fieldsAmongOthers({
  role: word(roles, {
    function: 'is the old form of a result: send role "tool" with tool_call_id',
  }),
  name: z.unknown().optional(),
  content: z.union([z.string(), z.array(part)], 'must be a text or a list of parts').nullish(),
  tool_calls: list(call, { max: 128 }).nullish(),
  tool_call_id: text({ max: 256 }).nullish(),
  reasoning_content: text({ max: maxTextLength }).nullish(),
  reasoning: text({ max: maxTextLength }).nullish(),
  function_call: refused('is the old form: send tool_calls'),
});

/** `messages` for a plain model. */
export const messagesSchema = list(message, { min: 1, max: 1000 });

/** A message of the body. */
export type SentMessage = z.output<typeof message>;
/** A part of a message's content. */
export type SentPart = z.output<typeof part>;
/** A call of a tool that an assistant made. */
export type SentCall = z.output<typeof call>;
