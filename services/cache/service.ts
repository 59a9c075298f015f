import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { CacheService, InvalidateRequest } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { InvalidateTarget } from './answers/answer-store.ts';
import { corpusLabel, documentLabel, modelLabel, promptLabel, questionLabel, revisionLabel } from './answers/labels.ts';
import { createFill } from './rpcs/fill.ts';
import { createInspect } from './rpcs/inspect.ts';
import { createLookup } from './rpcs/lookup.ts';
import type { RpcDeps } from './rpcs/rpc-deps.ts';

/** The rpcs of the cache. */
export function createCache(deps: RpcDeps): ServiceHandlers<typeof CacheService> {
  const { layers, stats, meaning, log } = deps;
  return {
    lookup: createLookup(deps),
    fill: createFill(deps),
    inspect: createInspect(deps),
    async invalidate(request, context) {
      const { tenant } = context.principal;
      const target = targetOf(request);
      const entryCount = await layers.invalidate(tenant, target);
      await meaning?.forget(tenant, target);
      log.info({ tenant, target: request.target.case, entry_count: entryCount }, 'answers invalidated');
      return { entryCount: BigInt(entryCount) };
    },
    async matchQuestion({ question, candidates }, context) {
      return (await meaning?.match(question, candidates, context)) ?? {};
    },
    async getStats(_request, context) {
      const { tenant } = context.principal;
      const own = stats.of(tenant);
      const semantic = meaning?.stats();
      const usages = await layers.usage(tenant);
      // Its answers are those of the layers above.
      const byMeaning = { layer: CacheLayer.SEMANTIC, entryCount: 0, sizeBytes: 0, evictionCount: 0 };
      return {
        layers: [...usages, ...(semantic === undefined ? [] : [byMeaning])].map((usage) => ({
          layer: usage.layer,
          hitCount: BigInt(own.hits.get(usage.layer) ?? 0),
          entryCount: BigInt(usage.entryCount),
          sizeBytes: BigInt(usage.sizeBytes),
          evictionCount: BigInt(usage.evictionCount),
        })),
        lookupCount: BigInt(own.lookupCount),
        missCount: BigInt(own.missCount),
        followCount: BigInt(own.followCount),
        staleHitCount: BigInt(own.staleHitCount),
        refusalHitCount: BigInt(own.refusalHitCount),
        corruptCount: BigInt(own.corruptCount),
        savedPromptTokens: own.savedPromptTokens,
        savedCompletionTokens: own.savedCompletionTokens,
        savedCostMicros: own.savedCostMicros,
        currency: own.currency,
        shadowCount: BigInt(semantic?.comparedCount ?? 0),
        ...(semantic?.falseHits && {
          falseHitRate: semantic.falseHits.rate,
          falseHitRateUpper: semantic.falseHits.high,
        }),
      };
    },
  };
}

function targetOf({ target }: InvalidateRequest): InvalidateTarget {
  const byLabel = (label: string): InvalidateTarget => ({ kind: 'label', label });
  switch (target.case) {
    case 'documentId':
      return byLabel(documentLabel(target.value));
    case 'corpus':
      return byLabel(corpusLabel(target.value));
    case 'corpusRevision':
      return byLabel(revisionLabel(target.value.corpus, target.value.revision));
    case 'model':
      return byLabel(modelLabel(target.value));
    case 'promptVersion':
      return byLabel(promptLabel(target.value));
    case 'question':
      return byLabel(questionLabel(target.value));
    case 'storedBefore':
      return { kind: 'before', storedBeforeMs: timestampMs(target.value) };
    case 'all':
      if (!target.value) throw invalidArgument('all must be true');
      return { kind: 'all' };
    case undefined:
      throw invalidArgument('a target is needed');
    default:
      return target satisfies never;
  }
}
