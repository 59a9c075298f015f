import type { Client } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { NodeResponse } from '#kit/http/server/port.ts';
import { isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import { actAs } from '#kit/rpc/context.ts';
import { requireModel } from '../admission/model-access.ts';
import { type Asked, createAnswerRoute, type Sent } from '../http/answer-route.ts';
import { sendJson } from '../http/error.ts';
import { readJsonBody } from '../http/json-body.ts';
import { type JsonRoute, noteFailure } from '../http/json-route.ts';
import { forLargeBodies } from '../http/limits.ts';
import { parseFields } from '../http/parse-fields.ts';
import type { OpenAiDeps } from '../openai/deps.ts';
import { createModelChoice, modelNamedBy } from '../openai/models.ts';
import { answeredBy, type Course } from '../openai/plain/generation.ts';
import { answerEvents } from './answer.ts';
import { countPromptTokens } from './count-tokens.ts';
import { requestIdOf, sendAnthropicError, toAnthropicError } from './error.ts';
import { generationEvents } from './generation.ts';
import { sendMessage, toWholeMessage } from './message.ts';
import { toAskRequest } from './question.ts';
import { setRateHeaders } from './rate-headers.ts';
import { toGenerateRequest, toMessages } from './request.ts';
import { countTokensSchema, messagesSchema } from './schemas.ts';

/** Services behind messages. */
export interface MessageClients {
  chat: Pick<Client<typeof ChatService>, 'ask'>;
  llm: Pick<Client<typeof LLMGatewayService>, 'generate' | 'listModels'>;
}

/** `POST /v1/messages`, as Anthropic's clients call it: "ragmesh…" answers from documents, all else is a plain model. */
export function createMessages({ chat, llm }: MessageClients, deps: OpenAiDeps): JsonRoute {
  const { clock, newId } = deps;
  const chooseModel = createModelChoice(llm, clock);

  const ask = async ({ body: sent, admission, signal }: Sent): Promise<Asked> => {
    const { token, keyId = '' } = admission;
    const body = parseFields(messagesSchema, sent);
    requireModel(admission, modelNamedBy(body.model));
    const choice = await chooseModel(body.model, token);
    const stream = body.stream ?? false;
    if (choice.kind === 'rag') {
      const question = toAskRequest(body, choice.model);
      const events = answerEvents({
        model: body.model,
        warnings: question.warnings,
        events: chat.ask(question.ask, actAs(token, { signal })),
      });
      return {
        stream,
        warnings: question.warnings,
        whole: async () => ({ body: await toWholeMessage(events), headers: {} }),
        send: (to) => sendMessage(events, to, () => ({})),
      };
    }
    const requestId = newId();
    const request = toGenerateRequest(body, { requestId, limitKey: keyId });
    const course: Course = { started: undefined, usage: undefined, done: undefined };
    const generated = llm.generate(request, actAs(token, { signal }));
    const events = generationEvents({ id: `msg_${requestId}`, request, events: generated, course });
    return {
      stream,
      warnings: [],
      whole: async () => ({ body: await toWholeMessage(events), headers: answeredBy(course) }),
      send: (to) => sendMessage(events, to, () => answeredBy(course)),
    };
  };

  const route = createAnswerRoute(
    {
      name: '/v1/messages',
      ask,
      admitted: (response, { rate }) => setRateHeaders(response, rate, clock()),
      sendError: sendAnthropicError,
      errorEvent: (error, response) => ['error', JSON.stringify(toAnthropicError(error, requestIdOf(response)))],
    },
    deps,
  );
  return async (request, response) => {
    nameRequest(response);
    await route(request, response);
  };
}

/** `POST /v1/messages/count_tokens`: an estimate, since the gateway has no vocabulary of its models. */
export function createCountTokens(deps: OpenAiDeps): JsonRoute {
  const { admit, limits } = deps;
  const bodyLimits = forLargeBodies(limits);
  return async (request, response) => {
    nameRequest(response);
    const { signal } = workFor(response);
    try {
      const admission = await admit(request, signal);
      const body = parseFields(countTokensSchema, await readJsonBody(request, bodyLimits));
      requireModel(admission, modelNamedBy(body.model));
      const tools = (body.tools ?? []).map(({ name, description, input_schema: parametersJson }) => ({
        name,
        description: description ?? '',
        parametersJson,
      }));
      sendJson(response, 200, { input_tokens: countPromptTokens({ messages: toMessages(body), tools }) });
    } catch (error) {
      if (isGone(response)) return;
      noteFailure(deps, '/v1/messages/count_tokens', request, error);
      sendAnthropicError(response, error);
    }
  };
}

/** Names the request in the header that Anthropic's clients read. */
function nameRequest(response: NodeResponse): void {
  const id = requestIdOf(response);
  if (id !== null) response.setHeader('request-id', id);
}
