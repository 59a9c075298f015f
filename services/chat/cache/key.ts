import { createHash } from 'node:crypto';
import { create, toJsonString } from '@bufbuild/protobuf';
import { type CacheScope, CacheScopeSchema } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { AskRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { FilterSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Model } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Corpus } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { shareMessage } from '#kit/rpc/messages/shared-message.ts';
import { historyVersion } from '../prompt/prompt.ts';
import type { Understood } from '../understand/understand.ts';

/** Corpora that the contract of the cache accepts; more are folded into one name. */
const maxCorpora = 64;

type KeyParts = Pick<
  Understood,
  'language' | 'topK' | 'maxTokens' | 'model' | 'models' | 'history' | 'summary' | 'modelTools'
>;

// Scopes of plain questions, by the lists that they are made of: retrieval and the gateway return the same lists until they change.
const plainScopes = new WeakMap<readonly Corpus[], WeakMap<readonly Model[], Map<string, CacheScope>>>();
const maxPlainScopes = 100;

/**
 * Returns what an answer depends on besides the question and the principal: the `scope` of a look-up in the cache. Equal scopes of
 * questions without parameters of their own are one object.
 */
export function toCacheKey(
  request: Pick<AskRequest, 'temperature' | 'filter'>,
  corpora: readonly Corpus[],
  promptVersion: string,
  parts: KeyParts,
): CacheScope {
  const { models, history, summary, language, topK, maxTokens, model } = parts;
  const make = () => create(CacheScopeSchema, scopeOf(request, corpora, promptVersion, parts));
  const { modelTools } = parts;
  const isPlain =
    request.temperature === undefined &&
    request.filter === undefined &&
    history.length === 0 &&
    summary.text === '' &&
    modelTools.length === 0;
  if (!isPlain || models === undefined) return make();
  let byModels = plainScopes.get(corpora);
  if (byModels === undefined) {
    byModels = new WeakMap();
    plainScopes.set(corpora, byModels);
  }
  let scopes = byModels.get(models);
  if (scopes === undefined) {
    scopes = new Map();
    byModels.set(models, scopes);
  }
  const name = `${language} ${topK} ${maxTokens} ${promptVersion} ${model}`;
  let scope = scopes.get(name);
  if (scope === undefined) {
    if (scopes.size >= maxPlainScopes) scopes.clear();
    scope = shareMessage(make());
    scopes.set(name, scope);
  }
  return scope;
}

function scopeOf(
  request: Pick<AskRequest, 'temperature' | 'filter'>,
  corpora: readonly Corpus[],
  promptVersion: string,
  { language, topK, maxTokens, model, models, history, summary, modelTools }: KeyParts,
) {
  const parameters: Record<string, string> = { top_k: String(topK), max_tokens: String(maxTokens) };
  if (request.temperature !== undefined) parameters.temperature = String(request.temperature);
  if (request.filter !== undefined) parameters.filter = hash(toJsonString(FilterSchema, request.filter));
  const version = historyVersion(history, summary);
  if (version !== '') parameters.history = version;
  // A caller with other tools gets other answers, even if none was called.
  if (modelTools.length > 0) parameters.tools = hash(JSON.stringify(modelTools.map(({ tool }) => tool.name).sort()));
  // An alias can be given another model, which gives other answers.
  const named = models?.find(({ name }) => name === model);
  if (named !== undefined) parameters.route = JSON.stringify([named.provider, ...named.targets]);
  return { corpora: foldCorpora(corpora), promptVersion, model, parameters, language };
}

function foldCorpora(corpora: readonly Corpus[]) {
  const revisions = corpora.map(({ name, revision }) => ({ corpus: name, revision }));
  if (revisions.length <= maxCorpora) return revisions;
  const sorted = revisions.map(({ corpus, revision }) => JSON.stringify([corpus, revision])).sort();
  return [{ corpus: '*', revision: hash(sorted.join()) }];
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
