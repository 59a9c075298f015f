import { z } from 'zod';
import { type Asked, createAnswerRoute, type Sent } from '../http/answer-route.ts';
import type { EventStream } from '../http/event-stream.ts';
import type { JsonRoute } from '../http/json-route.ts';
import { badField, parseFields } from '../http/parse-fields.ts';
import { type CompletionClients, createCompletionAsk } from './completions.ts';
import type { OpenAiDeps } from './deps.ts';
import { openAiFace } from './face.ts';
import { promptSchema } from './schemas/prompt.ts';

/**
 * `POST /v1/completions`, the older form: the prompt is a message of the user, and the reply has the shape of that form. What has no place
 * in it (tools, reasoning) is refused or left out.
 */
export function createTextCompletions(clients: CompletionClients, deps: OpenAiDeps): JsonRoute {
  const askChat = createCompletionAsk(clients, deps);
  const ask = async (sent: Sent): Promise<Asked> => {
    const {
      prompt,
      suffix: _suffix,
      echo: _echo,
      best_of: _bestOf,
      logprobs,
      ...rest
    } = parseFields(promptSchema, sent.body);
    if (logprobs) throw badField('logprobs', 'is not supported: probabilities of tokens are not returned');
    for (const name of ['messages', 'tools'] as const) {
      if (rest[name] !== undefined) throw badField(name, 'is a field of /v1/chat/completions');
    }
    const asked = await askChat({ ...sent, body: { ...rest, messages: [{ role: 'user', content: prompt }] } });
    return {
      stream: asked.stream,
      warnings: asked.warnings,
      whole: async () => {
        const { body, headers } = await asked.whole();
        return { body: toTextCompletion(body), headers };
      },
      send: (stream) => asked.send(asTextCompletion(stream)),
    };
  };
  return createAnswerRoute(openAiFace('/v1/completions', ask), deps);
}

/** What a chat completion, or a chunk of one, has for this form. */
const chatForm = z.looseObject({
  id: z.string(),
  choices: z.array(
    z.object({
      index: z.number(),
      finish_reason: z.string().nullable(),
      message: z.object({ content: z.string().nullish() }).optional(),
      delta: z.object({ content: z.string().nullish() }).optional(),
    }),
  ),
});

function toTextCompletion(completion: unknown): object {
  const { id, choices, ...rest } = chatForm.parse(completion);
  return {
    ...rest,
    id: id.replace(/^chatcmpl-/, 'cmpl-'),
    object: 'text_completion',
    choices: choices.map(({ index, finish_reason, message, delta }) => ({
      text: (message ?? delta)?.content ?? '',
      index,
      logprobs: null,
      finish_reason,
    })),
  };
}

/** Returns the stream of a chat completion that writes chunks of this form. */
function asTextCompletion(stream: EventStream): EventStream {
  return {
    ...stream,
    event: (name, data) =>
      stream.event(name, data === '[DONE]' ? data : JSON.stringify(toTextCompletion(JSON.parse(data)))),
  };
}
