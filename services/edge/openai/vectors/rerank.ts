import type { Client } from '@connectrpc/connect';
import { type RerankDone, RerankService, ScoreScaleSchema } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { internal } from '#kit/base/errors.ts';
import { requireOwnModel } from '../../admission/model-access.ts';
import type { JsonRoute } from '../../http/json-route.ts';
import { parseFields } from '../../http/parse-fields.ts';
import type { OpenAiDeps } from '../deps.ts';
import { createJsonCall } from '../json-call.ts';
import { defaultModel } from '../models.ts';
import { rerankSchema } from '../schemas/rerank.ts';
import { refuseTooManyTokens } from '../schemas/token-bound.ts';
import { toCost } from '../usage.ts';

/** `POST /v1/rerank` and `/v2/rerank`, in the shape that Cohere's and Jina's have in common. */
export function createRerank(rerank: Pick<Client<typeof RerankService>, 'rerank'>, deps: OpenAiDeps): JsonRoute {
  return createJsonCall('/v1/rerank', RerankService.method.rerank, deps, async (value, options, admission) => {
    const { documents, query, ...body } = parseFields(rerankSchema, value);
    refuseTooManyTokens(
      documents.map(({ text }) => text),
      'documents',
    );
    const model = body.model === defaultModel ? '' : (body.model ?? '');
    requireOwnModel(admission, model);
    const scores = new Map<number, number>();
    let done: RerankDone | undefined;
    for await (const { event } of rerank.rerank({ model, query, candidates: documents }, options)) {
      if (event.case === 'scored') for (const { index, score } of event.value.passages) scores.set(index, score);
      else if (event.case === 'done') done = event.value;
    }
    if (done === undefined || scores.size !== documents.length) {
      throw internal(new Error(`of ${documents.length} documents, ${scores.size} were scored`));
    }
    const results = documents
      .map((document, index) => ({ index, score: scores.get(index) ?? Number.NaN, document }))
      .sort((a, b) => b.score - a.score || a.index - b.index)
      .slice(0, body.top_n ?? undefined);
    const promptTokens = Number(done.usage?.promptTokens ?? 0n);
    return {
      id: `rerank-${deps.newId()}`,
      object: 'list',
      model: done.model,
      results: results.map(({ index, score, document }) => ({
        index,
        relevance_score: score,
        ...(body.return_documents === true ? { document: { text: document.text } } : {}),
      })),
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
      // Cohere's clients read these.
      meta: { api_version: { version: '2' }, tokens: { input_tokens: promptTokens } },
      ragmesh: { score_scale: enumName(ScoreScaleSchema, done.scale).toLowerCase(), ...toCost(done.usage) },
    };
  });
}
