import type { Client } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import { actAs } from '#kit/rpc/context.ts';
import type { Admission } from '../admission/admission.ts';
import { requireModel } from '../admission/model-access.ts';
import type { HeaderReader } from '../credentials/authenticate.ts';
import { sendJson } from '../http/error.ts';
import { createEventStream, type EventStream } from '../http/event-stream.ts';
import { fieldsAmongOthers, text } from '../http/fields.ts';
import { readJsonBody } from '../http/json-body.ts';
import { type JsonRoute, noteFailure } from '../http/json-route.ts';
import { parseFields } from '../http/parse-fields.ts';
import { headersOf } from '../http/request.ts';
import { eachOf, joinTextDeltas } from '../rpc/text-deltas.ts';
import { streamCompletion, toCompletion } from './completion.ts';
import { forLargeBodies, type OpenAiDeps } from './deps.ts';
import { sendOpenAiError, toOpenAiError } from './error.ts';
import { createModelChoice, modelNamedBy } from './models.ts';
import { streamPlainCompletion, toPlainCompletion } from './plain/completion.ts';
import { readPlainRequest } from './plain/request.ts';
import { readCompletionRequest } from './request.ts';

/** Services behind completions. */
export interface CompletionClients {
  chat: Pick<Client<typeof ChatService>, 'ask'>;
  llm: Pick<Client<typeof LLMGatewayService>, 'generate' | 'listModels'>;
}

/** A completion that was asked for: whole, or as a stream. */
interface Asked {
  stream: boolean;
  whole(): Promise<{ completion: unknown; headers: Record<string, string> }>;
  send(stream: EventStream): Promise<void>;
}

const modelSchema = fieldsAmongOthers({ model: text({ max: 256 }).nullish() });

/** `POST /v1/chat/completions`, as OpenAI's clients call it: "ragmesh…" answers from documents, all else is a plain model. */
export function createCompletions({ chat, llm }: CompletionClients, deps: OpenAiDeps): JsonRoute {
  const { admit, running, limits, clock, newId } = deps;
  const chooseModel = createModelChoice(llm, clock);
  const bodyLimits = forLargeBodies(limits);

  const ask = async (
    body: unknown,
    header: HeaderReader,
    admission: Admission,
    signal: AbortSignal,
  ): Promise<Asked> => {
    const { token, keyId = '' } = admission;
    const createdAt = Math.floor(clock() / 1000);
    const name = parseFields(modelSchema, body).model ?? '';
    requireModel(admission, modelNamedBy(name));
    const choice = await chooseModel(name, token);
    if (choice.kind === 'rag') {
      const request = readCompletionRequest(body, choice.model);
      const events = joinTextDeltas(chat.ask(request.ask, actAs(token, { signal })));
      return {
        stream: request.stream,
        whole: async () => ({ completion: await toCompletion(eachOf(events), request, createdAt), headers: {} }),
        send: (stream) => streamCompletion(events, request, createdAt, stream),
      };
    }
    const requestId = newId();
    const request = readPlainRequest(body, header, { requestId, limitKey: keyId });
    const events = llm.generate(request.generate, actAs(token, { signal }));
    const label = { id: `chatcmpl-${requestId}`, createdAt, filteredIsError: deps.filteredIsError() };
    return {
      stream: request.stream,
      whole: () => toPlainCompletion(events, request, label),
      send: (stream) => streamPlainCompletion(events, request, label, stream),
    };
  };

  return async (request, response) => {
    const { signal, abort } = workFor(response);
    let stream: EventStream | undefined;
    let release: (() => void) | undefined;
    try {
      const header = headersOf(request);
      const admission = await admit(request, signal);
      release = await running.begin(admission.principal);
      const asked = await ask(await readJsonBody(request, bodyLimits), header, admission, signal);
      if (asked.stream) {
        stream = createEventStream(response, limits);
        await asked.send(stream);
        await stream.end();
      } else {
        const { completion, headers } = await asked.whole();
        sendJson(response, 200, completion, headers);
      }
    } catch (error) {
      abort();
      if (isGone(response)) return;
      noteFailure(deps, '/v1/chat/completions', request, error);
      if (stream === undefined || !stream.opened()) return sendOpenAiError(response, error);
      await tellInside(stream, error);
    } finally {
      release?.();
      stream?.close();
    }
  };
}

async function tellInside(stream: EventStream, error: unknown): Promise<void> {
  try {
    await stream.event(undefined, JSON.stringify(toOpenAiError(error)));
    await stream.end();
  } catch {
    // The client left while the error was sent to it.
  }
}
