import { create } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import { type AskResponse, AskResponseSchema, type ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Admission } from '../../admission/admission.ts';
import { mayUseAnyModel, mayUseModel } from '../../admission/model-access.ts';
import { asJson, type JsonOutput, requireFillable, type Writer } from './json/output.ts';
import type { CompletionRequest } from './request.ts';

/** Services behind an answer. */
export interface AnswerClients {
  chat: Pick<Client<typeof ChatService>, 'ask'>;
  llm: Pick<Client<typeof LLMGatewayService>, 'generate' | 'listModels'>;
}

/** Who asks, and how. */
export interface Asker {
  admission: Admission;
  /** Id of the request, for what a model writes beside the answer. */
  requestId: string;
  options: CallOptions;
}

/** Returns the events of what a request asks for: the reply to a chore, an answer from documents, or the same as JSON. */
export function answerEvents(
  { ask, chore, json }: Pick<CompletionRequest, 'ask' | 'chore' | 'json'>,
  clients: AnswerClients,
  asker: Asker,
): AsyncIterable<AskResponse> {
  if (chore !== undefined) return choreEvents(chore, asker.requestId);
  if (json === undefined) return clients.chat.ask(ask, asker.options);
  return jsonEvents(ask, json, clients, asker);
}

async function* jsonEvents(
  ask: CompletionRequest['ask'],
  json: JsonOutput,
  { chat, llm }: AnswerClients,
  { admission, requestId, options }: Asker,
): AsyncGenerator<AskResponse> {
  const writer = async (): Promise<Writer | undefined> => {
    const model = ask.model ?? '';
    // A schema is the caller's own text: who may not call models reaches none by it.
    const isAllowed = model === '' ? mayUseAnyModel(admission) : mayUseModel(admission, model);
    if (!isAllowed) return undefined;
    const { models } = await llm.listModels({}, options);
    const named = model === '' ? models[0] : models.find(({ name }) => name === model);
    const isWriting = named !== undefined && (named.generative || named.targets.length > 0);
    return isWriting ? { llm, model, requestId, limitKey: admission.keyId ?? '', options } : undefined;
  };
  await requireFillable(json, writer);
  yield* asJson(chat.ask(ask, options), json, writer);
}

async function* choreEvents(text: string, id: string): AsyncGenerator<AskResponse> {
  const ids = { answerId: id, sessionId: '' };
  yield create(AskResponseSchema, { event: { case: 'started', value: ids } });
  if (text !== '') yield create(AskResponseSchema, { event: { case: 'textDelta', value: { text } } });
  const done = { ...ids, outcome: AnswerOutcome.REPLIED };
  yield create(AskResponseSchema, { event: { case: 'done', value: done } });
}
