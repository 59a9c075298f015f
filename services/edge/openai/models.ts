import type { Client } from '@connectrpc/connect';
import type { EmbeddingModel, EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import type { LLMGatewayService, Model } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import { actAs } from '#kit/rpc/context.ts';
import type { Admission } from '../admission/admission.ts';
import { mayUseModel, unknownModel } from '../admission/model-access.ts';
import { sendJson } from '../http/error.ts';
import { type JsonRoute, noteFailure } from '../http/json-route.ts';
import type { OpenAiDeps } from './deps.ts';
import { sendOpenAiError } from './error.ts';
import { setRateHeaders } from './rate-headers.ts';

// Two kinds of models: those of the LLM gateway by their own names, and those that answer from documents, "ragmesh" and
// "ragmesh/<model>". A model that only quotes evidence has nothing to say without documents, so its own name means the latter.

/** The name of the default model, which answers from documents. */
export const defaultModel = 'ragmesh';

const ragPrefix = `${defaultModel}/`;

/** The kinds of models. */
export type ModelChoice =
  | { kind: 'rag' /** The gateway's name; empty: its default. */; model: string }
  | { kind: 'plain' };

/** Returns the kind of a model by its name. */
export type ChooseModel = (name: string, token: string) => Promise<ModelChoice>;

/** Returns the gateway's model of a model's name; empty: the default. */
export function modelNamedBy(name: string): string {
  if (name === defaultModel) return '';
  return name.startsWith(ragPrefix) ? name.slice(ragPrefix.length) : name;
}

/** How long the list of the gateway's models is believed, in milliseconds. */
const listedForMs = 5_000;
const listTimeoutMs = 2_000;

/**
 * Creates the choice. Names that the gateway does not know count as plain: it refuses them itself, and knows a model that was
 * just configured before its list is asked for again.
 */
export function createModelChoice(
  llm: Pick<Client<typeof LLMGatewayService>, 'listModels'>,
  clock: () => number,
): ChooseModel {
  let quoting: Promise<ReadonlySet<string>> | undefined;
  let listedAt = 0;
  // Shared by all who ask meanwhile, so no single caller's leaving ends it.
  const list = async (token: string) => {
    const { models } = await llm.listModels({}, actAs(token, { timeoutMs: listTimeoutMs }));
    return new Set(models.filter(isQuoting).map(({ name }) => name));
  };
  return async (name, token) => {
    const named = modelNamedBy(name);
    if (named === '' || named !== name) return { kind: 'rag', model: named };
    if (quoting === undefined || clock() - listedAt > listedForMs) {
      listedAt = clock();
      const asked = list(token);
      asked.catch(() => {
        if (quoting === asked) quoting = undefined;
      });
      quoting = asked;
    }
    return (await quoting).has(name) ? { kind: 'rag', model: name } : { kind: 'plain' };
  };
}

function isQuoting({ generative, targets }: Model): boolean {
  return !generative && targets.length === 0;
}

/** A model as the list names it; beyond OpenAI's fields, what it is for. */
interface ListedModel {
  id: string;
  owned_by: string;
  type: 'chat' | 'embedding';
  /** Of an embedding model whose vectors have a known length. */
  dimensions?: number;
}

/**
 * `GET /v1/models` and `GET /v1/models/<id>`: "ragmesh", the gateway's models, each of them over documents, and the embedding models, as
 * far as the caller may use them.
 */
export function createModels(
  llm: Pick<Client<typeof LLMGatewayService>, 'listModels'>,
  embedding: Pick<Client<typeof EmbeddingService>, 'listModels'>,
  deps: OpenAiDeps,
): (id?: string) => JsonRoute {
  const { admit, clock } = deps;
  const startedAt = Math.floor(clock() / 1000);
  return (id) => async (request, response) => {
    const { signal } = workFor(response);
    try {
      const admission = await admit(request, signal);
      setRateHeaders(response, admission.rate);
      const as = actAs(admission.token, { signal });
      const [generating, vectors] = await Promise.all([
        llm.listModels({}, as),
        // Without that service, the other models still answer.
        embedding.listModels({}, as).catch(() => ({ models: [] })),
      ]);
      const listed = listModels(admission, generating.models, vectors.models);
      const data = listed.map(({ id: name, owned_by, ...rest }) => ({
        ...{ id: name, object: 'model', created: startedAt, owned_by },
        ...rest,
      }));
      // Clients of Anthropic name the version of their API in every request.
      const isAnthropic = request.headers['anthropic-version'] !== undefined;
      const show = (known: ListedModel & { created: number }): object =>
        isAnthropic ? toAnthropicModel(known) : known;
      if (id === undefined) return sendJson(response, 200, toList(data.map(show), data));
      const model = data.find((known) => known.id === id);
      if (model === undefined) throw unknownModel(id);
      sendJson(response, 200, show(model));
    } catch (error) {
      if (isGone(response)) return;
      noteFailure(deps, '/v1/models', request, error);
      sendOpenAiError(response, error);
    }
  };
}

/** A list for clients of OpenAI and of Anthropic, which has one page. */
function toList(data: readonly object[], models: readonly ListedModel[]) {
  return { object: 'list', data, has_more: false, first_id: models[0]?.id ?? null, last_id: models.at(-1)?.id ?? null };
}

/** Adds what Anthropic's clients read of a model. */
function toAnthropicModel(model: ListedModel & { created: number }) {
  const createdAt = new Date(model.created * 1000).toISOString();
  return { ...model, type: 'model', display_name: model.id, created_at: createdAt };
}

/** Returns the models that the caller may use, each name once. */
function listModels(
  admission: Admission,
  generating: readonly Model[],
  embedding: readonly EmbeddingModel[],
): ListedModel[] {
  const models = new Map<string, ListedModel>();
  const add = (model: ListedModel) => {
    if (!models.has(model.id)) models.set(model.id, model);
  };
  add({ id: defaultModel, owned_by: 'ragmesh', type: 'chat' });
  const usable = generating.filter(({ name }) => mayUseModel(admission, name));
  for (const { name, provider } of usable) add({ id: name, owned_by: provider, type: 'chat' });
  for (const model of usable) {
    if (!isQuoting(model)) add({ id: ragPrefix + model.name, owned_by: 'ragmesh', type: 'chat' });
  }
  for (const { name, adapter, dimensions } of embedding) {
    if (!mayUseModel(admission, name)) continue;
    add({ id: name, owned_by: adapter, type: 'embedding', ...(dimensions > 0 && { dimensions }) });
  }
  return [...models.values()];
}
