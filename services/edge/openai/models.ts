import type { Client } from '@connectrpc/connect';
import type { LLMGatewayService, Model } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import { actAs } from '#kit/rpc/context.ts';
import { mayUseModel, unknownModel } from '../admission/model-access.ts';
import { sendJson } from '../http/error.ts';
import { type JsonRoute, noteFailure } from '../http/json-route.ts';
import type { OpenAiDeps } from './deps.ts';
import { sendOpenAiError } from './error.ts';

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

/**
 * `GET /v1/models` and `GET /v1/models/<id>`: "ragmesh", the gateway's models, and each of them over documents, as far as the
 * caller may use them.
 */
export function createModels(
  llm: Pick<Client<typeof LLMGatewayService>, 'listModels'>,
  deps: OpenAiDeps,
): (id?: string) => JsonRoute {
  const { admit, clock } = deps;
  const startedAt = Math.floor(clock() / 1000);
  return (id) => async (request, response) => {
    const { signal } = workFor(response);
    try {
      const admission = await admit(request, signal);
      const listed = await llm.listModels({}, actAs(admission.token, { signal }));
      const models = listed.models.filter(({ name }) => mayUseModel(admission, name));
      const names = new Map([
        [defaultModel, 'ragmesh'],
        ...models.map(({ name, provider }) => [name, provider] as const),
      ]);
      for (const model of models) {
        if (!isQuoting(model)) names.set(ragPrefix + model.name, 'ragmesh');
      }
      const data = [...names].map(([name, owner]) => ({
        id: name,
        object: 'model',
        created: startedAt,
        owned_by: owner,
      }));
      if (id === undefined) return sendJson(response, 200, { object: 'list', data });
      const model = data.find((known) => known.id === id);
      if (model === undefined) throw unknownModel(id);
      sendJson(response, 200, model);
    } catch (error) {
      if (isGone(response)) return;
      noteFailure(deps, '/v1/models', request, error);
      sendOpenAiError(response, error);
    }
  };
}
