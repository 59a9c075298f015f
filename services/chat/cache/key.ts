import { createHash } from 'node:crypto';
import { toJsonString } from '@bufbuild/protobuf';
import type { AskRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { FilterSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Corpus } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { historyVersion } from '../prompt/prompt.ts';
import type { Understood } from '../understand/understand.ts';

/** Corpora that the contract of the cache accepts; more are folded into one name. */
const maxCorpora = 64;

/** Returns what an answer depends on besides the question and the principal: the `scope` of a look-up in the cache. */
export function toCacheKey(
  request: Pick<AskRequest, 'temperature' | 'filter'>,
  corpora: readonly Corpus[],
  promptVersion: string,
  { language, topK, maxTokens, model, models, history }: Omit<Understood, 'standalone' | 'sessionId' | 'isNewSession'>,
) {
  const parameters: Record<string, string> = { top_k: String(topK), max_tokens: String(maxTokens) };
  if (request.temperature !== undefined) parameters.temperature = String(request.temperature);
  if (request.filter !== undefined) parameters.filter = hash(toJsonString(FilterSchema, request.filter));
  const version = historyVersion(history);
  if (version !== '') parameters.history = version;
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
