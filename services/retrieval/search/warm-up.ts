import { create } from '@bufbuild/protobuf';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { EmbedResponseSchema } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { RerankResponseSchema } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { withoutSpans } from '#kit/base/span.ts';
import { toVector } from '#kit/base/vectors.ts';
import { createClient } from '#kit/rpc/client.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { validationInterceptor } from '#kit/rpc/interceptors/validation.ts';
import { createInvocables, type Interceptor } from '#kit/rpc/invoke.ts';
import { createLocalTransport } from '#kit/rpc/local/mount.ts';
import { isLexicalModel } from '#kit/text/lexical-model.ts';
import { createRetrievalMetrics } from '../metrics.ts';
import type { SearchDeps } from './search.ts';

/** Tenants whose catalog is opened; the others open theirs with their first search. */
const maxTenants = 50;
/** Searches of the first tenant: after so many, the engine has compiled most of the code. */
const searchCount = 50;
/** Time after which no further search begins, in milliseconds. */
const longestMs = 1000;
/** The first questions, in both languages that have their own rules; later ones are parts of the passages that were found. */
const firstQuestions = [
  '如何修改账号密码和退款',
  'how do I change my account, password or order',
  '如何修改 password of my account',
];
/** Characters of a question that is a part of a passage: about those of a sentence. */
const questionLength = 40;

/**
 * Searches for these tenants as their callers do, through the rpc, so that their first searches find open files and compiled code. No other
 * service is called, because a provider of embeddings or a reranker may cost money: both get made-up answers. The results are dropped, and
 * neither the log, the metrics nor the traces have them. `handlersOf`: the rpcs of the service over other dependencies.
 */
export async function warmSearches(
  deps: SearchDeps,
  handlersOf: (deps: SearchDeps) => ServiceHandlers<typeof RetrievalService>,
  tenants: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const quiet = {
    ...deps,
    ...{ log: createLogger('silent'), metrics: createRetrievalMetrics(createMetrics()), reranker, shadows: undefined },
  };
  const startedAt = performance.now();
  for (const [index, tenant] of tenants.slice(0, maxTenants).entries()) {
    const embedding = await embeddingFor(deps, tenant, signal);
    const client = clientOf(tenant, handlersOf({ ...quiet, embedding }));
    const questions = [...firstQuestions];
    for (let count = 0; count < (index === 0 ? searchCount : 1); count++) {
      const query = questions[count % questions.length] as string;
      await withoutSpans(async () => {
        for await (const { event } of client.retrieve({ query }, { signal })) {
          if (event.case !== 'fused' || questions.length >= searchCount) continue;
          questions.push(...event.value.passages.map(({ text }) => partOf(text, count)).filter(Boolean));
        }
      });
      if (performance.now() - startedAt > longestMs) return;
    }
  }
}

/** Returns a part of a passage, another one for each `place`. */
function partOf(text: string, place: number): string {
  const from = (place * questionLength) % Math.max(1, text.length - questionLength + 1);
  return text
    .slice(from, from + questionLength)
    .toWellFormed()
    .trim();
}

/** Returns a client of these rpcs, which calls as a service of the mesh for the tenant. */
function clientOf(tenant: string, handlers: ServiceHandlers<typeof RetrievalService>) {
  const principal = create(PrincipalSchema, { tenant, user: 'warm-up', roles: [Role.SERVICE] });
  const identified: Interceptor = (next) => (call) => {
    call.identify(principal, '');
    return next(call);
  };
  const methods = createInvocables(RetrievalService, handlers, [identified, validationInterceptor()]);
  return createClient(
    RetrievalService,
    createLocalTransport(new Map(methods.map((invocable) => [invocable.method, invocable]))),
  );
}

/** Returns a client that answers with a vector of the tenant's dimensions. */
async function embeddingFor({ indices }: SearchDeps, tenant: string, signal: AbortSignal) {
  const held = await indices.acquire(tenant, signal);
  const versions = [...(held?.index.view.corpora.values() ?? [])].flatMap((corpus) => corpus.versions);
  held?.release();
  return {
    async *embed({ model = '', inputs = [] }: { model?: string | undefined; inputs?: string[] | undefined }) {
      const dimensions = versions.find((version) => version.model === model)?.dimensions ?? 1;
      const vector = isLexicalModel(model)
        ? sparseVector(inputs[0] ?? '', dimensions)
        : Float32Array.from({ length: dimensions }, (_, index) => Math.sin(index + 1));
      yield create(EmbedResponseSchema, { model, vectors: [toVector(vector)] });
    },
  };
}

/** Returns a vector with a few dimensions of each text, as models of words have them: their search has code of its own. */
function sparseVector(text: string, dimensions: number): Float32Array<ArrayBuffer> {
  const vector = new Float32Array(dimensions);
  vector[0] = 1;
  for (let index = 0; index < text.length; index++) vector[(text.charCodeAt(index) * 31 + index) % dimensions] = 1;
  return vector;
}

/** A reranker that scores all candidates alike. */
const reranker = {
  async *rerank({ candidates = [] }: { candidates?: readonly unknown[] | undefined }) {
    const passages = candidates.map((_, index) => ({ index, score: 0.5 }));
    yield create(RerankResponseSchema, { event: { case: 'scored', value: { passages } } });
    yield create(RerankResponseSchema, { event: { case: 'done', value: { model: 'warm-up' } } });
  },
};
