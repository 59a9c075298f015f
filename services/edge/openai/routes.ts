import type { Client } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { LLMGatewayService } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { actAs } from '#kit/context.ts';
import { notFound } from '#kit/errors.ts';
import { sendJson } from '../http/error.ts';
import { createEventStream, type EventStream } from '../http/event-stream.ts';
import { readJsonBody } from '../http/json-body.ts';
import { headersOf, type JsonRoute, type JsonRouteDeps, logBug, workFor } from '../http/json-route.ts';
import { isGone } from '../http/sender.ts';
import { joinTextDeltas } from '../rpc/text-deltas.ts';
import { streamCompletion, toCompletion } from './completion.ts';
import { sendOpenAiError, toOpenAiError } from './error.ts';
import { defaultModel, readCompletionRequest } from './request.ts';

/** `POST /v1/chat/completions`, as OpenAI's clients call it. */
export function createCompletions(chat: Client<typeof ChatService>, deps: JsonRouteDeps): JsonRoute {
  const { admit, limits, log, clock } = deps;
  return async (request, response) => {
    const { signal, abort } = workFor(response);
    let stream: EventStream | undefined;
    try {
      const { token } = await admit(headersOf(request), signal);
      const completion = readCompletionRequest(await readJsonBody(request, limits));
      const events = joinTextDeltas(chat.ask(completion.ask, actAs(token, { signal })));
      const createdAt = Math.floor(clock() / 1000);
      if (completion.stream) {
        stream = createEventStream(response, limits);
        await streamCompletion(events, completion, createdAt, stream);
        await stream.end();
      } else {
        sendJson(response, 200, await toCompletion(events, completion, createdAt));
      }
    } catch (error) {
      abort();
      if (isGone(response)) return;
      logBug(log, '/v1/chat/completions', error);
      if (stream === undefined || !stream.opened()) return sendOpenAiError(response, error);
      await tellInside(stream, error);
    } finally {
      stream?.close();
    }
  };
}

async function tellInside(stream: EventStream, error: unknown): Promise<void> {
  try {
    await stream.event(undefined, JSON.stringify(toOpenAiError(error)));
    await stream.end();
  } catch {
    // The client left while it was told; there is nobody else to tell.
  }
}

/** `GET /v1/models` and `GET /v1/models/<id>`: "ragmesh", which is the default model, and those of the LLM gateway. */
export function createModels(llm: Client<typeof LLMGatewayService>, deps: JsonRouteDeps): (id?: string) => JsonRoute {
  const { admit, log, clock } = deps;
  const startedAt = Math.floor(clock() / 1000);
  return (id) => async (request, response) => {
    const { signal } = workFor(response);
    try {
      const { token } = await admit(headersOf(request), signal);
      const { models } = await llm.listModels({}, actAs(token, { signal }));
      const names = new Map([
        [defaultModel, 'ragmesh'],
        ...models.map(({ name, provider }) => [name, provider] as const),
      ]);
      const data = [...names].map(([name, owner]) => ({
        id: name,
        object: 'model',
        created: startedAt,
        owned_by: owner,
      }));
      if (id === undefined) return sendJson(response, 200, { object: 'list', data });
      const model = data.find((known) => known.id === id);
      if (model === undefined) throw notFound('model', id, ErrorReason.MODEL_UNKNOWN);
      sendJson(response, 200, model);
    } catch (error) {
      if (isGone(response)) return;
      logBug(log, '/v1/models', error);
      sendOpenAiError(response, error);
    }
  };
}
