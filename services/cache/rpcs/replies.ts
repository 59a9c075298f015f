import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { LookupResponse } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AnswerEvent, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Found } from '../answers/layers.ts';
import { fromLayer } from '../answers/recording.ts';
import { type Recorded, recordedOf, responseOf } from '../answers/replay.ts';
import type { Flight } from '../flights/flight.ts';
import type { Followed } from '../flights/follow.ts';
import type { RpcDeps } from './rpc-deps.ts';

// Labels of metrics, made once.
const memoryLabels = { hit: { layer: 'memory' }, result: { result: 'memory' } };
const durableLabels = { hit: { layer: 'durable' }, result: { result: 'durable' } };
const semanticLabels = { hit: { layer: 'semantic' }, result: { result: 'semantic' } };
const labelsOf = (layer: CacheLayer) =>
  layer === CacheLayer.MEMORY ? memoryLabels : layer === CacheLayer.DURABLE ? durableLabels : semanticLabels;
const followHit = { layer: 'follow' };
const followResult = { result: 'follow' };
const missResult = { result: 'miss' };

/** What a look-up replies, each counted in metrics and statistics. */
export type Replies = ReturnType<typeof createReplies>;

/** Creates the replies of look-ups. */
export function createReplies({ settings, layers, metrics, stats }: RpcDeps) {
  const observe = (startedAtMs: number, labels: { result: string }) =>
    metrics.cacheLookupMs.observe(labels, performance.now() - startedAtMs);

  return {
    /** Returns a lease: the caller generates the answer. */
    lease(tenant: string, leaseId: string, startedAtMs: number): LookupResponse {
      metrics.cacheMissTotal.inc();
      stats.of(tenant).missCount++;
      observe(startedAtMs, missResult);
      return responseOf({ case: 'lease', value: { leaseId, ttlMs: settings.leaseTtlMs } });
    },

    /** Replies with a stored answer, which is used `useCount` times. Returns false, and drops the answer, if it cannot be read. */
    async *replay(
      found: Found,
      isStale: boolean,
      startedAtMs: number,
      { onRead, useCount = 1 }: { onRead?: (events: readonly AnswerEvent[]) => void; useCount?: number } = {},
    ): AsyncGenerator<LookupResponse, boolean> {
      const { answer, layer } = found;
      let recorded: Recorded;
      try {
        recorded = recordedOf(found, isStale);
      } catch (error) {
        await layers.drop(answer.tenant, answer.key, error);
        return false;
      }
      const { hit, events, isOneMessage } = recorded;
      onRead?.(events);
      const labels = labelsOf(layer);
      metrics.cacheHitTotal.inc(labels.hit, useCount);
      for (let use = 0; use < useCount; use++) {
        observe(startedAtMs, labels.result);
        stats.hit(answer.tenant, layer, events, isStale);
      }
      yield hit;
      if (!isOneMessage) for (const event of events) yield responseOf({ case: 'answer', value: event });
      return true;
    },

    /** Returns the reply that says that the caller follows a flight. */
    follow({ begunAtMs }: Flight, startedAtMs: number): LookupResponse {
      observe(startedAtMs, followResult);
      return responseOf({ case: 'follow', value: { begunAt: timestampFromMs(begunAtMs) } });
    },

    /** Replies with the events of a flight as they come. Returns whether the flight finished. */
    async *relay(followed: Followed, flight: Flight, signal: AbortSignal): AsyncGenerator<LookupResponse, boolean> {
      const events = followed.relay(flight, signal);
      for (;;) {
        const { done, value } = await events.next();
        if (done !== true) {
          yield responseOf({ case: 'answer', value: fromLayer(value, CacheLayer.MEMORY) });
          continue;
        }
        if (value) {
          metrics.cacheHitTotal.inc(followHit);
          stats.follow(flight.tenant, flight.events);
        }
        return value;
      }
    },
  };
}
