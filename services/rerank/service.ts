import { Code, ConnectError } from '@connectrpc/connect';
import { Stage, UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { RerankRequest, RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { invalidArgument, rpcError, unavailable } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Named } from '#kit/host/config/named-adapters.ts';
import { invalidReply } from '#kit/http/failure.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { RerankBatch, RerankModel, RerankUsage } from './models/rerank-model.ts';

/** Share of the caller's remaining time for a model that has a fallback. */
const shareBeforeFallback = 0.8;

/** What the service needs besides its models. */
export interface RerankDeps {
  log: Logger;
}

/** Creates the rpcs over the models. The first one is the default; if one fails, the next is its fallback. */
export function createRerank(
  models: readonly Named<RerankModel>[],
  { log }: RerankDeps,
): ServiceHandlers<typeof RerankService> {
  const find = (name: string): number => {
    const found = name === '' ? 0 : models.findIndex((candidate) => candidate.name === name);
    if (found !== -1) return found;
    // Does not list the models: the caller may have no right to see them.
    const message = `no rerank model "${name}": name one of rerank.models, or leave the model out for the default one`;
    throw rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, message, { metadata: { model: name } });
  };
  return {
    async *rerank(request, context) {
      const asked = models.slice(find(request.model));
      let failure: { model: string; error: unknown } | undefined;
      for (const [place, named] of asked.entries()) {
        const { name, model } = named;
        const usages: RerankUsage[] = [];
        try {
          const isLast = place === asked.length - 1;
          // With a fallback, no score is sent before all are known: scores of two models must not mix.
          const batches = isLast
            ? score(named, request, context, context.signal)
            : await scoreWhole(named, request, context);
          for await (const { scores, usage } of batches) {
            if (usage !== undefined) usages.push(usage);
            yield { event: { case: 'scored', value: { passages: scores } } };
          }
        } catch (error) {
          context.signal.throwIfAborted();
          failure ??= { model: name, error };
          // The caller asked for the first model, so its error counts.
          if (place === asked.length - 1) throw failure.error;
          log.warn({ event: 'rerank_fallback', model: name, err: error }, 'rerank model failed, using fallback');
          continue;
        }
        const usage = usages.length === 0 ? undefined : sum(usages);
        const fallback = failure && {
          fallbackFrom: failure.model,
          degradation: {
            stage: Stage.RERANK,
            reason: `${failure.model}: ${reasonOf(failure.error)}`.slice(0, 512),
            effect: `scored by ${name}; cut-offs for ${failure.model} do not hold`.slice(0, 512),
          },
        };
        yield {
          event: { case: 'done', value: { model: name, scale: model.scale, ...(usage && { usage }), ...fallback } },
        };
        return;
      }
    },
  };
}

/** Returns all batches of a model, within its share of the caller's time. */
async function scoreWhole(
  named: Named<RerankModel>,
  request: RerankRequest,
  context: CallContext,
): Promise<RerankBatch[]> {
  const leftMs = context.timeoutMs();
  const shareMs = leftMs === undefined ? undefined : Math.floor(leftMs * shareBeforeFallback);
  const late = shareMs === undefined ? undefined : AbortSignal.timeout(shareMs);
  const signal = late === undefined ? context.signal : AbortSignal.any([context.signal, late]);
  try {
    const batches: RerankBatch[] = [];
    for await (const batch of score(named, request, context, signal)) batches.push(batch);
    return batches;
  } catch (error) {
    if (late?.aborted && !context.signal.aborted) {
      throw unavailable(named.name, `${named.name} had not scored after ${shareMs} ms`, error);
    }
    throw error;
  }
}

/** Yields the batches of a model. Throws unless each candidate has exactly one finite score. */
async function* score(
  { name, model }: Named<RerankModel>,
  { query, candidates }: RerankRequest,
  context: CallContext,
  signal: AbortSignal,
): AsyncIterable<RerankBatch> {
  if (candidates.length > model.maxCandidates) {
    throw invalidArgument(`${name} takes at most ${model.maxCandidates} candidates, not ${candidates.length}`);
  }
  const missing = new Set(candidates.keys());
  for await (const batch of model.rerank(query, candidates, signal, () => context.forward({ signal }))) {
    for (const { index, score: value } of batch.scores) {
      // A candidate that is scored twice or was not sent would mix up passages silently.
      if (!missing.delete(index)) throw invalidReply(name, `candidate ${index} was scored twice or was not sent`);
      if (!Number.isFinite(value)) throw invalidReply(name, `the score of candidate ${index} is not a finite number`);
    }
    yield batch;
  }
  if (missing.size > 0) throw invalidReply(name, `${missing.size} candidates have no score`);
}

/** Returns why a model failed, without text of a document: errors of ragmesh have none, and other messages are dropped. */
function reasonOf(error: unknown): string {
  return error instanceof ConnectError ? error.rawMessage : 'internal error';
}

function sum(usages: readonly RerankUsage[]) {
  const isReported = usages.every(({ provenance }) => provenance === UsageProvenance.REPORTED);
  return {
    promptTokens: BigInt(usages.reduce((total, { promptTokens }) => total + promptTokens, 0)),
    completionTokens: BigInt(usages.reduce((total, { completionTokens }) => total + completionTokens, 0)),
    provenance: isReported ? UsageProvenance.REPORTED : UsageProvenance.ESTIMATED,
  };
}
