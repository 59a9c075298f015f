import { createHash } from 'node:crypto';
import { toJsonString } from '@bufbuild/protobuf';
import type { AskRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { FilterSchema, type Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Model } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Corpus } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';

/** Corpora that the contract of the cache takes; more are folded into one name. */
const maxCorpora = 64;

/** All that an answer depends on beside the question and the principal, as the cache wants it. */
export function toCacheScope(parts: {
  request: AskRequest;
  corpora: readonly Corpus[];
  promptVersion: string;
  historyVersion: string;
  model: string;
  /** The models that there are, where known. */
  models: readonly Model[] | undefined;
  language: Language;
  topK: number;
  maxTokens: number;
}) {
  const { request, promptVersion, historyVersion, model, language, topK, maxTokens } = parts;
  const parameters: Record<string, string> = { top_k: String(topK), max_tokens: String(maxTokens) };
  if (request.temperature !== undefined) parameters.temperature = String(request.temperature);
  if (request.filter !== undefined) parameters.filter = hash(toJsonString(FilterSchema, request.filter));
  if (historyVersion !== '') parameters.history = historyVersion;
  // What an alias stands for may change, and with it the answers.
  const named = parts.models?.find(({ name }) => name === model);
  if (named !== undefined) parameters.route = JSON.stringify([named.provider, ...named.targets]);
  return { corpora: foldCorpora(parts.corpora), promptVersion, model, parameters, language };
}

function foldCorpora(corpora: readonly Corpus[]) {
  const revisions = corpora.map(({ name, revision }) => ({ corpus: name, revision }));
  if (revisions.length <= maxCorpora) return revisions;
  const sorted = revisions.map(({ corpus, revision }) => JSON.stringify([corpus, revision])).sort();
  return [{ corpus: '*', revision: hash(sorted.join()) }];
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
