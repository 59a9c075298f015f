import type { Client } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { actAs } from '#kit/rpc/context.ts';
import { requireModel } from '../../admission/model-access.ts';
import { type Asked, createAnswerRoute, type Sent } from '../../http/answer-route.ts';
import type { JsonRoute } from '../../http/json-route.ts';
import { badField, parseFields } from '../../http/parse-fields.ts';
import { answerEvents } from '../answers/events.ts';
import type { OpenAiDeps } from '../deps.ts';
import { toOpenAiError } from '../error.ts';
import { openAiFace } from '../face.ts';
import type { CallOptions } from '../json-call.ts';
import { createModelChoice, defaultModel, modelNamedBy } from '../models.ts';
import { answeredBy, type Course } from '../plain/generation.ts';
import { answerSteps } from './answer.ts';
import { generationSteps } from './generation.ts';
import { type KeptResponse, toAskRequest, toGenerateRequest } from './request.ts';
import { sendResponse, toWholeResponse } from './response.ts';
import { responsesSchema } from './schemas.ts';

/** Services behind responses. */
export interface ResponseClients {
  chat: Pick<Client<typeof ChatService>, 'ask' | 'getSession'>;
  llm: Pick<Client<typeof LLMGatewayService>, 'generate' | 'listModels'>;
}

/** `POST /v1/responses`, as OpenAI's clients call it: "ragmesh…" answers from documents, all else is a plain model. */
export function createResponses({ chat, llm }: ResponseClients, deps: OpenAiDeps): JsonRoute {
  const { clock, newId } = deps;
  const chooseModel = createModelChoice(llm, clock);

  const ask = async ({ body: sent, admission, signal }: Sent): Promise<Asked> => {
    const { token, keyId = '' } = admission;
    const createdAt = Math.floor(clock() / 1000);
    const body = parseFields(responsesSchema, sent);
    const name = body.model ?? '';
    requireModel(admission, modelNamedBy(name));
    const choice = await chooseModel(name, token);
    const stream = body.stream ?? false;
    const options = actAs(token, { signal });
    if (choice.kind === 'rag') {
      const question = toAskRequest(body, choice.model);
      const { after, warnings } = question;
      if (after !== undefined) await requireLast(chat, after, options);
      const head = { createdAt, model: name || defaultModel, body };
      const events = answerEvents(question, { chat, llm }, { admission, requestId: newId(), options });
      const steps = answerSteps({ head, warnings, events });
      return {
        stream,
        warnings,
        whole: async () => ({ body: await toWholeResponse(steps), headers: {} }),
        send: (to) => sendResponse(steps, to, () => ({})),
      };
    }
    const requestId = newId();
    const request = toGenerateRequest(body, { requestId, limitKey: keyId });
    const course: Course = { started: undefined, usage: undefined, done: undefined };
    const steps = generationSteps({
      head: { id: `resp_${requestId}`, createdAt, model: name, body, isKept: false },
      events: llm.generate(request, options),
      course,
      filteredIsError: deps.filteredIsError(),
    });
    return {
      stream,
      warnings: [],
      whole: async () => ({ body: await toWholeResponse(steps), headers: answeredBy(course) }),
      send: (to) => sendResponse(steps, to, () => answeredBy(course)),
    };
  };

  return createAnswerRoute(
    {
      ...openAiFace('/v1/responses', ask),
      errorEvent: (thrown) => {
        const { error } = toOpenAiError(thrown);
        // Clients read the members of the event, or those of its "error" as in other streams.
        return ['error', JSON.stringify({ ...error, error, type: 'error' })];
      },
    },
    deps,
  );
}

/** A session continues at its end only. Throws if a later answer is there, or the session is gone. */
async function requireLast(
  chat: Pick<Client<typeof ChatService>, 'getSession'>,
  { sessionId, answerId }: KeptResponse,
  options: CallOptions,
): Promise<void> {
  const { turns } = await chat.getSession({ sessionId }, options);
  if (turns.at(-1)?.answerId === answerId) return;
  throw badField('previous_response_id', 'is not the last response of its session, which continues at its end only');
}
