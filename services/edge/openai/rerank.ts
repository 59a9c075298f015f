import type { Client } from '@connectrpc/connect';
import { type RerankDone, RerankService, ScoreScaleSchema } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { internal } from '#kit/base/errors.ts';
import { requireOwnModel } from '../admission/model-access.ts';
import { anything, badField, flag, list, number, object, type Reader, text } from '../http/fields.ts';
import type { JsonRoute } from '../http/json-route.ts';
import type { OpenAiDeps } from './deps.ts';
import { createJsonCall } from './json-call.ts';
import { defaultModel } from './models.ts';
import { refuseTooManyTokens } from './token-bound.ts';
import { toCost } from './usage.ts';

const maxDocuments = 1000;
const maxDocumentLength = 1 << 20;

interface Document {
  text: string;
  title: string;
}

const readParts = object({ text: text({ max: maxDocumentLength }), title: text({ max: 4096 }) }, { others: 'ignore' });

const readDocument: Reader<Document> = (value, path) => {
  if (typeof value === 'string') return { text: text({ max: maxDocumentLength })(value, path), title: '' };
  const { text: content, title = '' } = readParts(value, path);
  if (content === undefined) throw badField(`${path}.text`, 'is missing');
  return { text: content, title };
};

const readBody = object({
  model: text({ max: 256 }),
  query: text({ min: 1, max: 16_384 }),
  documents: list(readDocument, { min: 1, max: maxDocuments }),
  top_n: number({ min: 1, max: Number.MAX_SAFE_INTEGER, whole: true }),
  return_documents: flag,
  // Models cut long documents by limits of their own.
  max_tokens_per_doc: anything,
  max_chunks_per_doc: anything,
  truncation: anything,
  user: anything,
});

/** `POST /v1/rerank`, in the shape that Cohere's and Jina's have in common. */
export function createRerank(rerank: Client<typeof RerankService>, deps: OpenAiDeps): JsonRoute {
  return createJsonCall('/v1/rerank', RerankService.method.rerank, deps, async (value, options, admission) => {
    const { documents, query, ...body } = readBody(value, '');
    if (query === undefined) throw badField('query', 'is missing');
    if (documents === undefined) throw badField('documents', 'is missing');
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
      .slice(0, body.top_n);
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
      ragmesh: { score_scale: enumName(ScoreScaleSchema, done.scale).toLowerCase(), ...toCost(done.usage) },
    };
  });
}
