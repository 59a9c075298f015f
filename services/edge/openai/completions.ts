import type { Client } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { actAs } from '#kit/rpc/context.ts';
import { requireModel } from '../admission/model-access.ts';
import { type Asked, createAnswerRoute, type Sent } from '../http/answer-route.ts';
import { fieldsAmongOthers, text } from '../http/fields.ts';
import type { JsonRoute } from '../http/json-route.ts';
import { parseFields } from '../http/parse-fields.ts';
import { eachOf, joinTextDeltas } from '../rpc/text-deltas.ts';
import { streamCompletion, toCompletion } from './answers/completion.ts';
import { answerEvents } from './answers/events.ts';
import { readCompletionRequest } from './answers/request.ts';
import type { OpenAiDeps } from './deps.ts';
import { openAiFace } from './face.ts';
import { createModelChoice, modelNamedBy } from './models.ts';
import { streamPlainCompletion, toPlainCompletion } from './plain/completion.ts';
import { readPlainRequest } from './plain/request.ts';

/** Services behind completions. */
export interface CompletionClients {
  chat: Pick<Client<typeof ChatService>, 'ask'>;
  llm: Pick<Client<typeof LLMGatewayService>, 'generate' | 'listModels'>;
}

const modelSchema = fieldsAmongOthers({ model: text({ max: 256 }).nullish() });

/** `POST /v1/chat/completions`, as OpenAI's clients call it: "ragmesh…" answers from documents, all else is a plain model. */
export function createCompletions(clients: CompletionClients, deps: OpenAiDeps): JsonRoute {
  return createAnswerRoute(openAiFace('/v1/chat/completions', createCompletionAsk(clients, deps)), deps);
}

/** Returns what reads a completion of chats and asks for it. */
export function createCompletionAsk(
  { chat, llm }: CompletionClients,
  deps: OpenAiDeps,
): (sent: Sent) => Promise<Asked> {
  const { clock, newId } = deps;
  const chooseModel = createModelChoice(llm, clock);

  return async ({ body, header, admission, signal }: Sent): Promise<Asked> => {
    const { token, keyId = '' } = admission;
    const createdAt = Math.floor(clock() / 1000);
    const name = parseFields(modelSchema, body).model ?? '';
    requireModel(admission, modelNamedBy(name));
    const choice = await chooseModel(name, token);
    if (choice.kind === 'rag') {
      const request = readCompletionRequest(body, choice.model);
      const asker = { admission, requestId: newId(), options: actAs(token, { signal }) };
      const events = joinTextDeltas(answerEvents(request, { chat, llm }, asker));
      return {
        stream: request.stream,
        warnings: request.warnings,
        whole: async () => ({ body: await toCompletion(eachOf(events), request, createdAt), headers: {} }),
        send: (stream) => streamCompletion(events, request, createdAt, stream),
      };
    }
    const requestId = newId();
    const request = readPlainRequest(body, header, { requestId, limitKey: keyId });
    const events = llm.generate(request.generate, actAs(token, { signal }));
    const label = { id: `chatcmpl-${requestId}`, createdAt, filteredIsError: deps.filteredIsError() };
    return {
      stream: request.stream,
      warnings: request.warnings,
      whole: async () => {
        const { completion, headers } = await toPlainCompletion(events, request, label);
        return { body: completion, headers };
      },
      send: (stream) => streamPlainCompletion(events, request, label, stream),
    };
  };
}
